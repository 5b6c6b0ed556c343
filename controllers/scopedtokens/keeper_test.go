package scopedtokens

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/restlimit"
	"github.com/githubusertoken/github-user-token-operator/controllers/scope"
	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/github"
	"github.com/githubusertoken/github-user-token-operator/internal/problem"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

func named(name string) v1alpha1.Output {
	o := *readOne()
	o.Name = name
	return o
}

func TestScopedOutputsArePublishedAndTheFormerTokensEnded(t *testing.T) {
	w := newWorld(t, named("agent"))
	w.publish()
	if token, all := w.held("agent"); token != "ghu_scoped1" || !slices.Equal(all, []string{"ghu_scoped1"}) {
		t.Fatalf("it holds %s of %v", token, all)
	}
	if asked := fmt.Sprint(w.hub.asked); asked != "[{octo-org [hello-world] [] map[contents:read]}]" {
		t.Errorf("asked for %s", asked)
	}
	if found, at := w.settled(); found != nil || !at.IsZero() {
		t.Errorf("at rest: %+v, again at %s", found, at)
	}
	w.clock.Mono = 6 * time.Hour
	w.exchange("ghu_second")
	w.publish()
	if token, all := w.held("agent"); token != "ghu_scoped2" || !slices.Equal(all, []string{"ghu_scoped2", "ghu_scoped1"}) {
		t.Fatalf("it holds %s of %v", token, all)
	}
	if _, at := w.settled(); !at.Equal(w.clock.Now().Add(overlap)) || !w.hub.alive["ghu_scoped1"] {
		t.Errorf("the token before ends at %s, want %s", at, w.clock.Now().Add(overlap))
	}
	w.clock.Mono += overlap
	if found, at := w.settled(); found != nil || !at.IsZero() {
		t.Errorf("at rest: %+v, again at %s", found, at)
	}
	if token, all := w.held("agent"); token != "ghu_scoped2" || !slices.Equal(all, []string{"ghu_scoped2"}) || len(w.hub.alive) != 1 {
		t.Errorf("it holds %s of %v, and %d are alive", token, all, len(w.hub.alive))
	}
}

func TestScopedOutputThatIsRightCostsNothing(t *testing.T) {
	w := newWorld(t, named("agent"))
	w.publish()
	w.restart()
	w.cluster.writes = nil
	if found, _ := w.sync(); found != nil || w.queue.Len() != 0 || len(w.cluster.writes) != 0 || w.hub.made != 1 {
		t.Errorf("%+v, %d pieces of work, writes %v, %d tokens", found, w.queue.Len(), w.cluster.writes, w.hub.made)
	}
}

