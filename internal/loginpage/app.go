package loginpage

import (
	"context"
	"strings"

	"k8s.io/apimachinery/pkg/types"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/github"
)

// app is the App of a resource.
type app struct {
	// host is as it was written; github.com when it was left out.
	host, clientID string
	// ref is how the resource names it, such as "ClusterGitHubApp platform"; empty when it stands in the resource.
	ref string
}

// key tells Apps apart, however their hosts are written.
func (a app) key() string { return github.App{Host: a.host, ClientID: a.clientID}.Key() }

// appOf finds it. It says nothing of whether the resource may use it: the operator does not go on with one that may not.
func (c *Cluster) appOf(ctx context.Context, token *v1alpha1.GitHubUserToken) (app, error) {
	spec := token.Spec.App
	if spec.Ref == nil {
		return newApp(spec.Host, spec.ClientID, ""), nil
	}
	if spec.Ref.Kind == v1alpha1.KindClusterGitHubApp {
		var shared v1alpha1.ClusterGitHubApp
		if err := c.get(ctx, types.NamespacedName{Name: spec.Ref.Name}, &shared); err != nil {
			return app{}, err
		}
		return newApp(shared.Spec.Host, shared.Spec.ClientID, v1alpha1.KindClusterGitHubApp+" "+spec.Ref.Name), nil
	}
	var own v1alpha1.GitHubApp
	if err := c.get(ctx, types.NamespacedName{Namespace: token.Namespace, Name: spec.Ref.Name}, &own); err != nil {
		return app{}, err
	}
	return newApp(own.Spec.Host, own.Spec.ClientID, v1alpha1.KindGitHubApp+" "+spec.Ref.Name), nil
}

// shownHost is the host as people know it.
func (a app) shownHost() string {
	host, _, _ := strings.Cut(a.key(), "/")
	return plain(host)
}

func newApp(host, clientID, ref string) app {
	if host == "" {
		host = v1alpha1.DefaultHost
	}
	return app{host: host, clientID: clientID, ref: ref}
}
