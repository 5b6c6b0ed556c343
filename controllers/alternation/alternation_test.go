package alternation

import (
	"context"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/scope"
	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/memory"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

var start = time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)

// handClock is a clock that is moved by hand.
type handClock struct {
	rotation.Clock

	mono time.Duration
}

func (c *handClock) Now() time.Time           { return start.Add(c.mono) }
func (c *handClock) Monotonic() time.Duration { return time.Hour + c.mono }

// world is a resource, its alternate, and their Secrets, as a cache shows them.
type world struct {
	clock              *handClock
	primary, alternate *v1alpha1.GitHubUserToken
	secrets            map[string]*rotation.Pair
	turns              *Turns
	memory             *memory.Store
	published          []int64
	written            int
}

func (w *world) Secret(_ context.Context, ref rotation.Ref) (*rotation.Pair, error) {
	return w.secrets[ref.Name], nil
}

func (w *world) Resource(_ context.Context, name types.NamespacedName) (*v1alpha1.GitHubUserToken, bool) {
	for _, token := range []*v1alpha1.GitHubUserToken{w.primary, w.alternate} {
		if token != nil && token.Name == name.Name {
			return token, true
		}
	}
	return nil, true
}

func (w *world) Publish(_ context.Context, _ rotation.Owner, read *rotation.Pair, token credential.Fingerprint, number int64) (*rotation.Pair, bool, error) {
	if read.State.AccessToken == token {
		w.published = append(w.published, number)
	}
	return read, true, nil
}

func newWorld() *world {
	w := &world{clock: &handClock{}, secrets: map[string]*rotation.Pair{}, memory: memory.NewStore()}
	w.primary = &v1alpha1.GitHubUserToken{
		ObjectMeta: metav1.ObjectMeta{Namespace: "team-a", Name: "octocat", UID: "first"},
		Spec:       v1alpha1.GitHubUserTokenSpec{Secret: v1alpha1.SecretTemplate{Name: "token"}, Rotation: &v1alpha1.Rotation{Strategy: v1alpha1.RotationAlternate}},
	}
	w.alternate = &v1alpha1.GitHubUserToken{
		ObjectMeta: metav1.ObjectMeta{Namespace: "team-a", Name: "octocat-alternate", UID: "second", Annotations: map[string]string{v1alpha1.AnnotationAlternateOf: "first"}},
		Spec:       v1alpha1.GitHubUserTokenSpec{Secret: v1alpha1.SecretTemplate{Name: "token-alternate"}},
	}
	w.secrets["token-primary"] = pairOf(w.primary, 2)
	w.secrets["token-alternate"] = pairOf(w.alternate, 3)
	w.secrets["token"] = &rotation.Pair{Annotations: map[string]string{v1alpha1.AnnotationPublication: "3"}}
	w.turns = New(w, w, func(types.UID, *rotation.Pair) { w.written++ }, w.clock, w.memory)
	w.memory.Learn("first", scope.NameOf(w.primary))
	w.memory.Learn("second", scope.NameOf(w.alternate))
	return w
}

func pairOf(token *v1alpha1.GitHubUserToken, number int64) *rotation.Pair {
	owner := scope.OwnerOf(token)
	return &rotation.Pair{Ref: scope.PairRefOf(token), Owner: owner, Controlled: true, State: rotation.State{
		Owner: owner.UID, App: "github.com/Iv1", AccessToken: credential.Fingerprint("access of " + token.Name), RefreshToken: "refresh", IssuedAt: start, ExpiresAt: start.Add(8 * time.Hour),
		Publication: number, User: &rotation.User{Login: "octocat", ID: 7},
	}}
}

// look is what is found out of one of the two.
func (w *world) look(t *testing.T, token *v1alpha1.GitHubUserToken) *scope.Scope {
	t.Helper()
	s := &scope.Scope{Token: token, Owner: scope.OwnerOf(token), Ref: scope.PairRefOf(token), Now: w.clock.Now()}
	s.Pair, s.Input.App, s.Input.Now = w.secrets[s.Ref.Name], "github.com/Iv1", s.Now
	if err := w.turns.Look(context.Background(), s); err != nil {
		t.Fatal(err)
	}
	return s
}