// Whatever is lost on the way is counted, once, wherever it was lost.
func TestScopedTokensThatAreLostAreCounted(t *testing.T) {
	for name, c := range map[string]struct {
		happens func(*world)
		lost    int
	}{
		"nothing":                           {func(*world) {}, 0},
		"a reply":                           {func(w *world) { w.hub.ask = []error{errGateway} }, 1},
		"two replies":                       {func(w *world) { w.hub.ask = []error{errGateway, errGateway} }, 2},
		"a refusal is none":                 {func(w *world) { w.hub.ask = []error{errDenied} }, 0},
		"who was not reached has made none": {func(w *world) { w.hub.ask = []error{errDown} }, 0},
		"a process": {func(w *world) {
			w.hub.on = func() { w.hub.on = nil; panic("killed") }
			func() { defer func() { _ = recover() }(); w.publish() }()
			w.restart()
		}, 1},
		"the Secret": {func(w *world) { delete(w.cluster.secrets, "agent") }, 1},
		"the annotation": {func(w *world) {
			w.cluster.edit("agent", func(s *corev1.Secret) { delete(s.Annotations, v1alpha1.AnnotationScopedTokens) })
		}, 1},
		"a garbled annotation": {func(w *world) {
			w.cluster.edit("agent", func(s *corev1.Secret) { s.Annotations[v1alpha1.AnnotationScopedTokens] = "true" })
		}, 1},
		"the data": {func(w *world) {
			w.cluster.edit("agent", func(s *corev1.Secret) { delete(s.Data, v1alpha1.KeyScopedTokens) })
		}, 1},
		"a write that fails, and an end that does": {func(w *world) {
			w.cluster.before = func(verb, _ string) error {
				if verb == "update" {
					w.cluster.before = nil
					return apierrors.NewForbidden(secrets, "agent", errors.New("no"))
				}
				return nil
			}
			w.hub.revoke = []error{errGateway}
		}, 1},
		"a write that fails, and the token is ended": {func(w *world) {
			w.cluster.before = func(verb, _ string) error {
				if verb == "update" {
					w.cluster.before = nil
					return apierrors.NewForbidden(secrets, "agent", errors.New("no"))
				}
				return nil
			}
		}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, named("agent"))
			w.publish()
			w.clock.Mono += time.Minute
			w.exchange("ghu_second")
			c.happens(w)
			for range 40 {
				w.settled()
				w.clock.Mono += 30 * time.Second
			}
			if got := len(w.ledger("agent").lostSince(w.clock.Now())); got != c.lost {
				t.Errorf("%d are counted, want %d", got, c.lost)
			}
			token, _ := w.held("agent")
			if !w.hub.alive[token] {
				t.Error("the output holds a dead token, or none")
			}
			if alive := len(w.hub.alive); alive > 1+c.lost {
				t.Errorf("%d tokens are alive, of which nobody knows %d", alive, alive-1-c.lost)
			}
			if told := strings.Join(w.events.told, "\n"); strings.Contains(told, "ghu_") {
				t.Errorf("an event tells a token: %s", told)
			}
		})
	}
}

// Another process may write while this one asks: nothing that was made is forgotten.
func TestScopedTokenIsStoredWhateverElseIsWrittenMeanwhile(t *testing.T) {
	for name, c := range map[string]struct {
		meanwhile func(*world, *corev1.Secret)
		want      []string
	}{
		"a label":     {func(_ *world, s *corev1.Secret) { s.Labels["team"] = "a" }, []string{"ghu_scoped2", "ghu_scoped1"}},
		"its removal": {func(w *world, _ *corev1.Secret) { delete(w.cluster.secrets, "agent") }, []string{"ghu_scoped2"}},
		"another token, by another process": {func(w *world, s *corev1.Secret) {
			l := w.ledgerIn(s)
			l.retireCurrent(w.clock.Now().Add(overlap))
			token := credential.NewAccessToken("ghu_others")
			app := github.App{Host: "github.com", ClientID: "Iv23liEXAMPLE", ClientSecret: credential.NewClientSecret(w.secret)}
			l.Current = &entry{Token: token.Fingerprint(), Parent: w.pairs.pair.State.AccessToken, Scope: nameOf(readOne().Scope), App: app.Key(), Proof: proofOf(app, "uid", token.Fingerprint()), IssuedAt: w.clock.Now()}
			s.Annotations[v1alpha1.AnnotationScopedTokens] = l.text()
			s.Data[v1alpha1.KeyScopedTokens] = append([]byte("ghu_others\n"), s.Data[v1alpha1.KeyScopedTokens]...)
			w.hub.alive["ghu_others"] = true
		}, []string{"ghu_others", "ghu_scoped1"}}, // The one of this process has ended at once.
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, named("agent"))
			w.publish()
			w.clock.Mono += 2 * time.Minute
			w.exchange("ghu_second")
			w.hub.on = func() {
				w.hub.on = nil
				secret := w.cluster.secrets["agent"].DeepCopy()
				c.meanwhile(w, secret)
				if w.cluster.secrets["agent"] != nil {
					w.cluster.keep(secret)
				}
			}
			w.publish()
			token, all := w.held("agent")
			if token != c.want[0] || !slices.Equal(all, c.want) || len(w.hub.alive) != 2 {
				t.Errorf("it holds %s of %v, and %d are alive", token, all, len(w.hub.alive))
			}
			w.clock.Mono += 2 * overlap
			w.settled()
			token, all = w.held("agent")
			if want := []string{token}; !slices.Equal(all, want) || !w.hub.alive[token] {
				t.Errorf("at rest it holds %s of %v", token, all)
			}
		})
	}
}

