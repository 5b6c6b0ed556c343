package apps

import (
	"fmt"
	"slices"
	"strings"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/scope"
	"github.com/githubusertoken/github-user-token-operator/internal/problem"
)

// violation is what a resource asks for and the policy of its App forbids, all of it in one sentence; nil when there is
// nothing.
func violation(token *v1alpha1.GitHubUserToken, policy *v1alpha1.AppPolicy, host string) *problem.Problem {
	var forbidden []string
	if policy.User == v1alpha1.UserRequired && token.Spec.User == nil {
		forbidden = append(forbidden, "spec.user must name the account")
	}
	if wanted := token.Spec.DeletionPolicy; !scope.AllowsDeletion(policy, wanted) {
		forbidden = append(forbidden, fmt.Sprintf("spec.deletionPolicy %s is not among %s", wanted, listed(policy.DeletionPolicies)))
	}
	for _, output := range token.Spec.AllOutputs() {
		if why := scope.ForbidsOutput(policy, &output, host); why != "" {
			forbidden = append(forbidden, fmt.Sprintf("output %s: %s", output.Name, why))
		}
	}
	if len(forbidden) == 0 {
		return nil
	}
	return &problem.Problem{
		Reason: v1alpha1.ReasonAppPolicyViolated, Stalled: true,
		Message: "The policy of the App does not allow what this resource asks for, so that nothing is exchanged: " + shortened(forbidden) +
			". Change the resource, or ask the administrator of the App.",
	}
}

// userRequired is that a resource names no account, where the operator wants each to; nil when that is in order. One that is being
// deleted has no more exchanges, and its deletion policy is carried out with the App as it is.
func (r *Resolver) userRequired(token *v1alpha1.GitHubUserToken) *problem.Problem {
	if !r.options.RequireUser || token.Spec.User != nil || !token.DeletionTimestamp.IsZero() {
		return nil
	}
	return &problem.Problem{
		Reason: v1alpha1.ReasonUserRequired, Stalled: true,
		Message: "This operator lets nobody log in, and exchanges nothing, for a resource that does not say whose account it is for: name the account in spec.user. " +
			"The operator's administrator asks for that with --require-user.",
	}
}

// maxForbidden is how much of what is forbidden is told at once.
const maxForbidden = 5

func shortened(forbidden []string) string {
	if more := len(forbidden) - maxForbidden; more > 0 {
		return strings.Join(forbidden[:maxForbidden], "; ") + fmt.Sprintf("; and %d more", more)
	}
	return strings.Join(forbidden, "; ")
}

func listed[T ~string](items []T) string {
	texts := make([]string, len(items))
	for i, item := range items {
		texts[i] = string(item)
	}
	slices.Sort(texts)
	return strings.Join(texts, ", ")
}
