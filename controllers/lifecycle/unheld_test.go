package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/leftovers"
	"github.com/githubusertoken/github-user-token-operator/controllers/scope"
	"github.com/githubusertoken/github-user-token-operator/controllers/seeds"
	"github.com/githubusertoken/github-user-token-operator/internal/problem"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// refusing is an API server that refuses what it is told to.
type refusing struct {
	*told

	finalizer, secret error
	unheld, unswept   *problem.Problem
	unknown           *problem.Problem
}

func (r *refusing) AddFinalizer(_ context.Context, token *v1alpha1.GitHubUserToken) (*v1alpha1.GitHubUserToken, error) {
	return token, r.finalizer
}

func (r *refusing) ReadSecret(context.Context, types.NamespacedName) (*seeds.Secret, error) {
	return nil, r.secret
}

func (r *refusing) Metadata(ctx context.Context, ref rotation.Ref) (*rotation.Pair, error) {
	if r.secret != nil {
		return nil, r.secret
	}
	return r.told.Metadata(ctx, ref)
}

func (r *refusing) Report(ctx context.Context, s *scope.Scope, decision rotation.Decision, result Result) (time.Time, error) {
	r.unheld, r.unswept = s.Unheld, s.Unswept
	if result.Problem == nil && s.Seed.Unread != nil {
		result.Problem = s.Seed.Problem
	}
	return r.told.Report(ctx, s, decision, result)
}

func (r *refusing) ReportUnknown(_ context.Context, _ *v1alpha1.GitHubUserToken, p *problem.Problem) error {
	r.unknown = p
	return nil
}

func newRefusing(t *testing.T) (*world, *refusing) {
	t.Helper()
	w, told, _ := newTold(t)
	r := &refusing{told: told}
	w.api, w.reporter = r, r
	w.observer.metadata = r
	w.observer.seeds = seeds.NewReader(seeds.ReaderOptions{Source: r, Versions: unknownVersions{}})
	w.observer.versions = unknownVersions{}
	return w, r
}

// unknownVersions knows of no Secret.
type unknownVersions struct{ seeds.Versions }

func (unknownVersions) Version(types.NamespacedName) (string, bool) { return "", false }
func (unknownVersions) Learn(types.NamespacedName, string)          {}

var errWebhook = errors.New(`admission webhook "policy.example.com" denied the request: not today`)

func TestFinalizerThatIsRefusedStopsNoRefresh(t *testing.T) {
	w, r := newRefusing(t)
	token := tokenOf(uid)
	token.Finalizers = nil
	r.finalizer = errWebhook
	again, err := w.Reconcile(t.Context(), token)
	if err != nil || again <= 0 || again > unheldPause+time.Second {
		t.Errorf("again after %s, %v", again, err)
	}
	if r.unheld == nil || !r.unheld.Aside || !strings.Contains(r.unheld.Message, "not today") {
		t.Errorf("said is %+v", r.unheld)
	}
	r.finalizer = fmt.Errorf("write: %w", rotation.ErrConflict)
	r.unheld = nil
	if _, err := w.Reconcile(t.Context(), token); !errors.Is(err, rotation.ErrConflict) || r.unheld != nil {
		t.Errorf("somebody has just changed it, and %v, %+v", err, r.unheld)
	}
}

func TestSeedThatCannotBeReadIsToldAndTheChainGoesOn(t *testing.T) {
	w, r := newRefusing(t)
	token := tokenOf(uid)
	token.Spec.RefreshTokenRef = &v1alpha1.RefreshTokenReference{Name: "seed", Key: "refresh_token"}
	r.secret = errWebhook
	if _, err := w.Reconcile(t.Context(), token); !errors.Is(err, errWebhook) {
		t.Errorf("it is not tried again: %v", err)
	}
	if r.last.Problem == nil || !strings.Contains(r.last.Problem.Message, "not today") || r.unknown != nil {
		t.Errorf("said is %+v, and unknown %+v", r.last.Problem, r.unknown)
	}
}

func TestSeedPaceIsToldAndKeptTo(t *testing.T) {
	w, r := newRefusing(t)
	token := tokenOf(uid)
	token.Spec.RefreshTokenRef = &v1alpha1.RefreshTokenReference{Name: "seed", Key: "refresh_token"}
	paced := &seeds.PacedError{RetryIn: 3 * time.Second}
	r.secret = paced
	for _, want := range []time.Duration{3 * time.Second, 6 * time.Second, 12 * time.Second, 24 * time.Second, 30 * time.Second} {
		if again, err := w.Reconcile(t.Context(), token); err != nil || again.Round(time.Second) != want {
			t.Errorf("again after %s (%v), want %s", again, err, want)
		}
	}
	if p := r.last.Problem; p == nil || p.Reason != v1alpha1.ReasonSecretReadsLimited || !strings.Contains(p.Message, "a megabyte a second") {
		t.Errorf("said is %+v", p)
	}
	r.secret = errWebhook
	if _, err := w.Reconcile(t.Context(), token); !errors.Is(err, errWebhook) || r.last.Problem.Reason != v1alpha1.ReasonAPIServerUnavailable {
		t.Errorf("said is %+v, after %v", r.last.Problem, err)
	}
	s := &scope.Scope{Token: token, Now: w.clock.Now()}
	if p := w.notes.failed(s, fmt.Errorf("read the client secret: %w", paced), "Nothing was exchanged").Problem; p.Reason != v1alpha1.ReasonSecretReadsLimited || p.RetryAt.Sub(s.Now) != paced.RetryIn {
		t.Errorf("said is %+v, at %s", p, s.Now)
	}
	s.App.Veiled = true
	token.Generation++
	if p := w.notes.failedOfApp(s, paced, "Nothing was exchanged").Problem; p.Reason != v1alpha1.ReasonAppNotUsable || p.RetryAt.Sub(s.Now) != paced.RetryIn {
		t.Errorf("of an App of somebody else's is said %+v, at %s", p, s.Now)
	}
}

func TestResourceOfWhichNothingCanBeFoundOutIsTold(t *testing.T) {
	w, r := newRefusing(t)
	clear(w.secrets)
	r.secret = errWebhook
	if _, err := w.Reconcile(t.Context(), tokenOf(uid)); !errors.Is(err, errWebhook) {
		t.Errorf("it is not tried again: %v", err)
	}
	if r.unknown == nil || !strings.Contains(r.unknown.Message, "not today") {
		t.Errorf("said is %+v", r.unknown)
	}
}

func TestCodeThatCannotBeRemovedIsTold(t *testing.T) {
	for name, c := range map[string]struct {
		err       error
		transient bool
	}{
		"refused":     {fmt.Errorf("%w: %w", rotation.ErrDenied, errWebhook), false},
		"not reached": {errors.New("connection refused"), true},
	} {
		t.Run(name, func(t *testing.T) {
			w, r := newRefusing(t)
			w.cluster.codes, w.fails = []leftovers.Code{{Ref: owner.CodeRef("old")}}, c.err
			if again, err := w.Reconcile(t.Context(), tokenOf(uid)); err != nil || again <= 0 || again > sweepPause+time.Second {
				t.Errorf("again after %s (%v)", again, err)
			}
			if p := r.unswept; p == nil || !p.Aside || p.Transient != c.transient || !strings.Contains(p.Message, c.err.Error()) {
				t.Errorf("told was %+v", p)
			}
		})
	}
}
