package release

import (
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation/origin"
)

var epoch = time.Date(2027, 2, 3, 12, 0, 0, 500, time.UTC)

const uid = "8b1c7f2e-0000-4000-8000-000000000001"

func resource() *v1alpha1.GitHubUserToken {
	return &v1alpha1.GitHubUserToken{
		ObjectMeta: metav1.ObjectMeta{Namespace: "team-a", Name: "octocat", UID: types.UID(uid), Generation: 3},
		Status: v1alpha1.GitHubUserTokenStatus{
			LastRefreshTime: &metav1.Time{Time: epoch.Truncate(time.Second)}, RefreshCount: 4,
			Conditions: []metav1.Condition{
				{Type: v1alpha1.ConditionReady, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonTokenValid, ObservedGeneration: 3},
				{Type: v1alpha1.ConditionAuthorized, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonRefreshTokenValid, ObservedGeneration: 3},
			},
		},
	}
}

func pair() *rotation.Pair {
	access, refresh := credential.NewAccessToken("ghu_access"), credential.NewRefreshToken("ghr_refresh")
	return &rotation.Pair{
		Owner: rotation.Owner{Namespace: "team-a", Name: "octocat", UID: uid}, Controlled: true,
		Labels:      map[string]string{v1alpha1.LabelRole: v1alpha1.RolePair},
		AccessToken: access, RefreshToken: refresh, TokenType: "bearer", NextRefreshAt: epoch.Add(6 * time.Hour),
		State: rotation.State{
			Owner: uid, App: "github.com/Iv23liEXAMPLE", Revision: 7, RefreshCount: 4, AccessToken: access.Fingerprint(), RefreshToken: refresh.Fingerprint(),
			IssuedAt: epoch, ExpiresAt: epoch.Add(8 * time.Hour), User: &rotation.User{Login: "octocat", ID: 1},
		},
	}
}

func TestTokenServerGivesWhatIsCurrent(t *testing.T) {
	found := Decide(Read{Resource: resource(), Pairs: []*rotation.Pair{pair()}}, epoch.Add(time.Hour))
	if found.Kind != Give || found.Verdict != "" {
		t.Fatalf("got %+v", found)
	}
	token := found.Token
	if token.Access.Reveal() != "ghu_access" || token.Fingerprint != token.Access.Fingerprint() || token.Type != "bearer" || token.Host != "github.com" ||
		!token.ExpiresAt.Equal(epoch.Add(8*time.Hour)) || !token.NextRefreshAt.Equal(epoch.Add(6*time.Hour)) || *token.User != (rotation.User{Login: "octocat", ID: 1}) {
		t.Errorf("got %+v", token)
	}
}

// scene is what a case of the table changes.
type scene struct {
	read Read
	pair *rotation.Pair
	now  time.Time
}

func (s *scene) resource() *v1alpha1.GitHubUserToken { return s.read.Resource }

func (s *scene) condition(kind string, status metav1.ConditionStatus, reason string, generation int64) {
	s.read.Resource.Status.Conditions = append([]metav1.Condition{{Type: kind, Status: status, Reason: reason, ObservedGeneration: generation}}, s.read.Resource.Status.Conditions...)
}

