package apps

import (
	"context"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/scope"
)

// Deletions know which deletion policies are carried out.
type Deletions struct {
	// Resolver resolves the App of a resource; see Resolver.
	Resolver interface {
		App(ctx context.Context, token *v1alpha1.GitHubUserToken) (scope.App, error)
	}
	// Events tell of a deletion policy that is not carried out.
	Events interface {
		Eventf(regarding, related runtime.Object, eventtype, reason, action, note string, args ...any)
	}
}

// Permitted is a resource with the deletion policy that is carried out. Its App may forbid the one that it asks for, and so may
// the Apps that its pairs are of, by their keys: nobody gets round a policy by naming another App before the deletion. What is
// forbidden an event tells.
func (d Deletions) Permitted(ctx context.Context, token *v1alpha1.GitHubUserToken, chains []string) (*v1alpha1.GitHubUserToken, error) {
	app, err := d.Resolver.App(ctx, token)
	if err != nil {
		return nil, err
	}
	policy := app.DeletionPolicyOf(token)
	for _, chain := range chains {
		if policy != token.Spec.DeletionPolicy || chain == app.Key() {
			continue
		}
		former, err := d.Resolver.App(ctx, asking(token, chain))
		if err != nil {
			return nil, err
		}
		policy = former.DeletionPolicyOf(token)
	}
	if policy == token.Spec.DeletionPolicy {
		return token, nil
	}
	d.Events.Eventf(token, nil, "Warning", v1alpha1.ReasonAppPolicyViolated, "Delete",
		"The policy of the App does not allow spec.deletionPolicy %s: the Secret is removed, and the token lives until it expires.", token.Spec.DeletionPolicy)
	permitted := *token
	permitted.Spec.DeletionPolicy = policy
	return &permitted, nil
}

// asking is a resource that asks an App, by its key, for the deletion policy of another one and for nothing else, so that of
// several policies the one that allows it counts.
func asking(token *v1alpha1.GitHubUserToken, chain string) *v1alpha1.GitHubUserToken {
	host, clientID, _ := strings.Cut(chain, "/")
	return &v1alpha1.GitHubUserToken{
		ObjectMeta: metav1.ObjectMeta{Namespace: token.Namespace, Name: token.Name, UID: token.UID},
		Spec: v1alpha1.GitHubUserTokenSpec{
			App: v1alpha1.App{Host: host, ClientID: clientID}, DeletionPolicy: token.Spec.DeletionPolicy, User: &v1alpha1.UserSelector{},
		},
	}
}
