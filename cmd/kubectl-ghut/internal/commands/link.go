package commands

import (
	"context"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/cmd/kubectl-ghut/internal/browser"
	"github.com/githubusertoken/github-user-token-operator/cmd/kubectl-ghut/internal/login"
	"github.com/githubusertoken/github-user-token-operator/cmd/kubectl-ghut/internal/standing"
)

// linkAfter is how long a link is waited for when the operator has looked at the resource and offers none.
const linkAfter = 15 * time.Second

// offerLink prints the link of the login page that the resource offers, as soon as there is one.
func (t *task) offerLink(ctx context.Context) error {
	t.stands = "No link is there yet. To go on: " + t.command("login", "--link")
	for begun := t.now(); ; {
		if link := t.token.Status.Authorization; isGood(link, t.now()) {
			t.print("%s", link.LoginURL)
			until := ""
			if expires := link.LoginURLExpirationTime; expires != nil {
				until = " and until " + standing.When(expires.Time, t.now())
			}
			t.say("Send it to %s. It is good for one login of that account%s. To see what comes of it: %s", login.Wanted(t.token), until, t.command("status"))
			return nil
		}
		if why := t.withoutLink(t.now().Sub(begun)); why != "" {
			return t.failed("no link is offered: " + why)
		}
		if err := t.lookAgain(ctx); err != nil {
			return err
		}
	}
}

// isGood reports whether there is a link that somebody can open. One that has expired stays in the status until the operator has made another.
func isGood(link *v1alpha1.Authorization, now time.Time) bool {
	return link != nil && browser.Check(link.LoginURL) == nil && (link.LoginURLExpirationTime == nil || link.LoginURLExpirationTime.After(now))
}

// withoutLink says why no link is to be expected; empty while one may come.
func (t *task) withoutLink(waited time.Duration) string {
	status := &t.token.Status
	authorized := meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionAuthorized)
	switch {
	case t.token.DeletionTimestamp != nil:
		return "the resource is being deleted"
	case t.token.Spec.Suspend:
		return fmt.Sprintf("%s is suspended, so that nobody can log in: %s", t.name, t.command("resume"))
	case t.token.Spec.User == nil:
		return "a link is for one account, which spec.user has to name"
	case authorized == nil || status.ObservedGeneration != t.token.Generation:
		if waited <= silentAfter {
			return ""
		}
		return "the operator has not looked at the resource. Is it at work? kubectl ghut check"
	case authorized.Status == metav1.ConditionTrue:
		return t.name + " is logged in already"
	case waited <= linkAfter:
		return ""
	default:
		return standing.Plain(authorized.Message) + " If the operator has no login page, its administrator can install one; without it: " + t.command("login", "--web")
	}
}