func TestLookFindsTheOtherChainAndWhoseTurnItIs(t *testing.T) {
	w := newWorld()
	first, second := w.look(t, w.primary), w.look(t, w.alternate)
	if a := first.Alternation; a == nil || !a.IsPrimary || a.Other != w.alternate || a.Pair != w.secrets["token-alternate"] || first.NextPublication() != 4 {
		t.Errorf("of the first is found %+v", a)
	}
	if a := second.Alternation; a == nil || a.IsPrimary || a.Other != w.primary || second.NextPublication() != 5 {
		t.Errorf("of the second is found %+v", a)
	}
	if first.Input.Turn.IsPublished || !second.Input.Turn.IsPublished || !first.Input.Turn.Alternates {
		t.Errorf("the turns are %+v and %+v", first.Input.Turn, second.Input.Turn)
	}
	// The overlap is counted from when the other's token was first seen.
	if want := start.Add(2 * time.Hour); !first.Input.Turn.NotBefore.Equal(want) {
		t.Errorf("it is held until %s, want %s", first.Input.Turn.NotBefore, want)
	}
	w.clock.mono = 30 * time.Minute
	w.secrets["token"].Annotations[v1alpha1.AnnotationPublication] = "2"
	if plan := w.look(t, w.primary).Input.Turn; !plan.NotBefore.Equal(start.Add(8 * time.Hour)) {
		t.Errorf("while its own token is there it is held until %s", plan.NotBefore)
	}
	w.secrets["token"].Annotations[v1alpha1.AnnotationPublication] = "3"
	if plan := w.look(t, w.primary).Input.Turn; !plan.NotBefore.Equal(start.Add(150 * time.Minute)) {
		t.Errorf("seen anew it is held until %s", plan.NotBefore)
	}
	for _, forged := range []string{"", "-1", "many", "9223372036854775808"} {
		w.secrets["token"].Annotations[v1alpha1.AnnotationPublication] = forged
		if plan := w.look(t, w.primary).Input.Turn; !plan.NotBefore.Equal(start.Add(8 * time.Hour)) {
			t.Errorf("with the number %q it is held until %s", forged, plan.NotBefore)
		}
	}
}

func TestLookOfAResourceThatIsAlone(t *testing.T) {
	for name, change := range map[string]func(*world) *v1alpha1.GitHubUserToken{
		"with the strategy Replace":            func(w *world) *v1alpha1.GitHubUserToken { w.primary.Spec.Rotation = nil; return w.primary },
		"whose first has the strategy Replace": func(w *world) *v1alpha1.GitHubUserToken { w.primary.Spec.Rotation = nil; return w.alternate },
		"that names another resource's UID": func(w *world) *v1alpha1.GitHubUserToken {
			w.alternate.Annotations[v1alpha1.AnnotationAlternateOf] = "former"
			return w.alternate
		},
		"of which there is no first":            func(w *world) *v1alpha1.GitHubUserToken { w.primary = nil; return w.alternate },
		"that has the name of one, and is none": func(w *world) *v1alpha1.GitHubUserToken { w.alternate.Annotations = nil; return w.alternate },
	} {
		w := newWorld()
		s := w.look(t, change(w))
		if s.Alternation != nil || s.Input.Turn.Alternates || s.NextPublication() != 0 {
			t.Errorf("%s: found is %+v", name, s.Alternation)
		}
		w.turns.notes.Peek(s.Token.UID, func(*note) { t.Errorf("%s: something is remembered", name) })
	}
}

