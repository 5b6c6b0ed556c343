package commands

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/cmd/kubectl-ghut/internal/cluster"
)

// errUnanswered: a change was sent, and nobody has said what became of it.
var errUnanswered = errors.New("the API server did not answer")

// patch changes some fields of the resource. The UID is among what is sent, so that one which was made anew meanwhile is left alone.
func (t *task) patch(ctx context.Context, change map[string]any) error {
	metadata, _ := change["metadata"].(map[string]any)
	if metadata == nil {
		metadata = map[string]any{}
	}
	metadata["uid"] = t.token.UID
	change["metadata"] = metadata
	body, err := json.Marshal(change)
	if err != nil {
		return err
	}
	before := t.stands
	t.stands = "Whether the change was made is not known. To see: " + t.command("status")
	if err = t.Patch(ctx, t.token, client.RawPatch(types.MergePatchType, body)); cluster.IsUnanswered(err) {
		return fmt.Errorf("%w: %w", errUnanswered, err)
	}
	t.stands = before
	return err
}

// annotate sets an annotation; nil takes it off.
func (t *task) annotate(ctx context.Context, name string, value any) error {
	return t.patch(ctx, map[string]any{"metadata": map[string]any{"annotations": map[string]any{name: value}}})
}

// askForRefresh asks for an exchange now, or for another code. Each value is honoured once, so it is the time to the nanosecond.
func (t *task) askForRefresh(ctx context.Context) error {
	return t.annotate(ctx, v1alpha1.AnnotationRefreshRequestedAt, t.now().UTC().Format(time.RFC3339Nano))
}
