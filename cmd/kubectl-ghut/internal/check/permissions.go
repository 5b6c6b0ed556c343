package check

import (
	"context"
	"fmt"
	"strings"

	authorizationv1 "k8s.io/api/authorization/v1"

	"github.com/githubusertoken/github-user-token-operator/cmd/kubectl-ghut/internal/cluster"
)

// right is a permission, and what it is for.
type right struct {
	group, resource string
	verbs           []string
	use             string
}

// rights are what the commands need in a namespace.
var rights = []right{
	{"githubusertoken.dev", "githubusertokens", []string{"get", "list"}, "status, tree"},
	{"githubusertoken.dev", "githubusertokens", []string{"get", "patch"}, "login, refresh, hold, suspend, resume, adopt"},
	{"githubusertoken.dev", "githubusertokens", []string{"create"}, "login --create, logout"},
	{"githubusertoken.dev", "githubusertokens", []string{"delete"}, "revoke, logout"},
	{"", "pods", []string{"list"}, "who uses the tokens, in status and tree"},
	{"", "events", []string{"list"}, "what became of a revocation"},
	{"", "secrets", []string{"get"}, "token, credential-helper"},
}

// Permissions asks what the user may do in a namespace.
func Permissions(ctx context.Context, c cluster.Client, namespace string) []Finding {
	var all []Finding
	for _, r := range rights {
		what := fmt.Sprintf("you may %s %s in %s", strings.Join(r.verbs, " and "), r.resource, namespace)
		finding := Finding{what, OK, "for " + r.use}
		for _, verb := range r.verbs {
			review := &authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{
				ResourceAttributes: &authorizationv1.ResourceAttributes{Namespace: namespace, Verb: verb, Group: r.group, Resource: r.resource},
			}}
			if err := c.Create(ctx, review); err != nil {
				finding.Verdict, finding.Says = Unknown, err.Error()
				break
			}
			if !review.Status.Allowed {
				finding.Verdict, finding.Says = Note, fmt.Sprintf("no: %s is missing, which is for %s", verb, r.use)
				break
			}
		}
		all = append(all, finding)
	}
	return all
}

// operatorRights are what the operator needs in each namespace that it serves.
var operatorRights = []right{
	{"githubusertoken.dev", "githubusertokens", []string{"get", "list", "watch", "patch"}, "the work itself"},
	{"githubusertoken.dev", "githubusertokens/status", []string{"patch"}, "the report"},
	{"", "secrets", []string{"get", "list", "watch", "create", "update", "patch", "delete"}, "pairs and outputs"},
}

// OperatorPermissions asks what the operator's ServiceAccount may do in a namespace, which only few users may ask.
func OperatorPermissions(ctx context.Context, c cluster.Client, account, namespace string) Finding {
	what := fmt.Sprintf("the operator's rights in %s", namespace)
	for _, r := range operatorRights {
		for _, verb := range r.verbs {
			resource, subresource, _ := strings.Cut(r.resource, "/")
			review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
				User: "system:serviceaccount:" + account, Groups: []string{"system:serviceaccounts", "system:authenticated"},
				ResourceAttributes: &authorizationv1.ResourceAttributes{Namespace: namespace, Verb: verb, Group: r.group, Resource: resource, Subresource: subresource},
			}}
			if err := c.Create(ctx, review); err != nil {
				return Finding{what, Unknown, err.Error()}
			}
			if !review.Status.Allowed {
				return Finding{what, Fail, fmt.Sprintf("it may not %s %s, which is for %s", verb, r.resource, r.use)}
			}
		}
	}
	return Finding{what, OK, "as far as they are for GitHubUserTokens and Secrets"}
}
