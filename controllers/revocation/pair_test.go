package revocation

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/githubusertoken/github-user-token-operator/controllers/restlimit"
	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/github"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

func TestRevocationOfOnePair(t *testing.T) {
	const app, tokens, refreshOnly, accessOnly = "app github.com/Iv23li", "tokens github.com 10", "tokens github.com 5", "tokens github.com 5"
	young := func(p *pair) { p.issued = epoch.Add(time.Hour - 20*time.Second) }
	fromFuture := func(p *pair) { p.issued = epoch.Add(2 * time.Hour) }
	// The time is an hour after epoch.
	expired := func(p *pair) { p.expires = epoch.Add(time.Hour) }
	expiredYesterday := func(p *pair) { p.issued, p.expires = epoch.Add(-31*time.Hour), epoch.Add(-23*time.Hour) }
	ended := func(p *pair) { p.ended = true }
	condemned := func(p *pair) { p.verdict = &rotation.Verdict{Fingerprint: p.refresh.Fingerprint()} }
	refusedOnce := func(p *pair) {
		p.verdict = &rotation.Verdict{Fingerprint: p.refresh.Fingerprint(), AgainAt: epoch.Add(2 * time.Hour)}
	}
	otherVerdict := func(p *pair) { p.verdict = &rotation.Verdict{Fingerprint: "another login's"} }
	noRefresh := func(p *pair) { p.refresh = credential.RefreshToken{} }
	noAccess := func(p *pair) { p.access = credential.AccessToken{} }
	neverExpires := func(p *pair) { p.expires = time.Time{} }
	unknown, unsupported := failure(github.TokenInvalid), failure(github.NotSupported)
	outage, wrongSecret, invalid := failure(github.ServerError), failure(github.IncorrectClientCredentials), failure(github.InvalidRequest)
	plain := errors.New("broken")
	for name, c := range map[string]struct {
		edits          []func(*pair)
		withoutSecret  bool
		byApp, byToken error
		calls          []string
		want           error
	}{
		"the App revokes the pair while its access token lives":         {calls: []string{app}},
		"also when it never expires":                                    {edits: []func(*pair){neverExpires}, calls: []string{app}},
		"without a client secret the tokens revoke themselves":          {withoutSecret: true, calls: []string{tokens}},
		"and so they do with a wrong one":                               {byApp: wrongSecret, calls: []string{app, tokens}},
		"and so they do where the host has no such endpoint of the App": {byApp: unsupported, calls: []string{app, tokens}},
		"an outage of the App's endpoint is tried again":                {byApp: outage, calls: []string{app}, want: outage},
		"and so is what is no error of GitHub's":                        {byApp: plain, calls: []string{app}, want: plain},
		"an outage of the tokens' endpoint is tried again":              {withoutSecret: true, byToken: outage, calls: []string{tokens}, want: outage},
		"a host that revokes no tokens by themselves is told of":        {withoutSecret: true, byToken: unsupported, calls: []string{tokens}, want: unsupported},
		"an access token that has expired by the clock may be alive":    {edits: []func(*pair){expired}, calls: []string{app}},
		"which the App knows":                                           {edits: []func(*pair){expired}, byApp: unknown, calls: []string{app, refreshOnly}},
		"or it goes along with the refresh token":                       {edits: []func(*pair){expired}, withoutSecret: true, calls: []string{tokens}},
		"or by itself": {edits: []func(*pair){expired, condemned}, withoutSecret: true, calls: []string{accessOnly}},
		"where that is tried again after an outage":                          {edits: []func(*pair){expired, condemned}, withoutSecret: true, byToken: outage, calls: []string{accessOnly}, want: outage},
		"and is not told of where the host has no such endpoint":             {edits: []func(*pair){expired, condemned}, withoutSecret: true, byToken: unsupported, calls: []string{accessOnly}},
		"one that expired a day ago leaves the refresh token to revoke":      {edits: []func(*pair){expiredYesterday}, calls: []string{refreshOnly}},
		"and so does one that is missing":                                    {edits: []func(*pair){noAccess}, calls: []string{refreshOnly}},
		"nothing is left of a pair without tokens":                           {edits: []func(*pair){noAccess, noRefresh}},
		"that the App knows no such token says nothing of the refresh token": {byApp: unknown, calls: []string{app, refreshOnly}},
		"unless GitHub has refused that before":                              {edits: []func(*pair){condemned}, byApp: unknown, calls: []string{app}},
		"a refusal that may be a mistake does not count":                     {edits: []func(*pair){refusedOnce}, byApp: unknown, calls: []string{app, refreshOnly}},
		"or there is none": {edits: []func(*pair){noRefresh}, byApp: unknown, calls: []string{app}},
		"a verdict about another token does not count":                  {edits: []func(*pair){otherVerdict}, byApp: unknown, calls: []string{app, refreshOnly}},
		"of a young pair it says nothing at all":                        {edits: []func(*pair){young, condemned}, byApp: unknown, calls: []string{app, accessOnly}},
		"a young pair without another endpoint waits for the App":       {edits: []func(*pair){young}, byApp: unknown, byToken: unsupported, calls: []string{app, tokens}, want: unknown},
		"and so does one whose refresh token was refused":               {edits: []func(*pair){young, condemned}, byApp: unknown, byToken: unsupported, calls: []string{app, accessOnly}, want: unknown},
		"an old pair without another endpoint is told of":               {byApp: unknown, byToken: unsupported, calls: []string{app, refreshOnly}, want: unsupported},
		"a pair from the future is not young":                           {edits: []func(*pair){fromFuture}, byApp: unknown, byToken: unsupported, calls: []string{app, refreshOnly}, want: unsupported},
		"an outage after the App did not know it is tried again":        {edits: []func(*pair){young}, byApp: unknown, byToken: outage, calls: []string{app, tokens}, want: outage},
		"nothing lives of a pair that expired a day ago and is refused": {edits: []func(*pair){expiredYesterday, condemned}},
		"nor of one that GitHub has said to be dead":                    {edits: []func(*pair){ended, condemned}},
		"which leaves its refresh token to revoke otherwise":            {edits: []func(*pair){ended}, calls: []string{refreshOnly}},
		"an expired pair whose refresh token may live is told of":       {edits: []func(*pair){expiredYesterday}, byToken: invalid, calls: []string{refreshOnly}, want: invalid},
		"a living access token is told of although its refresh is dead": {edits: []func(*pair){condemned}, withoutSecret: true, byToken: invalid, calls: []string{accessOnly}, want: invalid},
		"and so is one without a refresh token":                         {edits: []func(*pair){noRefresh}, withoutSecret: true, byToken: unsupported, calls: []string{accessOnly}, want: unsupported},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.byApp, w.byToken = []error{c.byApp}, []error{c.byToken}
			p := pair{
				app: "github.com/Iv23li", access: credential.NewAccessToken("ghu_1"), refresh: credential.NewRefreshToken("ghr_1"),
				issued: epoch, expires: epoch.Add(8 * time.Hour),
			}
			for _, edit := range c.edits {
				edit(&p)
			}
			by := github.App{Host: "github.com", ClientID: "Iv23li"}
			if !c.withoutSecret {
				by.ClientSecret = credential.NewClientSecret("app-secret")
			}
			if err := w.revoker.revokePair(t.Context(), asker{who: restlimit.Caller{UID: "u1"}, turn: func(string) *waitingError { return nil }}, by, p); err != c.want { //nolint:errorlint // It is to be the very one.
				t.Errorf("got %v, want %v", err, c.want)
			}
			if !slices.Equal(w.calls, c.calls) {
				t.Errorf("GitHub was called by %q, want %q", w.calls, c.calls)
			}
		})
	}
}