func TestLookTakesNoForgedAlternateForTheOther(t *testing.T) {
	for name, forge := range map[string]func(*world){
		"there is none":                 func(w *world) { w.alternate = nil },
		"it is of another UID":          func(w *world) { w.alternate.Annotations[v1alpha1.AnnotationAlternateOf] = "former" },
		"it is somebody else's":         func(w *world) { w.alternate.Annotations = nil },
		"it alternates itself":          func(w *world) { w.alternate.Spec.Rotation = w.primary.Spec.Rotation },
		"it is being deleted":           func(w *world) { w.alternate.DeletionTimestamp = &metav1.Time{Time: start} },
		"its pair is another account's": func(w *world) { w.secrets["token-alternate"].State.User.ID = 8 },
		"its pair is another App's":     func(w *world) { w.secrets["token-alternate"].State.App = "github.com/Iv2" },
	} {
		w := newWorld()
		forge(w)
		if s := w.look(t, w.primary); s.Alternation == nil || s.Input.Turn.Alternates {
			t.Errorf("%s: the turn is %+v", name, s.Input.Turn)
		}
	}
}

func TestMarkPublishesTheOwnPairInPlaceOfOneThatHasEnded(t *testing.T) {
	w := newWorld()
	if err := w.turns.Mark(context.Background(), w.look(t, w.primary)); err != nil || len(w.published) > 0 {
		t.Errorf("beside a good one it is published: %v (%v)", w.published, err)
	}
	w.secrets["token-alternate"].State.AccessTokenEnded = true
	if err := w.turns.Mark(context.Background(), w.look(t, w.primary)); err != nil || len(w.published) != 1 || w.published[0] != 4 || w.written != 1 {
		t.Errorf("published are %v (%v)", w.published, err)
	}
}

func TestReadersAreGivenThePublishedPair(t *testing.T) {
	w := newWorld()
	s := w.look(t, w.primary)
	readers := s.ForReaders()
	if readers.Pair.State.AccessToken != "access of octocat-alternate" || readers.Ref.Name != "token-alternate" || readers.Stored() == nil || readers.Pair.State.Owner != "first" {
		t.Errorf("readers are given %+v", readers.Pair)
	}
	if s.Pair.State.AccessToken != "access of octocat" || w.secrets["token-alternate"].State.Owner != "second" {
		t.Error("what was observed was changed")
	}
	if live := readers.Derived(w.secrets["token-alternate"]); live == nil || live.Owner.UID != "first" {
		t.Errorf("read live it is %+v", live)
	}
	if readers.Derived(w.secrets["token-primary"]) != nil {
		t.Error("the other pair is taken for the published one")
	}
	w.secrets["token-primary"].State.Publication = 4
	if readers = w.look(t, w.primary).ForReaders(); readers.Pair.State.AccessToken != "access of octocat" || readers.Derived(w.secrets["token-primary"]) == nil {
		t.Errorf("readers are given %+v", readers.Pair)
	}
	token, pair := w.turns.ReadersOf(context.Background(), w.alternate, w.secrets["token-alternate"])
	if token != w.primary || pair.Owner.UID != "first" || !pair.NextRefreshAt.Equal(start.Add(3*time.Hour)) {
		t.Errorf("what the alternate gets is given to %s, as a pair of %s until %s", token.Name, pair.Owner.UID, pair.NextRefreshAt)
	}
	w.alternate.Annotations = nil
	if token, pair = w.turns.ReadersOf(context.Background(), w.alternate, w.secrets["token-alternate"]); token != w.alternate || pair != w.secrets["token-alternate"] {
		t.Errorf("what somebody else's resource gets is given to %s", token.Name)
	}
}