func TestTokenServerDecides(t *testing.T) {
	verdict := func(reason string) func(*scene) {
		return func(s *scene) { s.pair.State.Verdict = &rotation.Verdict{Reason: reason} }
	}
	spends := func(token credential.Fingerprint) func(*scene) {
		return func(s *scene) { s.pair.Intent = &rotation.Intent{ID: "i", Spends: token} }
	}
	for name, c := range map[string]struct {
		change func(*scene)
		kind   Kind
		reason string
	}{
		"a token that works":               {kind: Give},
		"there is no such resource":        {change: func(s *scene) { s.read.Resource = nil }, kind: Absent},
		"the resource is being deleted":    {change: func(s *scene) { s.resource().DeletionTimestamp = &metav1.Time{Time: epoch} }, kind: Never, reason: reasonDeleting},
		"its token is withheld":            {change: func(s *scene) { s.read.Withheld = "The App forbids it." }, kind: Never, reason: reasonWithheld},
		"there is no Secret":               {change: func(s *scene) { s.read.Pairs = nil }, kind: Later, reason: v1alpha1.ReasonPending},
		"the Secret was not found":         {change: func(s *scene) { s.read.Pairs = []*rotation.Pair{nil} }, kind: Later, reason: v1alpha1.ReasonPending},
		"the Secret of another resource":   {change: func(s *scene) { s.pair.Owner.UID = "other" }, kind: Later, reason: v1alpha1.ReasonPending},
		"a Secret that nobody controls":    {change: func(s *scene) { s.pair.Controlled = false }, kind: Later, reason: v1alpha1.ReasonPending},
		"a Secret that is no pair":         {change: func(s *scene) { s.pair.Labels = nil }, kind: Later, reason: v1alpha1.ReasonPending},
		"a backup":                         {change: func(s *scene) { s.pair.Labels[v1alpha1.LabelRole] = v1alpha1.RoleBackup }, kind: Later, reason: v1alpha1.ReasonPending},
		"the state is of a newer version":  {change: func(s *scene) { s.pair.State.Format = rotation.StateFormat + 1 }, kind: Later, reason: v1alpha1.ReasonStateFormatTooNew},
		"the intent is of a newer version": {change: func(s *scene) { s.pair.Intent = &rotation.Intent{Format: rotation.StateFormat + 1, Spends: "x"} }, kind: Later, reason: v1alpha1.ReasonStateFormatTooNew},
		"the state was lost":               {change: func(s *scene) { s.pair.StateLost = true }, kind: Later, reason: reasonUnclear},
		"an exchange is under way":         {change: func(s *scene) { spends(s.pair.State.RefreshToken)(s) }, kind: Later, reason: v1alpha1.ReasonOutcomeUnknown},
		"an intent that cannot be read":    {change: spends(""), kind: Later, reason: v1alpha1.ReasonOutcomeUnknown},
		"another login is under way":       {change: spends("0123"), kind: Give},
		"what the Secret holds is being spent, whatever its state says": {change: func(s *scene) {
			spends(s.pair.RefreshToken.Fingerprint())(s)
			s.pair.State.RefreshToken = "0123"
		}, kind: Later, reason: v1alpha1.ReasonOutcomeUnknown},
		"the state is bound to another resource":             {change: func(s *scene) { s.pair.State.Owner = "other" }, kind: Later, reason: v1alpha1.ReasonPairUnproven},
		"the Secret was put back to an older state":          {change: func(s *scene) { s.pair.State.Owner = rotation.RolledBack }, kind: Later, reason: v1alpha1.ReasonPairUnproven},
		"the status tells of a later pair":                   {change: func(s *scene) { s.pair.State.IssuedAt = epoch.Add(-time.Second) }, kind: Later, reason: v1alpha1.ReasonPairUnproven},
		"the status tells of a later pair within the second": {change: func(s *scene) { s.pair.State.RefreshCount = 3 }, kind: Later, reason: v1alpha1.ReasonPairUnproven},
		"the status tells of an earlier pair":                {change: func(s *scene) { s.pair.State.IssuedAt = epoch.Add(time.Hour) }, kind: Give},
		"a restored pair, and nobody goes on": {change: func(s *scene) {
			s.pair.State.Owner = "other"
			s.condition(v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonPairUnproven, 3)
		}, kind: Never, reason: v1alpha1.ReasonPairUnproven},
		"no token yet": {change: func(s *scene) {
			s.pair.AccessToken, s.pair.State.AccessToken = credential.AccessToken{}, ""
		}, kind: Later, reason: v1alpha1.ReasonPending},
		"somebody has edited the token":    {change: func(s *scene) { s.pair.AccessToken = credential.NewAccessToken("ghu_mine") }, kind: Later, reason: reasonUnclear},
		"somebody has taken the token out": {change: func(s *scene) { s.pair.AccessToken = credential.AccessToken{} }, kind: Later, reason: reasonUnclear},
		"somebody has put in a megabyte": {change: func(s *scene) {
			s.pair.AccessToken = credential.NewAccessToken(strings.Repeat("x", 1<<20))
			s.pair.State.AccessToken = s.pair.AccessToken.Fingerprint()
		}, kind: Later, reason: reasonUnclear},
		"GitHub has ended the token": {change: func(s *scene) { s.pair.State.AccessTokenEnded = true }, kind: Later, reason: v1alpha1.ReasonPending},
		"GitHub has ended both":      {change: func(s *scene) { verdict(rotation.ReasonRevoked)(s); s.pair.State.AccessTokenEnded = true }, kind: Never, reason: rotation.ReasonRevoked},
		"its person has asked for the end of its login": {change: func(s *scene) {
			s.pair.State.Login = &origin.Login{Revocation: &origin.Revocation{}}
		}, kind: Never, reason: v1alpha1.ReasonRevokedOnRequest},
		"the revocation of an earlier pair has ended": {change: func(s *scene) {
			s.pair.State.Login = &origin.Login{Revocation: &origin.Revocation{Done: true, Access: "earlier"}}
		}, kind: Never, reason: v1alpha1.ReasonRevokedOnRequest},
		"a visit of the login page":                       {change: func(s *scene) { s.resource().Labels = map[string]string{v1alpha1.LabelVisit: "x"} }, kind: Never, reason: reasonVisit},
		"the authorization was revoked":                   {change: verdict(rotation.ReasonRevoked), kind: Never, reason: rotation.ReasonRevoked},
		"the reply was lost":                              {change: verdict(rotation.ReasonReplyLost), kind: Never, reason: rotation.ReasonReplyLost},
		"half of the reply was lost":                      {change: func(s *scene) { verdict(rotation.ReasonReplyLost)(s); s.pair.State.RefreshToken = "" }, kind: Give},
		"it is another account":                           {change: verdict(rotation.ReasonWrongUser), kind: Never, reason: rotation.ReasonWrongUser},
		"nobody knows whose it is":                        {change: verdict(rotation.ReasonUserUnknown), kind: Never, reason: rotation.ReasonUserUnknown},
		"nobody knows what has become of it":              {change: verdict(rotation.ReasonOutcomeUnknown), kind: Never, reason: rotation.ReasonOutcomeUnknown},
		"a verdict of a later version":                    {change: verdict("SomethingNew"), kind: Never, reason: "SomethingNew"},
		"the refresh token has expired, and this not":     {change: verdict(rotation.ReasonRefreshTokenExpired), kind: Give},
		"the refresh token was refused, and this not":     {change: verdict(rotation.ReasonRefreshTokenRejected), kind: Give},
		"the refresh token is missing, and this works":    {change: verdict(rotation.ReasonRefreshTokenMissing), kind: Give},
		"the refresh token was refused, and this as well": {change: func(s *scene) { verdict(rotation.ReasonRefreshTokenRejected)(s); s.pair.State.AccessTokenEnded = true }, kind: Never, reason: rotation.ReasonRefreshTokenRejected},
		"the last moment":                                 {change: func(s *scene) { s.now = epoch.Add(8*time.Hour - 1) }, kind: Give},
		"it has expired":                                  {change: func(s *scene) { s.now = epoch.Add(8 * time.Hour) }, kind: Later, reason: v1alpha1.ReasonPending},
		"it has expired, and there is a verdict":          {change: func(s *scene) { verdict(rotation.ReasonRefreshTokenExpired)(s); s.now = epoch.Add(8 * time.Hour) }, kind: Never, reason: rotation.ReasonRefreshTokenExpired},
		"it never expires":                                {change: func(s *scene) { s.pair.State.ExpiresAt, s.now = time.Time{}, epoch.AddDate(5, 0, 0) }, kind: Give},
		"it has expired, and somebody must act": {change: func(s *scene) {
			s.now = epoch.Add(8 * time.Hour)
			s.condition(v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonClientSecretMissing, 3)
		}, kind: Never, reason: v1alpha1.ReasonClientSecretMissing},
		"it has expired, and an output is amiss": {change: func(s *scene) {
			s.now = epoch.Add(8 * time.Hour)
			s.condition(v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonOutputNotOwned, 3)
		}, kind: Later, reason: v1alpha1.ReasonPending},
		"it works, and a condition says otherwise": {change: func(s *scene) {
			s.condition(v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonClientSecretMissing, 3)
		}, kind: Give},
		"there is none, and a person must log in": {change: func(s *scene) {
			s.read.Pairs = nil
			s.resource().Status.Conditions = nil
			s.condition(v1alpha1.ConditionAuthorized, metav1.ConditionFalse, v1alpha1.ReasonAuthorizationPending, 3)
		}, kind: Never, reason: v1alpha1.ReasonAuthorizationPending},
		"there is none, and a condition speaks of an earlier spec": {change: func(s *scene) {
			s.read.Pairs = nil
			s.condition(v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonSecretNotOwned, 2)
		}, kind: Later, reason: v1alpha1.ReasonPending},
		"there is none, and a condition has been made up": {change: func(s *scene) {
			s.read.Pairs = nil
			s.condition(v1alpha1.ConditionStalled, metav1.ConditionTrue, "ghu_1234 is the token", 3)
		}, kind: Later, reason: v1alpha1.ReasonPending},
	} {
		t.Run(name, func(t *testing.T) {
			s := &scene{pair: pair(), now: epoch.Add(time.Hour)}
			s.read = Read{Resource: resource(), Pairs: []*rotation.Pair{s.pair}}
			if c.change != nil {
				c.change(s)
			}
			found := Decide(s.read, s.now)
			if found.Kind != c.kind || found.Reason != c.reason {
				t.Fatalf("got %d, %q (%s), want %d, %q", found.Kind, found.Reason, found.Message, c.kind, c.reason)
			}
			if isTold := found.Message != ""; isTold != (found.Kind == Later || found.Kind == Never) {
				t.Errorf("it says %q", found.Message)
			}
			if (found.Token.Access.IsZero()) != (found.Kind != Give) {
				t.Error("there is a token beside what says that there is none, or none")
			}
		})
	}
}

