package lifecycle

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/retry"
	"github.com/githubusertoken/github-user-token-operator/controllers/scope"
	"github.com/githubusertoken/github-user-token-operator/internal/problem"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation/origin"
)

// Another manager has just put the pair back under a name that the spec does not ask for any more, and the cache does
// not show it yet.
func TestAPairUnderAFormerNameThatTheCacheDoesNotShowIsRetained(t *testing.T) {
	former := rotation.Ref{Namespace: owner.Namespace, Name: "former"}
	for name, c := range map[string]struct {
		policy   v1alpha1.DeletionPolicy
		retained []rotation.Ref
		released bool
	}{
		"it is retained": {policy: v1alpha1.DeletionPolicyRetain, retained: []rotation.Ref{former}, released: true},
		"it is not looked for when it is not to be retained": {policy: v1alpha1.DeletionPolicyDelete, released: true},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.secrets[former] = pairAt("1", func(p *rotation.Pair) { p.Ref = former })
			token := &v1alpha1.GitHubUserToken{
				ObjectMeta: metav1.ObjectMeta{
					Namespace: owner.Namespace, Name: owner.Name, UID: uid, DeletionTimestamp: new(metav1.NewTime(start)), Finalizers: []string{v1alpha1.Finalizer},
				},
				Spec: v1alpha1.GitHubUserTokenSpec{DeletionPolicy: c.policy, Secret: v1alpha1.SecretTemplate{Name: "wanted"}},
			}
			w.resource = token
			if again, err := w.finalizer.finalize(t.Context(), token); again != 0 || err != nil {
				t.Errorf("again after %s, %v", again, err)
			}
			if !slices.Equal(w.retained, c.retained) || w.released != c.released {
				t.Errorf("%v were retained, and the resource was released: %t", w.retained, w.released)
			}
		})
	}
}

// The cache shows a resource for a while after it was let go. Somebody who restores its Secrets meanwhile keeps them.
func TestAResourceIsLetGoOnce(t *testing.T) {
	w := newWorld(t)
	w.secrets[inPlace] = pairAt("1")
	token := deleted(v1alpha1.DeletionPolicyDelete)
	w.resource = token
	w.finalizeOnce(t, token)
	if w.secrets[inPlace] != nil || !w.released {
		t.Fatalf("the Secret is there: %+v, or the resource was not released: %t", w.secrets[inPlace], w.released)
	}
	w.secrets[inPlace] = pairAt("7", func(p *rotation.Pair) { p.Controlled, p.Orphan = false, true })
	w.finalizeOnce(t, token)
	if w.secrets[inPlace] == nil {
		t.Error("the restored Secret was removed")
	}
}

// Whatever keeps a resource from being released is told: nobody looks into the log of the operator to learn why a namespace
// is stuck.
func TestFinalizerTellsWhyAResourceIsNotReleased(t *testing.T) {
	denied := fmt.Errorf("%w: exceeded quota: secrets", rotation.ErrDenied)
	for name, refuse := range map[string]func(*world){
		"the Secret may not be removed":               func(w *world) { w.fails = denied },
		"the resource's finalizer may not be removed": func(w *world) { w.releaseFails = denied },
	} {
		t.Run(name, func(t *testing.T) {
			w, token := newRetained(t)
			token.Spec.DeletionPolicy = v1alpha1.DeletionPolicyDelete
			refuse(w)
			for range 10 {
				wait := w.finalizeOnce(t, token)
				if wait <= 0 || wait > retry.RefusedMax {
					t.Fatalf("again after %s", wait)
				}
				w.clock.pass(wait)
			}
			if len(w.reported) < 10 || w.reported[0] == nil || !strings.Contains(w.reported[0].Message, "exceeded quota: secrets") {
				t.Errorf("said is %+v", w.reported)
			}
			w.fails, w.releaseFails = nil, nil
			if wait := w.finalizeOnce(t, token); wait != 0 || !w.released {
				t.Errorf("again after %s, released: %t", wait, w.released)
			}
		})
	}
}

