package report

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/cmd/kubectl-ghut/internal/check"
	"github.com/githubusertoken/github-user-token-operator/cmd/kubectl-ghut/internal/cluster"
	"github.com/githubusertoken/github-user-token-operator/cmd/kubectl-ghut/internal/installation"
	"github.com/githubusertoken/github-user-token-operator/cmd/kubectl-ghut/internal/redact"
	"github.com/githubusertoken/github-user-token-operator/cmd/kubectl-ghut/internal/standing"
)

// Options say what is gathered.
type Options struct {
	check.Options
	// Lines is how many lines of each operator's log are taken; none if 0.
	Lines int64
}

// about is the first file.
const about = `A report of kubectl ghut, for somebody who helps.

What is in it: GitHubUserTokens, GitHubApps and ClusterGitHubApps, which pods use their Secrets, names and labels of the operator's
Secrets, events, the operator's Deployment, leases and log, and what kubectl ghut check says. What could not be had is in missing.txt.

What is not: no data of a Secret was read. Environments, other people's annotations and codes of logins were taken out, and so was
everything that could be a token or a part of one. Names of namespaces, resources, accounts, hosts and client IDs are in it: look
through it before you publish it.
`

// collection is a report as it grows.
type collection struct {
	files   []file
	missing []string
}

// Collect writes a report, and returns what is missing in it.
func Collect(ctx context.Context, c *cluster.Cluster, o Options, out io.Writer) ([]string, error) {
	r := &collection{}
	r.text("README.txt", about)
	r.object("check.json", check.Run(ctx, c, o.Options), nil)
	namespace := c.Namespace
	if o.Everywhere {
		namespace = ""
	}
	r.resources(ctx, c, namespace, o.Now)
	r.operator(ctx, c, o)
	if len(r.missing) > 0 {
		r.text("missing.txt", strings.Join(r.missing, "\n")+"\n")
	}
	return r.missing, write(out, r.files, o.Now)
}

func (r *collection) text(name, text string) {
	r.files = append(r.files, file{name, []byte(redact.Lines(text))})
}

// object adds an object without its secrets, or notes why there is none.
func (r *collection) object(name string, object any, err error) {
	if err != nil {
		r.missing = append(r.missing, fmt.Sprintf("%s: %v", name, err))
		return
	}
	clean, err := redact.Object(object)
	if err != nil {
		r.missing = append(r.missing, fmt.Sprintf("%s: %v", name, err))
		return
	}
	text, err := json.MarshalIndent(clean, "", "  ")
	if err != nil {
		r.missing = append(r.missing, fmt.Sprintf("%s: %v", name, err))
		return
	}
	r.files = append(r.files, file{name, append(text, '\n')})
}

// resources adds what there is in the namespaces.
func (r *collection) resources(ctx context.Context, c *cluster.Cluster, namespace string, now time.Time) {
	in := client.InNamespace(namespace)
	var tokens v1alpha1.GitHubUserTokenList
	err := c.List(ctx, &tokens, in)
	r.object("githubusertokens.json", &tokens, err)
	var apps v1alpha1.GitHubAppList
	err = c.List(ctx, &apps, in)
	r.object("githubapps.json", &apps, err)
	var offered v1alpha1.ClusterGitHubAppList
	err = c.List(ctx, &offered)
	r.object("clustergithubapps.json", &offered, err)

	var pods corev1.PodList
	podsErr := c.List(ctx, &pods, in)
	byNamespace := map[string][]corev1.Pod{}
	for i := range pods.Items {
		byNamespace[pods.Items[i].Namespace] = append(byNamespace[pods.Items[i].Namespace], pods.Items[i])
	}
	standings := []*standing.Standing{}
	for i := range tokens.Items {
		token := &tokens.Items[i]
		standings = append(standings, standing.Of(token, standing.Pods{Items: byNamespace[token.Namespace], Err: podsErr}, now))
	}
	r.object("status.json", standings, nil)

	// Metadata alone: the data never leaves the API server.
	secrets := &metav1.PartialObjectMetadataList{}
	secrets.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("SecretList"))
	err = c.List(ctx, secrets, in, client.HasLabels{v1alpha1.LabelRole})
	r.object("secrets.json", secrets, err)
	r.events(ctx, c, in)
}

// events adds those of the operator's kinds.
func (r *collection) events(ctx context.Context, c *cluster.Cluster, in client.InNamespace) {
	var all corev1.EventList
	err := c.List(ctx, &all, in)
	ours := &corev1.EventList{}
	for i := range all.Items {
		if strings.HasPrefix(all.Items[i].InvolvedObject.APIVersion, v1alpha1.GroupVersion.Group+"/") {
			ours.Items = append(ours.Items, all.Items[i])
		}
	}
	r.object("events.json", ours, err)
}

// operator adds what there is of the operator.
func (r *collection) operator(ctx context.Context, c *cluster.Cluster, o Options) {
	found, err := installation.Find(ctx, c, o.OperatorNamespace)
	r.object("operator.json", found, err)
	for _, d := range found {
		var leases coordinationv1.LeaseList
		err := c.List(ctx, &leases, client.InNamespace(d.Namespace))
		r.object("leases-"+d.Namespace+".json", &leases, err)
		if o.Lines == 0 {
			continue
		}
		var pods corev1.PodList
		if err := c.List(ctx, &pods, client.InNamespace(d.Namespace), installation.Selector); err != nil {
			r.missing = append(r.missing, fmt.Sprintf("logs of %s/%s: %v", d.Namespace, d.Name, err))
			continue
		}
		for i := range pods.Items {
			pod := pods.Items[i].Name
			text, err := c.Tail(ctx, d.Namespace, pod, o.Lines)
			if err != nil {
				r.missing = append(r.missing, fmt.Sprintf("log of %s/%s: %v", d.Namespace, pod, err))
				continue
			}
			r.text("log-"+d.Namespace+"-"+pod+".txt", string(text))
		}
	}
}