// ledgerIn is what a Secret says of its tokens.
func (w *world) ledgerIn(secret *corev1.Secret) ledger {
	w.t.Helper()
	l, err := ledgerOf(&secret.ObjectMeta)
	if err != nil {
		w.t.Fatal(err)
	}
	return l
}

func TestScopedTokensOfAResourceAreBounded(t *testing.T) {
	w := newWorld(t, named("one"), named("two"), named("three"), named("four"))
	w.publish()
	for n := range 40 {
		w.exchange(fmt.Sprint("ghu_user", n))
		w.hub.ask = slices.Repeat([]error{errGateway}, 100)
		w.publish()
		w.settled()
		if alive := len(w.hub.alive); alive > maxTokens {
			t.Fatalf("after %d rotations without answers %d tokens may be alive, want %d at most", n+1, alive, maxTokens)
		}
		w.clock.Mono += time.Second
	}
	found, _ := w.settled()
	if found == nil || found.Reason != v1alpha1.ReasonScopedTokenLost || found.RetryAt.IsZero() {
		t.Errorf("it is told %+v", found)
	}
	w.hub.ask, w.hub.alive = nil, map[string]bool{}
	w.clock.Mono += lostMemory + time.Minute
	w.settled()
	for _, name := range []string{"one", "two", "three", "four"} {
		if token, _ := w.held(name); !w.hub.alive[token] {
			t.Errorf("%s has no token that works after an hour", name)
		}
	}
}

// Who has the token exchanged again and again within the overlap gets a token each time.
func TestScopedTokenGoesBeforeTheOverlapOfFormerOnes(t *testing.T) {
	w := newWorld(t, named("agent"))
	for n := range 3 * maxTokens {
		w.clock.Mono += 2 * time.Second
		w.exchange(fmt.Sprint("ghu_user", n))
		w.pairs.pair.State.ExpiresAt = w.clock.Now().Add(2 * time.Minute) // More are made within the overlap than may be alive.
		w.publish()
		w.settled()
		token, all := w.held("agent")
		if want := fmt.Sprint("ghu_scoped", n+1); token != want || len(all) > maxTokens || len(w.hub.alive) > maxTokens {
			t.Fatalf("exchange %d: it holds %s of %d, and %d are alive", n, token, len(all), len(w.hub.alive))
		}
	}
}