// Once it is released nothing is left to do but to say so, again and again if need be: others may hold the resource for long. What
// its status was is remembered until it is gone, for somebody else may write that.
func TestFinalizerSaysOfAReleasedResourceThatItIsReleased(t *testing.T) {
	for name, released := range map[string]func(*world, *v1alpha1.GitHubUserToken){
		"by this process": func(w *world, token *v1alpha1.GitHubUserToken) { w.finalizeOnce(t, token) },
		"by this process, and the cache shows its Secret still": func(w *world, token *v1alpha1.GitHubUserToken) {
			shown := w.secrets[inPlace].Clone()
			w.finalizeOnce(t, token)
			w.secrets[inPlace] = shown
		},
		"by one before it, with its pair":         func(w *world, _ *v1alpha1.GitHubUserToken) { delete(w.secrets, inPlace) },
		"by one before it, which has retained it": func(w *world, _ *v1alpha1.GitHubUserToken) { w.secrets[inPlace] = w.secrets[inPlace].AsRetained() },
	} {
		t.Run(name, func(t *testing.T) {
			w, token := newRetained(t)
			released(w, token)
			token.Finalizers = []string{"example.com/mine"}
			said, again := 0, time.Minute
			w.finalizer.reporter = releasedReporter{slowReporter{func() { t.Error("something else is said of it") }}, func() { said++ }, again}
			w.released, w.retained = false, nil
			for range 2 {
				if wait, err := w.Reconcile(t.Context(), token); wait != again || err != nil {
					t.Fatalf("again after %s, %v", wait, err)
				}
			}
			if said != 2 || w.released || len(w.retained) > 0 || w.memory.Len() != 1 {
				t.Errorf("it was said %d times; released: %v, retained: %v, and %d resources are remembered", said, w.released, w.retained, w.memory.Len())
			}
		})
	}
}

// releasedReporter says of resources that they are released.
type releasedReporter struct {
	slowReporter

	say   func()
	again time.Duration
}

func (r releasedReporter) ReportReleased(context.Context, *v1alpha1.GitHubUserToken) (time.Duration, error) {
	r.say()
	return r.again, nil
}

// Somebody has taken our finalizer off, and the pair is there: nobody carries out the policy, and a person is told what becomes of it.
func TestFinalizerSaysThatItWasTakenOff(t *testing.T) {
	for policy, want := range map[v1alpha1.DeletionPolicy]string{
		v1alpha1.DeletionPolicyRetain: "copy it", v1alpha1.DeletionPolicyRevoke: "revoke the App's authorization", v1alpha1.DeletionPolicyDelete: "is deleted with the resource",
	} {
		t.Run(string(policy), func(t *testing.T) {
			w, token := newRetained(t)
			token.Spec.DeletionPolicy, token.Finalizers = policy, []string{"example.com/mine"}
			w.secrets[inPlace].State.ExpiresAt = w.clock.Now().Add(time.Hour)
			for range 2 {
				wait, err := w.Reconcile(t.Context(), token)
				if err != nil || wait < time.Minute || wait > time.Hour+time.Second {
					t.Fatalf("again after %s, %v: its token expires in an hour", wait, err)
				}
			}
			if len(w.reported) != 2 || w.reported[1] == nil || !w.reported[1].Stalled || w.reported[1].Reason != v1alpha1.ReasonContested {
				t.Fatalf("said is %+v", w.reported)
			}
			for _, part := range []string{"finalizer", inPlace.Name, want} {
				if !strings.Contains(w.reported[1].Message, part) {
					t.Errorf("it says %q, and nothing of %q", w.reported[1].Message, part)
				}
			}
			if w.secrets[inPlace] == nil || w.released || len(w.retained) > 0 || len(w.removed) > 0 {
				t.Error("something was done with the pair")
			}
		})
	}
}

// To tell of it may take longer than the wait for the next try. No event would bring the resource back.
func TestFinalizerComesBackWhenItsWaitHasPassedMeanwhile(t *testing.T) {
	w, token := newRetained(t)
	w.updateFails = rotation.ErrDenied
	w.finalizer.reporter = slowReporter{func() { w.clock.pass(time.Hour) }}
	for range 5 {
		if again, err := w.finalizer.finalize(t.Context(), token); err != nil || again <= 0 {
			t.Fatalf("again after %s, %v", again, err)
		}
		w.clock.pass(time.Minute)
	}
}

