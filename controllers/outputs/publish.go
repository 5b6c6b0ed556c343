package outputs

import (
	"context"
	"errors"
	"slices"
	"sync"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	logf "sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/problem"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// Publish writes all outputs of a pair that was just committed, beside each other and from the pair in hand,
// so that nothing has to be read. It returns when all are written or have failed, after five seconds at the
// latest; the end of the context does not end it, for the old token is dead already. Those that fail are
// written by a later Sync. A nil pair has no outputs.
//
// It needs neither a cache nor the leader lease, so it serves a pair that was replayed from the outbox as well:
// then the old token has been dead since before this process began. The caller makes sure that the resource is
// the pair's owner and is not being deleted.
func (o *Outputs) Publish(ctx context.Context, token *v1alpha1.GitHubUserToken, pair *rotation.Pair) {
	if len(token.AllOutputs()) == 0 || pair == nil {
		return
	}
	log := logf.FromContext(ctx)
	ctx, cancel := o.options.Clock.WithTimeout(context.WithoutCancel(ctx), timeout)
	defer cancel()
	defer o.notes.begin(token.UID)()
	began := o.options.Clock.Monotonic()
	found, err := o.find(ctx, token)
	if err != nil {
		log.Error(err, "The outputs could not be looked up; they are tried again")
		// Whoever hands the token over must hear that they still hold the dead one.
		o.each(token, token.AllOutputs(), func(v1alpha1.Output) error { return err })
		return
	}
	o.each(token, unscoped(token, found), func(spec v1alpha1.Output) error {
		return o.write(ctx, token, spec, pair, found[spec.Name])
	})
	outputDuration.Observe((o.options.Clock.Monotonic() - began).Seconds())
}

// unscoped are the outputs that hold the user's own token.
func unscoped(token *v1alpha1.GitHubUserToken, found map[string]*metav1.ObjectMeta) []v1alpha1.Output {
	return slices.DeleteFunc(slices.Clone(token.AllOutputs()), func(spec v1alpha1.Output) bool { return IsScoped(&spec, found[spec.Name]) })
}

// errPanicked is the failure of an output whose work ended in a panic.
var errPanicked = errors.New("the operator itself failed")

// each does something for each output, beside each other, and remembers those that fail. It is part of a round.
func (o *Outputs) each(token *v1alpha1.GitHubUserToken, specs []v1alpha1.Output, do func(v1alpha1.Output) error) {
	var group sync.WaitGroup
	for _, spec := range specs {
		group.Go(func() {
			err := errPanicked // Unless do returns; its panic must not end the process.
			defer func() {
				if recover() != nil && o.options.OnPanic != nil {
					o.options.OnPanic(token.UID)
				}
				found := problemOf(spec, err)
				count(found)
				o.notes.record(token, spec.Name, found)
			}()
			err = do(spec)
		})
	}
	group.Wait()
}

func count(found *problem.Problem) {
	switch {
	case found == nil:
	case found.Reason == v1alpha1.ReasonOutputNotOwned:
		outputWrites.WithLabelValues("not_owned").Inc()
	case found.Reason == v1alpha1.ReasonOutputNotWritten:
		outputWrites.WithLabelValues("failed").Inc()
	}
}