func TestScopedProblemsNameTheOutputAndSayWhoMustAct(t *testing.T) {
	for name, c := range map[string]struct {
		happens func(*world)
		reason  string
		stalled bool
		says    []string
	}{
		"not granted": {func(w *world) { w.hub.ask = []error{errDenied} }, v1alpha1.ReasonScopeNotGranted, true,
			[]string{`"agent"`, "contents: read for hello-world of octo-org", "installed on octo-org"}},
		"a wrong client secret": {func(w *world) { w.hub.ask = []error{errSecret} }, v1alpha1.ReasonScopedTokenNotMade, false, []string{`"agent"`, "client secret"}},
		"no client secret":      {func(w *world) { w.secret = "" }, v1alpha1.ReasonScopedTokenNotMade, true, []string{`"agent"`, "client secret"}},
		"a client secret that is amiss": {func(w *world) {
			w.lacking = &problem.Problem{Reason: v1alpha1.ReasonClientSecretMissing, Stalled: true, OfApp: true, Message: "Secret \"github-app\" has no key."}
		}, v1alpha1.ReasonScopedTokenNotMade, true, []string{`"agent"`, `"github-app"`}},
		"an outage":           {func(w *world) { w.hub.ask = []error{errGateway} }, v1alpha1.ReasonScopedTokenNotMade, false, []string{`"agent"`, "did not arrive"}},
		"a host that is away": {func(w *world) { w.hub.ask = []error{errDown} }, v1alpha1.ReasonScopedTokenNotMade, false, []string{`"agent"`, "cannot be reached"}},
		"a host without the API": {func(w *world) {
			w.hub.ask = []error{&github.Error{Class: github.Misconfigured, Reason: github.NotSupported, Host: "ghe.example.com", Status: 404}}
		}, v1alpha1.ReasonScopedTokenNotMade, true, []string{`"agent"`, "ghe.example.com"}},
		"an OAuth App": {func(w *world) { w.exchange("gho_token") }, v1alpha1.ReasonOutputInvalid, true, []string{`"agent"`, "OAuth App"}},
		"somebody else's Secret": {func(w *world) {
			w.cluster.keep(&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "team-a", Name: "agent"}})
		}, v1alpha1.ReasonOutputNotOwned, true, []string{`"agent"`}},
		"a later version's": {func(w *world) {
			w.publish()
			w.cluster.edit("agent", func(s *corev1.Secret) { s.Annotations[v1alpha1.AnnotationScopedTokens] = `{"format":2}` })
		}, v1alpha1.ReasonScopedTokenNotMade, true, []string{`"agent"`, "newer version"}},
		"an App that may not be used": {func(w *world) {
			w.app.Problem = &problem.Problem{Reason: v1alpha1.ReasonAppNotUsable, Stalled: true, Message: "The App is not usable here."}
		}, v1alpha1.ReasonScopedTokenNotMade, true, []string{`"agent"`, "not usable"}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, named("agent"))
			c.happens(w)
			found, at := w.settled()
			if found == nil || found.Reason != c.reason || found.Stalled != c.stalled || !found.Aside {
				t.Fatalf("got %+v", found)
			}
			for _, words := range append(c.says, "The user's own token is refreshed") {
				if name == "somebody else's Secret" && strings.HasPrefix(words, "The user's") {
					continue
				}
				if !strings.Contains(found.Message, words) {
					t.Errorf("it does not say %q: %s", words, found.Message)
				}
			}
			if strings.Contains(found.Message, "ghu_") || strings.Contains(found.Message, "client secret\x00") {
				t.Errorf("it tells a secret: %s", found.Message)
			}
			if at.IsZero() {
				t.Error("it is not tried again")
			}
		})
	}
}

// What is wrong with an App of somebody else is told to its administrators only.
func TestScopedProblemsOfASharedAppAreVeiled(t *testing.T) {
	w := newWorld(t, named("agent"))
	w.app.Veiled, w.hub.ask = true, []error{errSecret}
	found, _ := w.settled()
	if found == nil || found.Reason != v1alpha1.ReasonScopedTokenNotMade || strings.Contains(found.Message, "client") || !strings.Contains(found.Message, scope.AppNotUsable[:20]) {
		t.Errorf("got %+v", found)
	}
}

func TestScopedTokenThatCannotBeEndedIsKeptAndTriedAgain(t *testing.T) {
	w := newWorld(t, named("agent"))
	w.publish()
	w.clock.Mono += time.Hour
	w.exchange("ghu_second")
	w.publish()
	w.clock.Mono += overlap
	w.hub.revoke = slices.Repeat([]error{errGateway}, 6)
	var told *problem.Problem
	for range 200 {
		found, at := w.settled()
		if found != nil {
			told = found
		}
		if _, all := w.held("agent"); len(w.hub.revoke) > 0 && !slices.Contains(all, "ghu_scoped1") {
			t.Fatal("it is forgotten before it has ended")
		}
		if at.IsZero() {
			break
		}
		w.clock.Mono += max(at.Sub(w.clock.Now()), time.Second)
	}
	if told == nil || told.Reason != v1alpha1.ReasonScopedTokenNotRevoked || !strings.Contains(told.Message, `"agent"`) || !told.Aside {
		t.Errorf("it is told %+v", told)
	}
	if w.hub.alive["ghu_scoped1"] || !w.hub.alive["ghu_scoped2"] {
		t.Error("the token before is alive, or the current one is not")
	}
	if found, _ := w.settled(); found != nil {
		t.Errorf("it is told still: %+v", found)
	}
}

