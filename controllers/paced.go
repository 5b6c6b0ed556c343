package controllers

import (
	"context"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/pace"
)

// setupPace makes what tells many resources of one event, beside whoever has received it: any number may name one Secret,
// or want one refresh token, and a tenant can make an event about it as often as it likes.
func (r *Reconciler) setupPace() {
	merge := func(_, news struct{}) struct{} { return news }
	r.inTheWay = pace.New(pace.Options[struct{}]{Clock: r.Clock, Merge: merge, Tell: r.tellNaming})
	r.freed = pace.New(pace.Options[struct{}]{Clock: r.Clock, Merge: merge, Tell: r.tellWanting})
}

// isInTheWay has the resources reconciled that name a Secret. The context of an event ends with it.
func (r *Reconciler) isInTheWay(secret types.NamespacedName) {
	r.inTheWay.Add(context.Background(), secret, struct{}{})
}

// tellNaming has the resources reconciled that name a Secret: one with our label that is somebody else's may be in their way.
func (r *Reconciler) tellNaming(_ context.Context, secret types.NamespacedName, _ struct{}) (pace.Cost, error) {
	tokens := r.naming(secret)
	for i := range tokens {
		r.queue.add(client.ObjectKeyFromObject(&tokens[i]))
	}
	return pace.Cost{Resources: len(tokens)}, nil
}

// tokenFreed has the resources reconciled that want a refresh token which somebody in the namespace has given up.
func (r *Reconciler) tokenFreed(namespace string, token credential.Fingerprint) {
	r.freed.Add(context.Background(), types.NamespacedName{Namespace: namespace, Name: string(token)}, struct{}{})
}

// tellWanting has them reconciled. The name is the token's fingerprint.
func (r *Reconciler) tellWanting(_ context.Context, token types.NamespacedName, _ struct{}) (pace.Cost, error) {
	wanting := r.lifecycle.Wanting(credential.Fingerprint(token.Name))
	for _, name := range wanting {
		r.queue.add(name)
	}
	return pace.Cost{Resources: len(wanting)}, nil
}