func TestAuthorizedSaysWhichOfTwoIsLacking(t *testing.T) {
	good := metav1.Condition{Type: v1alpha1.ConditionAuthorized, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonRefreshTokenValid, Message: "The refresh token is believed to be good."}
	ended := metav1.Condition{Type: v1alpha1.ConditionAuthorized, Status: metav1.ConditionFalse, Reason: "RefreshTokenRejected", Message: "Log in again."}
	reject := func(name string) func(*world) {
		return func(w *world) {
			w.secrets[name].State.AccessTokenEnded = true
			w.secrets[name].State.Verdict = &rotation.Verdict{Reason: "RefreshTokenRejected", Time: start.Add(time.Minute)}
		}
	}
	for name, c := range map[string]struct {
		change func(*world)
		own    metav1.Condition
		reason string
		says   string
	}{
		"both are good":               {func(*world) {}, good, v1alpha1.ReasonRefreshTokenValid, "works until 2026-03-04T07:06:07Z at least"},
		"the second was never made":   {func(w *world) { delete(w.secrets, "token-alternate") }, good, v1alpha1.ReasonOneAuthorizationOnly, "kubectl ghut login octocat-alternate"},
		"there is no second resource": {func(w *world) { w.alternate = nil }, good, v1alpha1.ReasonOneAuthorizationOnly, "when the account of the first one is known"},
		"the second has ended": {func(w *world) {
			reject("token-alternate")(w)
			w.alternate.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionAuthorized, Status: metav1.ConditionFalse, Message: "GitHub refused it."}}
		}, good, v1alpha1.ReasonOneAuthorizationOnly, "GitHub refused it."},
		"the first login has ended the second": {func(w *world) {
			reject("token-alternate")(w)
			w.secrets["token-primary"].State.Login = w.secrets["token-primary"].State.Login.ReplacedBy("seed", start.Add(30*time.Second), "", "")
		}, good, v1alpha1.ReasonOneAuthorizationOnly, "Use the strategy Replace"},
		"the first has ended": {reject("token-primary"), ended, v1alpha1.ReasonOneAuthorizationOnly, `that of GitHubUserToken "octocat-alternate"`},
		"the second login has ended the first": {func(w *world) {
			reject("token-primary")(w)
			w.secrets["token-alternate"].State.Login = w.secrets["token-alternate"].State.Login.ReplacedBy("seed", start.Add(30*time.Second), "", "")
		}, ended, v1alpha1.ReasonOneAuthorizationOnly, "GitHub has ended the first one when the second one was made"},
		"both have ended": {func(w *world) { reject("token-primary")(w); reject("token-alternate")(w) }, ended, "RefreshTokenRejected", "Log in again."},
	} {
		w := newWorld()
		c.change(w)
		got := Authorized(w.look(t, w.primary), c.own)
		if got.Reason != c.reason || !strings.Contains(got.Message, c.says) || (got.Status == metav1.ConditionTrue) != (c.reason == v1alpha1.ReasonRefreshTokenValid) {
			t.Errorf("%s: it is %s, %s: %q, want %s with %q", name, got.Status, got.Reason, got.Message, c.reason, c.says)
		}
		if of := Authorized(w.look(t, w.primary), c.own); of.Message != got.Message {
			t.Errorf("%s: looked at again it says %q", name, of.Message)
		}
	}
	w := newWorld()
	if got := Authorized(w.look(t, w.alternate), good); got != good {
		t.Errorf("of the alternate it is %+v", got)
	}
}

func TestReadyTellsOfAnOverlapThatIsTooLong(t *testing.T) {
	w := newWorld()
	w.primary.Spec.Rotation.Overlap = &metav1.Duration{Duration: 4 * time.Hour}
	ready := metav1.Condition{Type: v1alpha1.ConditionReady, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonTokenValid}
	if got := Ready(w.look(t, w.primary), ready); got.Reason != v1alpha1.ReasonOverlapTooLong || !strings.Contains(got.Message, "2h0m0s is kept") {
		t.Errorf("it is %s: %q", got.Reason, got.Message)
	}
	w.primary.Spec.Rotation.Overlap.Duration = 3 * time.Hour
	if got := Ready(w.look(t, w.primary), ready); got != ready {
		t.Errorf("it is %s: %q", got.Reason, got.Message)
	}
}
