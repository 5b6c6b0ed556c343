package appsource

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/scope"
)

// Indexes of the cache.
const (
	// indexApp indexes resources by their App: the kind and name that spec.app.ref names, or the key of the host and client ID.
	indexApp = "app"
	// indexKey indexes Apps by the key of their host and client ID, and indexSecret by the name of their client secret's Secret.
	indexKey, indexSecret = "appKey", "appSecret"
)

// setupIndexes sets up the indexes of resources and Apps.
func setupIndexes(indexer client.FieldIndexer, kinds []client.Object) error {
	ctx := context.Background()
	err := indexer.IndexField(ctx, &v1alpha1.GitHubUserToken{}, indexApp, appOf)
	for _, kind := range kinds {
		err = errors.Join(err, indexer.IndexField(ctx, kind, indexKey, keysOf), indexer.IndexField(ctx, kind, indexSecret, secretsOf))
	}
	if err != nil {
		return fmt.Errorf("set up the indexes of Apps: %w", err)
	}
	return nil
}

// appOf is what a resource is indexed by as a user of its App.
func appOf(object client.Object) []string {
	token, ok := object.(*v1alpha1.GitHubUserToken)
	if !ok {
		return nil
	}
	if ref := token.Spec.App.Ref; ref != nil {
		return []string{newsOf(ref.Kind, ref.Name)}
	}
	return []string{inlineKey(token)}
}

func inlineKey(token *v1alpha1.GitHubUserToken) string {
	return scope.AppKey(token.Spec.App.Host, token.Spec.App.ClientID)
}

// newsOf names what there is news of, and an App in the index: a kind and a name. No key of an App has a blank.
func newsOf(kind, name string) string { return kind + " " + name }

func parseNews(news string) (kind, name string) {
	kind, name, _ = strings.Cut(news, " ")
	return kind, name
}

// specOf is the App that an object is; nil when it is none.
func specOf(object client.Object) *v1alpha1.GitHubAppSpec {
	switch app := object.(type) {
	case *v1alpha1.GitHubApp:
		return &app.Spec
	case *v1alpha1.ClusterGitHubApp:
		return &app.Spec.GitHubAppSpec
	default:
		return nil
	}
}

func kindOf(object client.Object) string {
	if _, ok := object.(*v1alpha1.ClusterGitHubApp); ok {
		return v1alpha1.KindClusterGitHubApp
	}
	return v1alpha1.KindGitHubApp
}

func keysOf(object client.Object) []string {
	if spec := specOf(object); spec != nil {
		return []string{keyOf(spec)}
	}
	return nil
}

func secretsOf(object client.Object) []string {
	if spec := specOf(object); spec != nil && spec.ClientSecretRef != nil {
		return []string{spec.ClientSecretRef.Name}
	}
	return nil
}