func TestScopedTokenThatGitHubDoesNotKnowHasEnded(t *testing.T) {
	w := newWorld(t, named("agent"))
	w.publish()
	w.hub.alive = map[string]bool{} // It ended with the user's token.
	w.exchange("ghu_second")
	w.publish()
	w.clock.Mono += overlap
	w.settled()
	if _, all := w.held("agent"); len(all) != 1 {
		t.Errorf("%d tokens are kept", len(all))
	}
}

// One that is seconds old may be unknown to GitHub and yet alive.
func TestScopedYoungTokenThatGitHubDoesNotKnowIsAskedAboutAgain(t *testing.T) {
	w := newWorld(t, named("agent"))
	w.publish()
	w.hub.revoke = []error{errUnknown}
	w.token.Spec.Outputs = nil
	w.settled()
	if w.cluster.get("agent") == nil {
		t.Fatal("the Secret of a token that may be alive was removed")
	}
	w.clock.Mono += youngToken
	w.settled()
	if w.cluster.get("agent") != nil || len(w.hub.alive) != 0 {
		t.Error("the Secret, or its token, is there still")
	}
}

func TestScopedTokenThatExpiredLongAgoNeedsNoEnd(t *testing.T) {
	w := newWorld(t, named("agent"))
	w.hub.lifetime = time.Hour
	w.publish()
	w.clock.Mono += time.Minute
	w.exchange("ghu_second")
	w.publish()
	w.clock.Mono += 3 * time.Hour
	w.hub.revoke = slices.Repeat([]error{errSecret}, 10)
	w.settled()
	if _, all := w.held("agent"); slices.Contains(all, "ghu_scoped1") {
		t.Error("it is kept")
	}
}

// A token without a proof is not ended: it may be anybody's.
func TestScopedTokenWithoutAProofIsNotEnded(t *testing.T) {
	w := newWorld(t, named("agent"))
	w.publish()
	w.clock.Mono += time.Hour
	w.exchange("ghu_second")
	w.publish()
	w.secret = "another client secret"
	w.clock.Mono += overlap
	w.settled()
	if len(w.hub.revoked) != 0 {
		t.Errorf("%v were ended", w.hub.revoked)
	}
	if _, all := w.held("agent"); len(all) != 1 {
		t.Errorf("%d tokens are kept", len(all))
	}
	if told := strings.Join(w.events.told, "\n"); !strings.Contains(told, EventScopedTokenNotRevoked) || !strings.Contains(told, `"agent"`) {
		t.Errorf("told: %s", told)
	}
}

func TestScopedOutputsGoWithTheirResource(t *testing.T) {
	for name, c := range map[string]struct {
		revoke []error
		wait   time.Duration
		alive  int
	}{
		"late, by a clock that is ahead": {nil, -deletionTime, 0},
		"at once":                        {nil, 0, 0},
		"after a while":                  {slices.Repeat([]error{errGateway}, 3), time.Minute, 0},
		"unless too late":                {slices.Repeat([]error{errGateway}, 1000), deletionTime, 2},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, named("one"), named("two"))
			w.publish()
			w.clock.Mono += time.Hour
			w.token.DeletionTimestamp = &metav1.Time{Time: w.clock.Now().Add(min(0, c.wait))}
			w.hub.revoke = c.revoke
			began := w.clock.Mono
			for range 500 {
				again, err := w.Remove(t.Context(), w.token)
				if err != nil {
					t.Fatal(err)
				}
				if again == 0 {
					break
				}
				if w.queue.Len() > 0 {
					w.queue.Run()
				} else {
					w.clock.Mono += again
				}
			}
			if took := w.clock.Mono - began; took > max(0, c.wait)+time.Second {
				t.Errorf("it took %s", took)
			}
			if len(w.cluster.secrets) != 0 || len(w.hub.alive) != c.alive {
				t.Errorf("%d Secrets are left, and %d tokens, want %d", len(w.cluster.secrets), len(w.hub.alive), c.alive)
			}
			if told := len(w.events.told); (told > 0) != (c.alive > 0) {
				t.Errorf("told: %v", w.events.told)
			}
		})
	}
}

