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
	ref, named := clientSecretOf(token)
	if !named {
		return credential.ClientSecret{}, nil, nil
	}
	if p := r.ClientSecretProblem(token); p != nil {
		return credential.ClientSecret{}, p, nil
	}
	secret, err := r.read(ctx, ref.secret, ref.key)
	if err != nil {
		return credential.ClientSecret{}, nil, fmt.Errorf("read the client secret: %w", err)
	}
	found := valueOf(ref, secret)
	if found.missing != "" {
		return credential.ClientSecret{}, withoutClientSecret(found.missing), nil
	}
	return credential.NewClientSecret(found.text), nil, nil
}

// ClientSecretProblem is why there is no client secret, as far as that is known without a look; nil when there may be
// one.
func (r *Reader) ClientSecretProblem(token *v1alpha1.GitHubUserToken) *problem.Problem {
	ref, named := clientSecretOf(token)
	if !named {
		return nil
	}
	found, ok := r.findings.get(ref)
	if !ok || found.missing == "" {
		return nil
	}
	return withoutClientSecret(found.missing)
}

func clientSecretOf(token *v1alpha1.GitHubUserToken) (ref reference, named bool) {
	named = token.Spec.App.ClientSecretRef != nil
	if named {
		ref = reference{types.NamespacedName{Namespace: token.Namespace, Name: token.Spec.App.ClientSecretRef.Name}, token.Spec.App.ClientSecretRef.Key}
	}
	return ref, named
}

func withoutClientSecret(missing string) *problem.Problem {
	return &problem.Problem{Reason: v1alpha1.ReasonClientSecretMissing, Stalled: true, Message: missing + ". Put the App's client secret there."}
}