// A turn at the tokens' endpoint is worth waiting for while something is known to live.
func TestRevocationWaitsForNoTurnForWhatHasExpiredByTheClock(t *testing.T) {
	noTurn := &waitingError{}
	for name, c := range map[string]struct {
		expires time.Time
		refresh string
		want    error
	}{
		"it lives":                         {epoch.Add(2 * time.Hour), "", noTurn},
		"it has expired by the clock":      {epoch, "", nil},
		"its refresh token is to be ended": {epoch, "ghr_1", noTurn},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			p := pair{
				app: "github.com/Iv23li", access: credential.NewAccessToken("ghu_1"), refresh: credential.NewRefreshToken(c.refresh), expires: c.expires,
			}
			if err := w.revoker.revokePair(t.Context(), asker{who: restlimit.Caller{UID: "u1"}, turn: func(string) *waitingError { return noTurn }}, github.App{Host: "github.com"}, p); err != c.want { //nolint:errorlint // It is to be the very one.
				t.Errorf("got %v, want %v", err, c.want)
			}
			if len(w.calls) != 0 {
				t.Errorf("GitHub was called by %q", w.calls)
			}
		})
	}
}

func TestRevocationIsHopelessOnlyWhereAnotherTryCannotHelp(t *testing.T) {
	for reason, want := range map[github.Reason]bool{
		github.NotSupported: true, github.HostMalformed: true, github.HostNotAllowed: true, github.InvalidRequest: true,
		github.ServerError: false, github.RateLimited: false, github.TokenInvalid: false, github.HostUnreachable: false, github.Timeout: false,
	} {
		if got := isHopeless(failure(reason)); got != want {
			t.Errorf("%s: %t", reason, got)
		}
	}
	if isHopeless(errAPIServer) || isHopeless(nil) {
		t.Error("what is no error of GitHub's is tried again")
	}
}