func TestScopedOutputWhoseScopeIsTakenOffHoldsTheUsersToken(t *testing.T) {
	w := newWorld(t, named("agent"))
	w.publish()
	w.clock.Mono += time.Hour
	w.token.Spec.Outputs[0].Scope, w.token.Generation = nil, 2
	w.settled()
	if token, all := w.held("agent"); token != "ghu_first" || !slices.Equal(all, []string{"ghu_scoped1"}) {
		t.Fatalf("it holds %s of %v", token, all)
	}
	w.exchange("ghu_second") // Its readers do not wait for the end of the scoped one.
	w.publish()
	w.settled()
	if token, _ := w.held("agent"); token != "ghu_second" {
		t.Fatalf("it holds %s", token)
	}
	w.clock.Mono += overlap
	w.settled()
	secret := w.cluster.get("agent")
	if _, all := w.held("agent"); len(all) != 0 || secret.Annotations[v1alpha1.AnnotationScopedTokens] != "" || len(w.hub.alive) != 0 {
		t.Errorf("%d scoped tokens are kept, and %d alive", len(all), len(w.hub.alive))
	}
}

// Who has no turn waits, and nothing is noted or counted.
func TestScopedOutputThatHasNoTurnWaits(t *testing.T) {
	w := newWorld(t, named("agent"))
	w.publish()
	w.exchange("ghu_second")
	w.options.Asking = noTurn{w.hub, w.clock.Now().Add(time.Minute)}
	w.publish()
	found, at := w.settled()
	if found == nil || found.Reason != v1alpha1.ReasonScopedTokenNotMade || at.Before(w.clock.Now().Add(59*time.Second)) {
		t.Errorf("it is told %+v, again at %s", found, at)
	}
	if l := w.ledger("agent"); !l.Asked.IsZero() || len(l.Lost) != 0 || w.hub.made != 1 {
		t.Errorf("noted: %+v", l)
	}
}

type noTurn struct {
	*hub

	until time.Time
}

func (n noTurn) WithSecret(restlimit.Caller, github.App, func() error) error {
	return &restlimit.WaitingError{Host: "github.com", Until: n.until}
}

func TestScopedFreshUsersTokenIsAskedAboutAgainAtOnce(t *testing.T) {
	w := newWorld(t, named("agent"))
	w.hub.ask = []error{errUnknown, errUnknown, errUnknown}
	w.publish()
	if token, _ := w.held("agent"); token != "ghu_scoped1" || w.clock.Mono > 3*time.Second {
		t.Errorf("after %s it holds %q", w.clock.Mono, token)
	}
	w = newWorld(t, named("agent"))
	w.clock.Mono += time.Hour // An old one that GitHub does not know is dead.
	w.hub.ask = []error{errUnknown}
	w.publish()
	if len(w.hub.asked) != 1 {
		t.Errorf("asked %d times", len(w.hub.asked))
	}
}

func TestScopedPanicIsThatOfOneOutput(t *testing.T) {
	w := newWorld(t, named("bad"), named("good"))
	panics := 0
	w.options.OnPanic = func(types.UID) { panics++ }
	w.cluster.before = func(_, name string) error {
		if name == "bad" {
			panic("in the middle of a write")
		}
		return nil
	}
	w.publish()
	if token, _ := w.held("good"); token == "" || panics != 1 {
		t.Errorf("%d panics, and the other output holds %q", panics, token)
	}
}

// The pair is another resource's, or gone: nothing is asked, and nothing that was not made here is looked at.
func TestScopedOutputsWithoutAPairAreLeft(t *testing.T) {
	for name, pair := range map[string]*rotation.Pair{
		"gone": nil, "another's": {Ref: rotation.Ref{Namespace: "team-a", Name: "octocat"}, Controlled: true, State: rotation.State{Owner: "another", AccessToken: "x", App: app}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, named("agent"))
			w.publish()
			w.pairs.pair = pair
			w.settled()
			if token, _ := w.held("agent"); token != "ghu_scoped1" || w.hub.made != 1 {
				t.Errorf("it holds %s, and %d were made", token, w.hub.made)
			}
		})
	}
}
