package loginpage

import (
	"context"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/loginpage/accounttokens"
	"github.com/githubusertoken/github-user-token-operator/internal/loginpage/visits"
)

const (
	// maxListing lists are read at once, and listWait is how long one waits for another to end.
	maxListing = 2
	listWait   = 5 * time.Second
	// maxVisits is how many visits are looked at.
	maxVisits = 500
)

// tokensOf lists the resources that are said to hold tokens of an account.
func (c *Cluster) tokensOf(ctx context.Context, account string, from accounttokens.Place, view func(*v1alpha1.GitHubUserToken) tokenView) (accounttokens.Listed[tokenView], error) {
	ctx, cancel := context.WithTimeout(ctx, 4*callTimeout)
	defer cancel()
	found, err := accounttokens.List(ctx, c.client, account, from, view)
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
	token := visits.New(s.name.namespace, s.name.name, of.App, browser, visitor, s.requestID()+" "+callback)
	if err := c.client.Create(ctx, token, client.FieldOwner(FieldManager)); err != nil {
		return nil, failed("make a visit", err)
	}
	return token, nil
}

// markSent takes down that the browser of a visit is sent to GitHub: nobody removes it then as one that was begun and not gone on with.
func (c *Cluster) markSent(ctx context.Context, token *v1alpha1.GitHubUserToken, now time.Time) error {
	if token.Annotations[v1alpha1.AnnotationVisitSentAt] != "" {
		return nil
	}
	marked := token.DeepCopy()
	marked.ResourceVersion = "" // Whatever the operator has written meanwhile.
	return c.set(ctx, marked, v1alpha1.AnnotationVisitSentAt, now.UTC().Format(time.RFC3339))
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
