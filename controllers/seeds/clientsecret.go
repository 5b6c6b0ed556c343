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
	if p := clientSecretProblem(ref, found.ours, found.missing); p != nil {
		return credential.ClientSecret{}, p, nil
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
	if !ok {
		return nil
	}
	return clientSecretProblem(ref, found.ours, found.missing)
}

func clientSecretOf(app scope.App) (ref reference, named bool) {
	if app.Secret == nil {
		return reference{}, false
	}
	return reference{app.Secret.Secret, app.Secret.Key}, true
}

// clientSecretProblem is why what was found under a reference is no client secret; nil when it may be one.
func clientSecretProblem(ref reference, ours bool, missing string) *problem.Problem {
	message := missing + ". Put the App's client secret there."
	switch {
	case ours:
		message = OwnSecret(ref.secret.Name)
	case missing == "":
		return nil
	}
	return &problem.Problem{Reason: v1alpha1.ReasonClientSecretMissing, Stalled: true, OfApp: true, Message: message}
}

// OwnSecret is what is said of a Secret of the operator's own that somebody names as that of a client secret. What it holds is
// tokens or a device code, of which the App's host is shown none.
func OwnSecret(name string) string {
	return fmt.Sprintf("Secret %q is one of the operator's own and holds no client secret, so nothing of it was sent. Put the App's client secret into a Secret of yours, and name that in clientSecretRef.", name)
}
