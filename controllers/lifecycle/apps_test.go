package lifecycle

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/apps"
	"github.com/githubusertoken/github-user-token-operator/controllers/scope"
	"github.com/githubusertoken/github-user-token-operator/internal/backoff"
	"github.com/githubusertoken/github-user-token-operator/internal/github"
	"github.com/githubusertoken/github-user-token-operator/internal/problem"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// resolving are Apps as a test says.
type resolving func(*v1alpha1.GitHubUserToken) (scope.App, error)

func (r resolving) App(_ context.Context, token *v1alpha1.GitHubUserToken) (scope.App, error) {
	return r(token)
}

// due makes the refresh of the pair due.
func (w *world) due() {
	w.secrets[inPlace].State.IssuedAt, w.secrets[inPlace].State.ExpiresAt = w.clock.Now().Add(-9*time.Hour), w.clock.Now().Add(-time.Hour)
}

func TestAppThatMayNotBeUsedStopsTheExchangeAndNothingElse(t *testing.T) {
	refused := &problem.Problem{Reason: v1alpha1.ReasonAppNotUsable, Message: scope.AppNotUsable, Stalled: true}
	for name, app := range map[string]scope.App{
		"one that is named":     {App: github.App{Host: "github.com", ClientID: "Iv23li"}, Problem: refused},
		"one that is not known": {Problem: refused, Refused: true},
	} {
		t.Run(name, func(t *testing.T) {
			w, r, work := newTold(t)
			w.due()
			before := w.secrets[inPlace].Clone()
			w.observer.apps = resolving(func(*v1alpha1.GitHubUserToken) (scope.App, error) { return app, nil })
			if _, err := w.Reconcile(t.Context(), tokenOf(uid)); err != nil {
				t.Fatal(err)
			}
			if work.Len() != 0 || r.last.Problem == nil || *r.last.Problem != *refused {
				t.Errorf("%d works were begun, and said is %+v", work.Len(), r.last.Problem)
			}
			if now := w.secrets[inPlace]; now.Intent != nil || now.State.Verdict != nil || now.Version != before.Version {
				t.Error("the pair Secret was written")
			}
		})
	}
}

func TestAppThatCannotBeResolvedIsToldAndTriedAgain(t *testing.T) {
	w, r := newRefusing(t)
	w.due()
	errNotListed := errors.New("the API server has not listed its objects yet")
	w.observer.apps = resolving(func(*v1alpha1.GitHubUserToken) (scope.App, error) { return scope.App{}, errNotListed })
	if _, err := w.Reconcile(t.Context(), tokenOf(uid)); !errors.Is(err, errNotListed) {
		t.Errorf("it is not tried again: %v", err)
	}
	if r.unknown == nil || !strings.Contains(r.unknown.Message, "nothing is exchanged") || !strings.Contains(r.unknown.Message, "not listed") {
		t.Errorf("said is %+v", r.unknown)
	}
}

func TestAppOfSomebodyElseIsVeiledWhereverItsSecretIsMissing(t *testing.T) {
	veils := func(message string, stalled bool) bool {
		return message == scope.AppNotUsable && stalled || message == scope.AppNotUsableYet && !stalled
	}
	for veiled, want := range map[bool]string{true: scope.AppNotUsable, false: "not-there"} {
		w, r := newRefusing(t)
		w.exchanges.seeds = w.observer.seeds
		w.due()
		w.observer.apps = resolving(func(token *v1alpha1.GitHubUserToken) (scope.App, error) {
			app := scope.InlineApp(token)
			app.Veiled, app.Secret = veiled, &scope.SecretKey{Secret: types.NamespacedName{Namespace: "operator", Name: "not-there"}, Key: "k"}
			return app, nil
		})
		for range 2 { // It is missing, and then it cannot be read.
			if _, err := w.Reconcile(t.Context(), tokenOf(uid)); err != nil && !errors.Is(err, errWebhook) {
				t.Fatal(err)
			}
			if p := r.last.Problem; p == nil || r.secret == nil && !strings.Contains(p.Message, want) || veiled && !veils(p.Message, p.Stalled) {
				t.Errorf("veiled %v: said is %+v", veiled, p)
			}
			r.secret = errWebhook
		}
	}
}

