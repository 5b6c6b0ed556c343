package seeds

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/types"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/problem"
)

// ClientSecret reads an App's client secret live. Without a reference there is none, which is right for
// tokens of the device flow. A problem says why there is none although the spec refers to one; an error, that
// nobody knows.
func (r *Reader) ClientSecret(ctx context.Context, token *v1alpha1.GitHubUserToken) (credential.ClientSecret, *problem.Problem, error) {
	ref := token.Spec.App.ClientSecretRef
	if ref == nil {
		return credential.ClientSecret{}, nil, nil
	}
	found, err := r.value(ctx, reference{types.NamespacedName{Namespace: token.Namespace, Name: ref.Name}, ref.Key})
	if err != nil {
		return credential.ClientSecret{}, nil, fmt.Errorf("read the client secret: %w", err)
	}
	if found.missing != "" {
		return credential.ClientSecret{}, &problem.Problem{
			Reason: v1alpha1.ReasonClientSecretMissing, Stalled: true,
			Message: found.missing + ". Put the App's client secret there.",
		}, nil
	}
	return credential.NewClientSecret(found.text), nil, nil
}
