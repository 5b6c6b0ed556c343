package controllers

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/types"
	logf "sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/github"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// proveTimeout bounds the question to GitHub.
const proveTimeout = 20 * time.Second

// proofs are GitHub's answers about pairs that were restored from a backup.
type proofs struct {
	mu    sync.Mutex
	byUID map[types.UID]proof
}

// proof is an answer about one access token.
type proof struct {
	token credential.Fingerprint
	found rotation.Proof
}

func newProofs() *proofs { return &proofs{byUID: map[types.UID]proof{}} }

// of is what is known of a pair.
func (p *proofs) of(uid types.UID, pair *rotation.Pair) rotation.Proof {
	p.mu.Lock()
	defer p.mu.Unlock()
	if known := p.byUID[uid]; pair != nil && known.token == pair.State.AccessToken {
		return known.found
	}
	return rotation.ProofNone
}

func (p *proofs) put(uid types.UID, token credential.Fingerprint, found rotation.Proof) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.byUID[uid] = proof{token, found}
}

func (p *proofs) forget(uid types.UID) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.byUID, uid)
}

// isVouched says whether a person has given their word for a restored pair.
func isVouched(token *v1alpha1.GitHubUserToken) bool {
	word := token.Annotations[v1alpha1.AnnotationAdopt]
	return word == "true" || (word != "" && word == string(token.UID))
}

// reclaim takes hold of a pair Secret that was restored from a backup.
func (r *Reconciler) reclaim(ctx context.Context, v *view) (*obstacle, error) {
	reclaimed, err := r.Rotator.Reclaim(ctx, v.owner, v.pair)
	switch {
	case err == nil:
		r.memories.remember(v.token.UID, reclaimed)
		logf.FromContext(ctx).Info("A pair Secret that was restored from elsewhere was taken hold of; its pair has to be proven")
		return nil, nil
	case errors.Is(err, rotation.ErrConflict), errors.Is(err, rotation.ErrNotFound), errors.Is(err, rotation.ErrExists):
		r.memories.doubt(v.token.UID)
		return &obstacle{reason: v1alpha1.ReasonExchanging, message: "The restored pair Secret is just being changed.", next: v.now.Add(200 * time.Millisecond)}, nil
	default:
		return nil, err
	}
}

// prove begins a flight that asks GitHub whether the access token of a restored pair is alive.
func (r *Reconciler) prove(ctx context.Context, v *view) (*obstacle, error) {
	if stop := r.checkHost(v); stop != nil {
		return stop, nil
	}
	app := appOf(v.token)
	secret, stop, err := r.seeds.clientSecret(ctx, v.token)
	if err != nil {
		return nil, err
	}
	if stop == nil {
		app.ClientSecret = secret // Without it the token itself is tried.
	}
	log, token, ref := logf.FromContext(ctx), v.token, v.ref
	if err := r.Flights.Start(token.UID, func() { r.askGitHub(log, token, ref, app) }); err != nil {
		return &obstacle{reason: v1alpha1.ReasonPairUnproven, message: "Waiting to ask GitHub about the restored pair.", next: v.now.Add(time.Second)}, nil
	}
	return nil, nil
}

// askGitHub is that flight.
func (r *Reconciler) askGitHub(log logr.Logger, token *v1alpha1.GitHubUserToken, ref rotation.Ref, app github.App) {
	ctx, cancel := context.WithTimeout(context.Background(), proveTimeout)
	defer cancel()
	requested := rotation.Job{RefreshRequestedAt: requestOf(token)}
	pair, err := r.Store.Get(ctx, ref)
	if err != nil {
		r.remember(token, token.Generation, requested, &failure{
			reason: v1alpha1.ReasonAPIServerUnavailable, message: "The restored pair could not be read: " + words(err) + ".",
		}, time.Second)
		return
	}
	found := rotation.ProofDead
	if !pair.AccessToken.IsZero() && pair.AccessToken.Fingerprint() == pair.State.AccessToken {
		alive, err := r.GitHub.CheckToken(ctx, app, pair.AccessToken)
		if err != nil {
			f := &failure{reason: v1alpha1.ReasonGitHubUnavailable, message: "GitHub could not be asked about the restored pair: " + words(err) + "."}
			var failed *github.Error
			if errors.As(err, &failed) {
				f.reason = reasonOf(failed)
			}
			r.remember(token, token.Generation, requested, f, backoffOf(rotation.Result{Err: err}))
			return
		}
		if alive {
			found = rotation.ProofAlive
		}
	}
	r.proofs.put(token.UID, pair.State.AccessToken, found)
	r.remember(token, token.Generation, requested, nil, 0)
	log.Info("GitHub was asked about the access token of a restored pair", "alive", found == rotation.ProofAlive)
}
