package check

import (
	"fmt"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/cmd/kubectl-ghut/internal/standing"
)

// recent is for how long a refresh that has succeeded shows that the host could be reached.
const recent = 24 * time.Hour

// unreachable are the reasons that tell of a host which the operator does not get to.
var unreachable = []string{
	v1alpha1.ReasonHostUnreachable, v1alpha1.ReasonCertificateNotTrusted, v1alpha1.ReasonRedirected, v1alpha1.ReasonHostNotAllowed,
}

// HostOf names the host of a resource's App; where the App is an object of its own, that object.
type HostOf func(*v1alpha1.GitHubUserToken) string

// Hosts judges whether the operator reaches the hosts of resources, by what their conditions say and when they were last
// refreshed. Whether it would reach one that none has needed lately cannot be known from outside.
func Hosts(tokens []v1alpha1.GitHubUserToken, hostOf HostOf, now time.Time) []Finding {
	found := map[string]Finding{}
	latest := map[string]time.Time{}
	var hosts []string
	for i := range tokens {
		token := &tokens[i]
		host := hostOf(token)
		if !slices.Contains(hosts, host) {
			hosts = append(hosts, host)
		}
		for _, kind := range []string{v1alpha1.ConditionReconciling, v1alpha1.ConditionStalled} {
			condition := meta.FindStatusCondition(token.Status.Conditions, kind)
			if condition != nil && condition.Status == metav1.ConditionTrue && slices.Contains(unreachable, condition.Reason) {
				found[host] = Finding{"host " + host, Fail, fmt.Sprintf("%s/%s says %s: %s", token.Namespace, token.Name, condition.Reason, condition.Message)}
			}
		}
		if at := token.Status.LastRefreshTime; at != nil && at.After(latest[host]) {
			latest[host] = at.Time
		}
	}
	slices.Sort(hosts)
	var all []Finding
	for _, host := range hosts {
		finding, failed := found[host]
		switch at := latest[host]; {
		case failed:
			all = append(all, finding)
		case !at.IsZero() && now.Sub(at) < recent:
			all = append(all, Finding{"host " + host, OK, "the operator got a token there " + standing.Away(at, now)})
		default:
			all = append(all, Finding{"host " + host, Unknown, "nothing was refreshed there within a day, so it is not known whether the operator reaches it now"})
		}
	}
	return all
}
