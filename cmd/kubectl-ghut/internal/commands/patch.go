package commands

import (
	"context"
	"encoding/json"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/cmd/kubectl-ghut/internal/cluster"
)

// patch changes some fields of a resource. The UID is among what is sent, so that one which was made anew meanwhile is left alone.
func patch(ctx context.Context, c *cluster.Cluster, token *v1alpha1.GitHubUserToken, change map[string]any) error {
	metadata, _ := change["metadata"].(map[string]any)
	if metadata == nil {
		metadata = map[string]any{}
	}
	metadata["uid"] = token.UID
	change["metadata"] = metadata
	body, err := json.Marshal(change)
	if err != nil {
		return err
	}
	return c.Patch(ctx, token, client.RawPatch(types.MergePatchType, body))
}

// annotate sets an annotation; nil takes it off.
func annotate(ctx context.Context, c *cluster.Cluster, token *v1alpha1.GitHubUserToken, name string, value any) error {
	return patch(ctx, c, token, map[string]any{"metadata": map[string]any{"annotations": map[string]any{name: value}}})
}

// askForRefresh asks for an exchange now, or for another code. Each value is honoured once, so it is the time to the nanosecond.
func (e *environment) askForRefresh(ctx context.Context, c *cluster.Cluster, token *v1alpha1.GitHubUserToken) error {
	return annotate(ctx, c, token, v1alpha1.AnnotationRefreshRequestedAt, e.now().UTC().Format(time.RFC3339Nano))
}