// While a pair moves there are two Secrets of it.
func TestTokenServerGivesTheNewerOfTwo(t *testing.T) {
	older, newer := pair(), pair()
	newer.State.Revision, newer.AccessToken = 8, credential.NewAccessToken("ghu_newer")
	newer.State.AccessToken = newer.AccessToken.Fingerprint()
	empty := pair()
	empty.State.Revision, empty.State.AccessToken, empty.AccessToken = 9, "", credential.AccessToken{}
	for _, pairs := range [][]*rotation.Pair{{older, newer}, {newer, older}, {nil, newer}, {newer, empty}, {empty, newer, older}} {
		found := Decide(Read{Resource: resource(), Pairs: pairs}, epoch)
		if found.Kind != Give || found.Token.Access.Reveal() != "ghu_newer" {
			t.Errorf("got %+v", found)
		}
	}
	older.Intent = &rotation.Intent{ID: "i", Spends: older.State.RefreshToken}
	if found := Decide(Read{Resource: resource(), Pairs: []*rotation.Pair{newer, older}}, epoch); found.Kind != Later {
		t.Errorf("an exchange is under way in the other: %+v", found)
	}
}

func TestTokenServerTellsWhatIsKnownOfAToken(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*rotation.Pair)
		right  func(Token, Finding) bool
	}{
		"no account":           {func(p *rotation.Pair) { p.State.User = nil }, func(token Token, _ Finding) bool { return token.User == nil }},
		"half of an account":   {func(p *rotation.Pair) { p.State.User.ID = 0 }, func(token Token, _ Finding) bool { return token.User == nil }},
		"another host":         {func(p *rotation.Pair) { p.State.App = "octocorp.ghe.com/Iv1" }, func(token Token, _ Finding) bool { return token.Host == "octocorp.ghe.com" }},
		"no type":              {func(p *rotation.Pair) { p.TokenType = "" }, func(token Token, _ Finding) bool { return token.Type == "bearer" }},
		"a type in capitals":   {func(p *rotation.Pair) { p.TokenType = "Bearer" }, func(token Token, _ Finding) bool { return token.Type == "bearer" }},
		"a type of lines":      {func(p *rotation.Pair) { p.TokenType = "bearer\r\nx: y" }, func(token Token, _ Finding) bool { return token.Type == "bearer" }},
		"a type of a megabyte": {func(p *rotation.Pair) { p.TokenType = strings.Repeat("x", 1<<20) }, func(token Token, _ Finding) bool { return token.Type == "bearer" }},
		"no refresh token":     {func(p *rotation.Pair) { p.State.RefreshToken = "" }, func(token Token, _ Finding) bool { return token.NextRefreshAt.IsZero() }},
		"no expiry":            {func(p *rotation.Pair) { p.State.ExpiresAt = time.Time{} }, func(token Token, _ Finding) bool { return token.ExpiresAt.IsZero() && token.NextRefreshAt.IsZero() }},
		"no further exchange": {func(p *rotation.Pair) {
			p.State.Verdict = &rotation.Verdict{Reason: rotation.ReasonRefreshTokenExpired}
		}, func(token Token, f Finding) bool {
			return token.NextRefreshAt.IsZero() && f.Verdict == rotation.ReasonRefreshTokenExpired
		}},
	} {
		t.Run(name, func(t *testing.T) {
			p := pair()
			c.change(p)
			found := Decide(Read{Resource: resource(), Pairs: []*rotation.Pair{p}}, epoch)
			if found.Kind != Give || !c.right(found.Token, found) {
				t.Errorf("got %+v", found)
			}
		})
	}
}
