package check

import (
	"context"
	"slices"
	"strings"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/cmd/kubectl-ghut/internal/cluster"
	"github.com/githubusertoken/github-user-token-operator/cmd/kubectl-ghut/internal/installation"
	"github.com/githubusertoken/github-user-token-operator/cmd/kubectl-ghut/internal/standing"
)

// Options say what is looked at.
type Options struct {
	// Plugin is the version of the plugin.
	Plugin string
	// OperatorNamespace is where the operator is; empty if it is to be looked for.
	OperatorNamespace string
	// Everywhere looks at the resources of all namespaces.
	Everywhere bool
	Now        time.Time
}

// definitions are the names of the definitions.
var definitions = []string{"githubusertokens", "githubapps", "clustergithubapps"}

// leaseName begins the names of the operator's leases.
const leaseName = "github-user-token-operator"

// Run looks at everything.
func Run(ctx context.Context, c *cluster.Cluster, o Options) []Finding {
	text, err := c.Version(ctx)
	if err != nil {
		return []Finding{{"Kubernetes", Fail, err.Error()}}
	}
	all := []Finding{Kubernetes(text)}
	all = append(all, checkDefinitions(ctx, c)...)
	deployments, err := installation.Find(ctx, c, o.OperatorNamespace)
	switch {
	case cluster.IsForbidden(err):
		all = append(all, Finding{"operator", Unknown, err.Error()})
	case err != nil:
		all = append(all, Finding{"operator", Fail, err.Error()})
	}
	for _, d := range deployments {
		leases := checkLeases(ctx, c, d.Namespace, o.Now)
		// Of several, each for a part of the resources, a lease does not tell which is at work.
		leads := isAlone(deployments, d.Namespace) && slices.ContainsFunc(leases, func(finding Finding) bool { return finding.Verdict == OK })
		all = append(all, Operator(d, o.Plugin, leads))
		all = append(all, leases...)
		all = append(all, OperatorPermissions(ctx, c, d.Namespace+":"+d.ServiceAccount, c.Namespace))
	}
	all = append(all, Permissions(ctx, c, c.Namespace)...)
	return append(all, checkHosts(ctx, c, o)...)
}

func checkDefinitions(ctx context.Context, c *cluster.Cluster) []Finding {
	var all []Finding
	for _, plural := range definitions {
		crd := &apiextensionsv1.CustomResourceDefinition{}
		err := c.Get(ctx, client.ObjectKey{Name: plural + "." + v1alpha1.GroupVersion.Group}, crd)
		switch {
		case err == nil:
			all = append(all, Definition(crd))
		case cluster.IsForbidden(err):
			// Whether they are there, a list tells as well.
			if err := c.List(ctx, &v1alpha1.GitHubUserTokenList{}, client.InNamespace(c.Namespace), client.Limit(1)); err != nil {
				return append(all, Finding{"definitions", verdictOf(err), err.Error()})
			}
			return append(all, Finding{"definitions", OK, "GitHubUserTokens are known; you may not look at the definitions themselves"})
		default:
			all = append(all, Finding{"definition " + plural, Fail, err.Error()})
		}
	}
	return all
}

// verdictOf an error: a missing permission says nothing about what it is for.
func verdictOf(err error) Verdict {
	if cluster.IsForbidden(err) {
		return Unknown
	}
	return Fail
}

func checkLeases(ctx context.Context, c *cluster.Cluster, namespace string, now time.Time) []Finding {
	var leases coordinationv1.LeaseList
	if err := c.List(ctx, &leases, client.InNamespace(namespace)); err != nil {
		return []Finding{{"lease in " + namespace, verdictOf(err), err.Error()}}
	}
	var all []Finding
	for i := range leases.Items {
		if strings.HasPrefix(leases.Items[i].Name, leaseName) {
			all = append(all, Lease(&leases.Items[i], now))
		}
	}
	if all == nil {
		all = []Finding{{"lease in " + namespace, Note, "there is none: no pod was the leader yet, or the operator runs without --leader-elect"}}
	}
	return all
}

func checkHosts(ctx context.Context, c *cluster.Cluster, o Options) []Finding {
	namespace := c.Namespace
	if o.Everywhere {
		namespace = ""
	}
	var tokens v1alpha1.GitHubUserTokenList
	if err := c.List(ctx, &tokens, client.InNamespace(namespace)); err != nil {
		return []Finding{{"resources", verdictOf(err), err.Error()}}
	}
	if len(tokens.Items) == 0 {
		return []Finding{{"hosts", Unknown, "there is no GitHubUserToken to tell whether the operator reaches GitHub"}}
	}
	// What a ClusterGitHubApp is of, tenants may not know.
	var apps v1alpha1.GitHubAppList
	hosts := map[string]string{}
	if c.List(ctx, &apps, client.InNamespace(namespace)) == nil {
		for i := range apps.Items {
			app := &apps.Items[i]
			hosts[app.Namespace+"/"+app.Name] = hostOr(app.Spec.Host)
		}
	}
	return Hosts(tokens.Items, func(token *v1alpha1.GitHubUserToken) string {
		ref := token.Spec.App.Ref
		if ref == nil {
			return hostOr(token.Spec.App.Host)
		}
		if host := hosts[token.Namespace+"/"+ref.Name]; host != "" && ref.Kind != v1alpha1.KindClusterGitHubApp {
			return host
		}
		return "of " + standing.AppName(token)
	}, o.Now)
}

func hostOr(host string) string {
	if host == "" {
		return v1alpha1.DefaultHost
	}
	return strings.TrimSuffix(host, "/api/v3")
}

// isAlone reports whether a namespace has one Deployment of the operator.
func isAlone(deployments []installation.Deploy, namespace string) bool {
	others := slices.DeleteFunc(slices.Clone(deployments), func(d installation.Deploy) bool { return d.Namespace != namespace })
	return len(others) == 1
}
