package outputs

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/outputs/format"
	"github.com/githubusertoken/github-user-token-operator/controllers/scope"
	"github.com/githubusertoken/github-user-token-operator/internal/problem"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// Sync brings the outputs into line with the spec and the pair. It looks at metadata that is in the cache, and
// reads and writes only where that differs from what it should be; nothing is exchanged. It ends after five
// seconds at the latest.
//
// found is why outputs are not as they should be, nil when they are; it holds up no exchange. requeueAt is when
// Sync is to be called again for that, by the wall clock of the scope: at once when it is not after the scope's time, as
// of an output whose time came while others were written; zero when an event brings the resource back. An error means that it could not be found out how the outputs are.
//
// Outputs with a scope it leaves to beside, which may be nil; what is remembered of them is told with the rest.
func (o *Outputs) Sync(ctx context.Context, s *scope.Scope, beside Beside) (found *problem.Problem, requeueAt time.Time, err error) {
	ctx, cancel := o.options.Clock.WithTimeout(ctx, timeout)
	defer cancel()
	defer o.notes.begin(s.Token.UID)()
	secrets, err := o.find(ctx, s.Token)
	if err != nil {
		return nil, time.Time{}, err
	}
	_ = o.removeSurplus(ctx, s.Token, secrets) // What is left is a problem of its own.
	besideAt := time.Time{}
	if beside != nil {
		besideAt = beside(secrets)
	}
	state := s.Stored()
	if state == nil || !state.HasToken() || state.Owner != string(s.Token.UID) {
		found, requeueAt = o.notes.surplusProblem(s.Token.UID, s.Now)
		return found, earlier(requeueAt, besideAt), nil // There is nothing to write, so that nothing is amiss with it.
	}
	if err := o.restoreAll(ctx, s, secrets); err != nil {
		return nil, time.Time{}, err
	}
	found, requeueAt = o.notes.problem(s.Token.UID, s.Now)
	return found, earlier(requeueAt, besideAt), nil
}

// restoreAll writes those outputs that are missing, stale or edited, from a live read of the pair.
func (o *Outputs) restoreAll(ctx context.Context, s *scope.Scope, secrets map[string]*metav1.ObjectMeta) error {
	pair := s.Pair.Clone()
	pair.NextRefreshAt = s.NextRefreshAt()
	var toWrite, toPatch []v1alpha1.Output
	wanted := map[string]uint64{}
	for _, spec := range s.Token.AllOutputs() {
		if IsScoped(&spec, secrets[spec.Name]) || o.notes.waits(s.Token, spec.Name) {
			continue
		}
		found := judge(s.Token, spec, pair, secrets[spec.Name], o.notes.checked(s.Token.UID, spec.Name))
		if o.notes.isAltered(s.Token.UID, spec.Name, secrets[spec.Name]) {
			found = amiss
		}
		if found == right {
			o.notes.record(s.Token, spec.Name, nil)
			o.notes.stands(s.Token.UID, spec.Name)
			continue
		}
		wanted[spec.Name] = wantedOf(spec, format.MetadataFor(spec, pair, format.DefaultsOf(pair)))
		switch {
		case !o.notes.mayPutRight(s.Token.UID, spec.Name, wanted[spec.Name], secrets[spec.Name]):
		case found == amiss:
			toWrite = append(toWrite, spec)
		case found == metadataAmiss:
			toPatch = append(toPatch, spec)
		}
	}
	o.each(s.Token, toPatch, func(spec v1alpha1.Output) error {
		err := o.patchMetadata(ctx, s.Token, spec, pair, secrets[spec.Name])
		if err == nil {
			o.notes.putRight(s.Token.UID, spec.Name, wanted[spec.Name], true)
		}
		return err
	})
	if len(toWrite) == 0 {
		return nil
	}
	live, err := o.options.Store.Get(ctx, s.Ref)
	if err != nil {
		return fmt.Errorf("restore the outputs: %w", err)
	}
	if live = s.Derived(live); live == nil {
		return nil // The cache lags behind; its next event brings what is new.
	}
	if live.State.AccessToken == pair.State.AccessToken && live.State.RefreshToken == pair.State.RefreshToken {
		live.NextRefreshAt = pair.NextRefreshAt
	}
	o.each(s.Token, toWrite, func(spec v1alpha1.Output) error {
		written, err := o.restore(ctx, s.Token, spec, live, secrets[spec.Name])
		if err == nil {
			o.notes.putRight(s.Token.UID, spec.Name, wanted[spec.Name], written)
		}
		return err
	})
	return nil
}

// restore writes one output, unless a look at its data shows that it is right after all.
func (o *Outputs) restore(ctx context.Context, token *v1alpha1.GitHubUserToken, spec v1alpha1.Output, pair *rotation.Pair, current *metav1.ObjectMeta) (written bool, err error) {
	defaults := format.DefaultsOf(pair)
	wanted := format.MetadataFor(spec, pair, defaults)
	if current != nil && metav1.IsControlledBy(current, token) && current.Annotations[v1alpha1.AnnotationSource] == wanted.Source() {
		rendered, err := format.Render(spec, pair, defaults)
		if err != nil {
			return false, &renderError{err}
		}
		version, holds, err := o.holds(ctx, token, spec.Name, rendered)
		if err != nil {
			return false, err
		}
		if holds {
			o.notes.foundRight(token.UID, spec.Name, version)
			return false, nil
		}
	}
	return true, o.write(ctx, token, spec, pair, current)
}

// holds reports whether an output's data, read live, is what was rendered.
func (o *Outputs) holds(ctx context.Context, token *v1alpha1.GitHubUserToken, name string, rendered format.Rendered) (version string, holds bool, err error) {
	var secret corev1.Secret
	err = o.options.Live.Get(ctx, client.ObjectKey{Namespace: token.Namespace, Name: name}, &secret)
	if apierrors.IsNotFound(err) {
		return "", false, nil
	}
	if err != nil {
		return "", false, fmt.Errorf("look at output %s: %w", name, err)
	}
	same := maps.EqualFunc(secret.Data, rendered.Data, slices.Equal[[]byte]) && string(secret.Type) == rendered.Type
	return secret.ResourceVersion, same && IsOutputOf(token, &secret.ObjectMeta), nil
}