// slowReporter takes its time.
type slowReporter struct{ meanwhile func() }

func (r slowReporter) Report(context.Context, *scope.Scope, rotation.Decision, Result) (time.Time, error) {
	r.meanwhile()
	return time.Time{}, nil
}

func (r slowReporter) ReportUnknown(context.Context, *v1alpha1.GitHubUserToken, *problem.Problem) error {
	r.meanwhile()
	return nil
}

func (r slowReporter) ReportReleased(context.Context, *v1alpha1.GitHubUserToken) (time.Duration, error) {
	r.meanwhile()
	return 0, nil
}

func (slowReporter) RemoveOutputs(context.Context, *v1alpha1.GitHubUserToken) (time.Duration, error) {
	return 0, nil
}

// The pair was deleted, and cannot be put back while somebody else's Secret stands where the operator keeps the copy.
func TestFinalizerNamesTheForeignSecretInThePlaceOfTheBackup(t *testing.T) {
	w, token := newRetained(t)
	w.secrets[inPlace].Deleting = true
	foreign := &rotation.Pair{Ref: owner.BackupRef(), UID: "foreign", Version: "3"}
	w.secrets[foreign.Ref] = foreign
	var said *problem.Problem
	w.finalizer.reporter = slowReporter{func() { w.notes.Peek(token.UID, func(m *note) { said = &m.held.problem }) }}
	for range quietFailures + 2 {
		if _, err := w.finalizer.finalize(t.Context(), token); err != nil && said != nil {
			t.Fatal(err)
		}
		w.clock.pass(time.Minute)
	}
	if said == nil || said.Reason != v1alpha1.ReasonSecretNotOwned || !strings.Contains(said.Message, foreign.Ref.Name) || w.released {
		t.Errorf("said is %+v, released: %t", said, w.released)
	}
}

// What was sent under an intent is known as long as the resource is there, or its outcome would pass for known.
func TestFinalizerThatWasTakenOffLeavesKnownWhatWasSent(t *testing.T) {
	w, token := newRetained(t)
	token.Finalizers = []string{"example.com/mine"}
	rotator, of := w.pairs.rotator, scope.OwnerOf(token)
	orphan := w.secrets[inPlace].Clone()
	orphan.Intent = &rotation.Intent{ID: "1", Holder: rotator.Me, Spends: orphan.State.RefreshToken}
	w.secrets[inPlace] = orphan.Clone()
	if _, err := rotator.Adopt(t.Context(), of, orphan); err != nil { // It takes the intent for one under which something was sent.
		t.Fatal(err)
	}
	for range 2 {
		if _, err := w.Reconcile(t.Context(), token); err != nil {
			t.Fatal(err)
		}
		if rotator.IsUntouched(of, orphan.Intent) {
			t.Fatal("nothing is said to have been sent")
		}
	}
	if w.registry.Forget(token.UID); !rotator.IsUntouched(of, orphan.Intent) {
		t.Error("it is remembered of a resource that is gone")
	}
}

// The cache does not show yet that the end of the login was asked for.
func TestFinalizerReleasesNoLoginThatIsToEnd(t *testing.T) {
	for name, policy := range map[string]v1alpha1.DeletionPolicy{"removed": v1alpha1.DeletionPolicyDelete, "retained": v1alpha1.DeletionPolicyRetain} {
		t.Run(name, func(t *testing.T) {
			w, token := newRetained(t)
			token.Spec.DeletionPolicy = policy
			asked := (origin.Login{First: "first"}).Asked(start)
			w.secrets[inPlace].State.Login = asked
			if err := w.finalizer.releaseSecret(t.Context(), token, inPlace, policy == v1alpha1.DeletionPolicyRetain); err == nil || len(w.removed)+len(w.retained) > 0 {
				t.Errorf("it was released: %v, %v, %v", err, w.removed, w.retained)
			}
			w.secrets[inPlace].State.Login = asked.Ended("access", "refresh", true)
			if err := w.finalizer.releaseSecret(t.Context(), token, inPlace, policy == v1alpha1.DeletionPolicyRetain); err != nil || len(w.removed)+len(w.retained) != 1 {
				t.Errorf("after its end it was not released: %v, %v, %v", err, w.removed, w.retained)
			}
		})
	}
}