// While it is not known which App a resource has, its chain is taken to be still of it: no login is asked for.
func TestAppThatIsNotKnownCallsNobody(t *testing.T) {
	w, r, _ := newTold(t)
	w.observer.apps = resolving(func(*v1alpha1.GitHubUserToken) (scope.App, error) {
		return scope.App{Problem: &problem.Problem{Reason: v1alpha1.ReasonAppNotUsable, Stalled: true}}, nil
	})
	if _, err := w.Reconcile(t.Context(), tokenOf(uid)); err != nil {
		t.Fatal(err)
	}
	if p := r.last.Problem; p != nil && p.Unauthorized {
		t.Errorf("said is %+v", p)
	}
	w.observer.apps = resolving(func(*v1alpha1.GitHubUserToken) (scope.App, error) {
		return scope.App{App: github.App{Host: "github.com", ClientID: "Iv23liANOTHER"}}, nil
	})
	if _, err := w.Reconcile(t.Context(), tokenOf(uid)); err != nil {
		t.Fatal(err)
	}
	if p := r.last.Problem; p == nil || p.Reason != v1alpha1.ReasonAppChanged {
		t.Errorf("of another client ID is said %+v", p)
	}
}

// What failed because of the App is tried again at once when something about it is another; what GitHub itself has to mend
// waits.
func TestAppThatHasChangedHealsWhatFailedBecauseOfIt(t *testing.T) {
	for reason, heals := range map[string]bool{v1alpha1.ReasonIncorrectClientCredentials: true, v1alpha1.ReasonRateLimited: false} {
		w := newWorld(t)
		token := tokenOf(uid)
		w.notes.fail(token, problem.Problem{Reason: reason}, backoff.Backoff{First: time.Minute, Max: time.Hour})
		w.AppChanged(token)
		failed := false
		w.notes.Peek(uid, func(m *note) { failed = m.failure != nil })
		if failed == heals || len(w.woken) != 1 {
			t.Errorf("%s: failed is %v, woken %v", reason, failed, w.woken)
		}
	}
}

// Nobody gets round the policy of an App by naming another one before the deletion, wherever the pair is.
func TestAppOfThePairForbidsADeletionPolicyAfterSpecAppWasChanged(t *testing.T) {
	const former = "Iv23liFORMER"
	elsewhere := rotation.Ref{Namespace: owner.Namespace, Name: "elsewhere"}
	for name, c := range map[string]struct {
		change    func(*rotation.Pair)
		forbidden bool
	}{
		"a pair in its place":                {func(*rotation.Pair) {}, true},
		"one under a former name":            {func(p *rotation.Pair) { p.Ref = elsewhere }, true},
		"one that lost its owner":            {func(p *rotation.Pair) { p.Controlled, p.Orphan, p.Owner = false, true, rotation.Owner{} }, true},
		"one of an App that forbids nothing": {func(p *rotation.Pair) { p.State.App = "github.com/Iv23liOTHER" }, false},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			pair := pairAt("1", func(p *rotation.Pair) {
				p.State.App, p.State.Owner, p.State.OwnerName = "github.com/"+former, string(uid), owner.Name
			}, c.change)
			w.secrets[pair.Ref] = pair
			events := &counted{}
			w.finalizer.deletions = apps.Deletions{Events: events, Resolver: resolving(func(token *v1alpha1.GitHubUserToken) (scope.App, error) {
				app := scope.InlineApp(token)
				if app.ClientID == former {
					app.Policies = []*v1alpha1.AppPolicy{{DeletionPolicies: []v1alpha1.DeletionPolicy{v1alpha1.DeletionPolicyDelete}}}
				}
				return app, nil
			})}
			token := deleted(v1alpha1.DeletionPolicyRetain)
			w.resource = token
			w.finalizeOnce(t, token)
			if retained := len(w.retained) > 0; retained == c.forbidden || !w.released || (events.n > 0) != c.forbidden {
				t.Errorf("retained: %v, released: %v, %d events", w.retained, w.released, events.n)
			}
			if removed := w.secrets[pair.Ref] == nil; removed != c.forbidden {
				t.Errorf("removed: %v", removed)
			}
		})
	}
}

// counted are the events of a test.
type counted struct{ n int }

func (c *counted) Eventf(_, _ runtime.Object, _, _, _, _ string, _ ...any) { c.n++ }
