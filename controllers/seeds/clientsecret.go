package seeds

import (
	"context"
	"fmt"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/scope"
	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/problem"
)

// ClientSecret reads an App's client secret live. Without a reference there is none, which is right for
// tokens of the device flow. A problem says why there is none although the App refers to one; an error, that
// nobody knows.
func (r *Reader) ClientSecret(ctx context.Context, app scope.App) (credential.ClientSecret, *problem.Problem, error) {
	ref, named := clientSecretOf(app)
	if !named {
		return credential.ClientSecret{}, nil, nil
	}
	if p := r.ClientSecretProblem(app); p != nil {
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
func (r *Reader) ClientSecretProblem(app scope.App) *problem.Problem {
	ref, named := clientSecretOf(app)
	if !named {
		return nil
	}
	found, ok := r.findings.get(ref)
	if !ok || found.missing == "" {
		return nil
	}
	return withoutClientSecret(found.missing)
}

func clientSecretOf(app scope.App) (ref reference, named bool) {
	if app.Secret == nil {
		return reference{}, false
	}
	return reference{app.Secret.Secret, app.Secret.Key}, true
}

func withoutClientSecret(missing string) *problem.Problem {
	return &problem.Problem{Reason: v1alpha1.ReasonClientSecretMissing, Stalled: true, OfApp: true, Message: missing + ". Put the App's client secret there."}
}
