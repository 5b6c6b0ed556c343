package lifecycle

import (
	"context"
	"time"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/leftovers"
	"github.com/githubusertoken/github-user-token-operator/controllers/words"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// leave tells of a resource that is being deleted, and that only others hold: either it was released, and nothing that its status
// offers is so any more, or somebody has taken our finalizer off while its pair is there. Nothing is exchanged for it any more. What
// is remembered of its status stays until it is gone, as somebody else may write that.
func (f *finalizer) leave(ctx context.Context, token *v1alpha1.GitHubUserToken) (time.Duration, error) {
	f.registry.LetGo(token.UID)
	if f.registry.Released.Has(token.UID) {
		return f.reporter.ReportReleased(ctx, token)
	}
	refs, err := f.observer.secretsOf(ctx, token)
	if err != nil {
		return 0, err
	}
	at, err := leftovers.StillThere(ctx, token.UID, refs, f.observer.cache.Secret, f.api.Get)
	if err != nil {
		return 0, err
	}
	if at == nil {
		return f.reporter.ReportReleased(ctx, token)
	}
	s, err := f.observer.observe(ctx, token)
	if err != nil {
		return 0, err
	}
	reportAt, err := f.reporter.Report(ctx, s, rotation.Decision{}, blocked(words.FinalizerTakenOff(token, at.Name)))
	if err != nil {
		return 0, err
	}
	return f.notes.requeueAfter(s, reportAt), nil
}
