package controllers

import (
	"context"
	"fmt"
	"hash/fnv"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/scope"
	"github.com/githubusertoken/github-user-token-operator/controllers/secretwatch"
	"github.com/githubusertoken/github-user-token-operator/internal/fairqueue"
	"github.com/githubusertoken/github-user-token-operator/internal/pace"
)

// naming are the resources that name a Secret. They are read only.
func (r *Reconciler) naming(secret types.NamespacedName, options ...client.ListOption) []v1alpha1.GitHubUserToken {
	var tokens v1alpha1.GitHubUserTokenList
	err := r.Client.List(context.Background(), &tokens, append(options, client.InNamespace(secret.Namespace),
		client.MatchingFields{indexSecretNames: secret.Name}, client.UnsafeDisableDeepCopy)...)
	if err != nil {
		return nil
	}
	return tokens.Items
}

// isNamed reports whether some resource or App names a Secret.
func (r *Reconciler) isNamed(secret types.NamespacedName) bool {
	return len(r.naming(secret, client.Limit(1))) > 0 || len(r.appSource.Naming(context.Background(), secret)) > 0
}

// namedSecretChanged tells the resources that name a Secret of its change, where it is one for them: whose the Secret is
// matters to those that want its name for a pair or an output, and what it holds to those that read it.
func (r *Reconciler) namedSecretChanged(ctx context.Context, _ types.NamespacedName, change secretwatch.Change) (pace.Cost, error) {
	tokens := r.naming(change.Name)
	cost := pace.Cost{Resources: len(tokens)}
	var keys []string
	for i := range tokens {
		r.nameChanged(ctx, &tokens[i], change)
		keys = append(keys, keysIn(&tokens[i], change.Name.Name)...)
	}
	offered := r.appSource.Naming(ctx, change.Name)
	for _, app := range offered {
		keys = append(keys, app.Key)
	}
	slices.Sort(keys)
	if keys = slices.Compact(keys); len(keys) == 0 {
		return cost, nil
	}
	changed, read, err := r.lifecycle.Seeds().Recheck(ctx, change.Name, keys, change.First)
	cost.Bytes = read
	if err != nil {
		return cost, fmt.Errorf("read a Secret that was changed: %w", err)
	}
	for i := range tokens {
		if slices.ContainsFunc(keysIn(&tokens[i], change.Name.Name), func(key string) bool { return slices.Contains(changed, key) }) {
			r.tellNamed(ctx, &tokens[i], change)
		}
	}
	for _, app := range offered {
		if slices.Contains(changed, app.Key) {
			r.appSource.SecretChanged(app)
		}
	}
	return cost, nil
}

// tellNamed tells a resource that a Secret which it names has changed.
func (r *Reconciler) tellNamed(ctx context.Context, token *v1alpha1.GitHubUserToken, change secretwatch.Change) {
	r.lifecycle.NamedSecretChanged(token, change.Name.Name)
	r.queue.addWith(scope.NameOf(token), r.priorityOf(ctx, token, change))
}

// priorityOf is that of the news of a change. A start finds every Secret: none stands before what happens, but for a login that has come
// meanwhile.
func (r *Reconciler) priorityOf(ctx context.Context, token *v1alpha1.GitHubUserToken, change secretwatch.Change) int {
	ref := token.Spec.RefreshTokenRef
	isSeed := ref != nil && ref.Name == change.Name.Name
	if change.Found && (!isSeed || r.lifecycle.Seeds().IsSettled(token, r.cachedPair(ctx, token))) {
		return fairqueue.Low
	}
	return fairqueue.Ordinary
}

// nameChanged tells a resource of a change of a Secret that may stand where its pair or an output is to be.
func (r *Reconciler) nameChanged(ctx context.Context, token *v1alpha1.GitHubUserToken, change secretwatch.Change) {
	isOutput := slices.ContainsFunc(token.AllOutputs(), func(output v1alpha1.Output) bool { return output.Name == change.Name.Name })
	switch isPair := token.PairSecretName() == change.Name.Name; {
	case !isPair && !isOutput:
	case change.Marked:
		r.outputs.Reconsider(token.UID)
		if isPair {
			r.tellNamed(ctx, token, change)
			return
		}
		r.queue.addWith(scope.NameOf(token), r.priorityOf(ctx, token, change))
	case change.Controller == token.UID:
		r.queue.add(scope.NameOf(token)) // Its own pair without our label, of which no cache tells.
	}
}

// keysIn are the keys of a Secret that a resource reads.
func keysIn(token *v1alpha1.GitHubUserToken, secret string) (keys []string) {
	if ref := token.Spec.RefreshTokenRef; ref != nil && ref.Name == secret {
		keys = append(keys, ref.Key)
	}
	if ref := token.Spec.App.ClientSecretRef; ref != nil && ref.Name == secret {
		keys = append(keys, ref.Key)
	}
	return keys
}

// marksOf is a hash of what tells whose a Secret is, and whether it may be taken.
func marksOf(object metav1.Object) uint64 {
	hash := fnv.New64a()
	_, _ = fmt.Fprintln(hash, object.GetUID(), object.GetDeletionTimestamp() != nil, isOurs(object),
		object.GetLabels()[v1alpha1.LabelRole], object.GetLabels()[v1alpha1.LabelOwner])
	for _, owner := range object.GetOwnerReferences() {
		_, _ = fmt.Fprintln(hash, owner.UID, owner.Controller != nil && *owner.Controller)
	}
	return hash.Sum64()
}
