package loginpage

import (
	"context"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/loginpage/accounttokens"
)

const (
	// maxListing lists are read at once, and listWait is how long one waits for another to end.
	maxListing = 2
	listWait   = 5 * time.Second
	// maxVisits is how many visits are looked at.
	maxVisits = 500
)

// tokensOf lists the resources that are said to hold tokens of an account.
func (c *Cluster) tokensOf(ctx context.Context, account string, from accounttokens.Place) (accounttokens.Listed, error) {
	ctx, cancel := context.WithTimeout(ctx, 4*callTimeout)
	defer cancel()
	found, err := accounttokens.List(ctx, c.client, account, from)
	if err != nil {
		return found, failed("list", err)
	}
	return found, nil
}

// visits are those that are under way, whoever has begun them.
func (c *Cluster) visits(ctx context.Context, namespace string) ([]v1alpha1.GitHubUserToken, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	var list v1alpha1.GitHubUserTokenList
	err := c.client.List(ctx, &list, client.InNamespace(namespace), client.HasLabels{v1alpha1.LabelVisit}, client.Limit(maxVisits))
	if err != nil {
		return nil, failed("list visits", err)
	}
	return list.Items, nil
}

// makeVisit makes a visit that asks for its login at once.
func (c *Cluster) makeVisit(ctx context.Context, of *Visits, s session, browser, visitor, callback string) (*v1alpha1.GitHubUserToken, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	app := of.App
	token := &v1alpha1.GitHubUserToken{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: s.name.namespace, Name: s.name.name,
			Labels: map[string]string{v1alpha1.LabelVisit: browser, v1alpha1.LabelVisitor: visitor},
			Annotations: map[string]string{
				v1alpha1.AnnotationWebLoginRequested: s.requestID() + " " + callback,
				v1alpha1.AnnotationPurpose:           "somebody proves on the login page whose account is theirs",
			},
		},
		Spec: v1alpha1.GitHubUserTokenSpec{
			App:            v1alpha1.App{Ref: &app},
			Login:          &v1alpha1.Login{Methods: []v1alpha1.LoginMethod{v1alpha1.LoginMethodWebFlow}},
			Secret:         v1alpha1.SecretTemplate{Name: s.name.name},
			DeletionPolicy: v1alpha1.DeletionPolicyRevoke,
		},
	}
	if err := c.client.Create(ctx, token, client.FieldOwner(FieldManager)); err != nil {
		return nil, failed("make a visit", err)
	}
	return token, nil
}

// endVisit deletes a visit, so that its token is revoked. One that is gone already is no error.
func (c *Cluster) endVisit(ctx context.Context, token *v1alpha1.GitHubUserToken) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), callTimeout)
	defer cancel()
	if token.DeletionTimestamp != nil {
		return nil
	}
	err := c.client.Delete(ctx, token, client.Preconditions{UID: &token.UID})
	if err == nil || apierrors.IsNotFound(err) || apierrors.IsConflict(err) {
		return nil
	}
	return failed("end a visit", err)
}
