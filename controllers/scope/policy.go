package scope

import (
	"cmp"
	"net/url"
	"slices"
	"strings"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/github"
)

// AllowsDeletion reports whether the policy of an App allows a deletion policy.
func AllowsDeletion(policy *v1alpha1.AppPolicy, wanted v1alpha1.DeletionPolicy) bool {
	return len(policy.DeletionPolicies) == 0 || slices.Contains(policy.DeletionPolicies, wanted)
}

// ForbidsOutput says why the policy of an App forbids an output; empty when it does not. host is the App's, for which an
// output may always be made. A host that is there by default counts like one that is named.
func ForbidsOutput(policy *v1alpha1.AppPolicy, output *v1alpha1.Output, host string) string {
	switch {
	case len(policy.OutputFormats) > 0 && !slices.Contains(policy.OutputFormats, output.Format):
		return "the format " + string(output.Format) + " is forbidden"
	case output.IncludeRefreshToken && policy.IncludeRefreshToken == v1alpha1.PermissionForbidden:
		return "includeRefreshToken is forbidden"
	case len(policy.OutputHosts) == 0:
		return ""
	}
	host, _, _ = strings.Cut(github.App{Host: cmp.Or(host, v1alpha1.DefaultHost)}.Key(), "/")
	for _, target := range targetsOf(output, host) {
		isAllowed := func(allowed string) bool { return strings.EqualFold(allowed, target) }
		if !isAllowed(host) && !slices.ContainsFunc(policy.OutputHosts, isAllowed) {
			return "the host " + target + " is forbidden"
		}
	}
	return ""
}

// targetsOf are the hosts that an output of an App's host names, and the one that it is for by default where that is another one.
func targetsOf(output *v1alpha1.Output, host string) (hosts []string) {
	registry := output.Registry
	if registry == "" && output.Format == v1alpha1.OutputFormatDockerConfigJSON {
		registry = v1alpha1.DefaultRegistry(host)
	}
	for _, named := range []string{output.Host, registry} {
		if named != "" {
			hosts = append(hosts, named)
		}
	}
	if output.URL != "" {
		host := output.URL // What cannot be parsed is allowed by nobody.
		if parsed, err := url.Parse(output.URL); err == nil {
			host = parsed.Host
		}
		hosts = append(hosts, host)
	}
	return hosts
}

// Permitted is the resource with those of its outputs that its App allows. It is the same when these are all.
func (a App) Permitted(token *v1alpha1.GitHubUserToken) *v1alpha1.GitHubUserToken {
	forbidden := func(output v1alpha1.Output) bool {
		return a.Refused || slices.ContainsFunc(a.Policies, func(policy *v1alpha1.AppPolicy) bool { return ForbidsOutput(policy, &output, a.Host) != "" })
	}
	all := token.Spec.AllOutputs()
	if !slices.ContainsFunc(all, forbidden) {
		return token
	}
	permitted := *token
	permitted.Spec.SetOutputs(slices.DeleteFunc(slices.Clone(all), forbidden))
	return &permitted
}

// DeletionPolicyOf is what becomes of the pair when the resource is deleted: what it asks for or, where its App does not
// allow that, Delete, which leaves nothing behind and ends nothing.
func (a App) DeletionPolicyOf(token *v1alpha1.GitHubUserToken) v1alpha1.DeletionPolicy {
	if slices.ContainsFunc(a.Policies, func(policy *v1alpha1.AppPolicy) bool { return !AllowsDeletion(policy, token.Spec.DeletionPolicy) }) {
		return v1alpha1.DeletionPolicyDelete
	}
	return token.Spec.DeletionPolicy
}
