package controllers

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/recent"
)

// An admission webhook may refuse a write with any code. That an object does not exist, does already, or has changed, is
// therefore believed only when a read, which no webhook sees, says so too. What a read contradicts may still have been true
// a moment ago: so it counts as a conflict, which is tried again at once, and as a refusal when it is answered again.

// doubted is an object about which an answer to a write was not true, or may not have been.
type doubted struct {
	kind string
	name types.NamespacedName
}

// checkedClient turns such an answer to a write into a conflict, and then into a refusal, where it is not true.
type checkedClient struct {
	client.Client

	live   client.Reader
	doubts *recent.Said[doubted]
}

func newCheckedClient(writer client.Client, live client.Reader) checkedClient {
	return checkedClient{writer, live, &recent.Said[doubted]{}}
}

// Create implements client.Client.
func (c checkedClient) Create(ctx context.Context, object client.Object, options ...client.CreateOption) error {
	err := c.Client.Create(ctx, object, options...)
	if !apierrors.IsAlreadyExists(err) {
		return c.settled(object, err)
	}
	return c.checkExists(ctx, object, err, true)
}

// Update implements client.Client.
func (c checkedClient) Update(ctx context.Context, object client.Object, options ...client.UpdateOption) error {
	version := object.GetResourceVersion()
	err := c.Client.Update(ctx, object, options...)
	return c.check(ctx, object, err, func() string { return version })
}

// Patch implements client.Client.
func (c checkedClient) Patch(ctx context.Context, object client.Object, patch client.Patch, options ...client.PatchOption) error {
	err := c.Client.Patch(ctx, object, patch, options...)
	return c.check(ctx, object, err, func() string { return versionIn(object, patch) })
}

// Delete implements client.Client.
func (c checkedClient) Delete(ctx context.Context, object client.Object, options ...client.DeleteOption) error {
	err := c.Client.Delete(ctx, object, options...)
	return c.check(ctx, object, err, func() string {
		asked := (&client.DeleteOptions{}).ApplyOptions(options)
		if asked.Preconditions == nil || asked.Preconditions.ResourceVersion == nil {
			return ""
		}
		return *asked.Preconditions.ResourceVersion
	})
}

// Status implements client.Client.
func (c checkedClient) Status() client.SubResourceWriter {
	return checkedStatus{c.Client.Status(), c}
}

// checkedStatus is checkedClient for the status.
type checkedStatus struct {
	client.SubResourceWriter

	client checkedClient
}

// Patch implements client.SubResourceWriter.
func (s checkedStatus) Patch(ctx context.Context, object client.Object, patch client.Patch, options ...client.SubResourcePatchOption) error {
	err := s.SubResourceWriter.Patch(ctx, object, patch, options...)
	return s.client.check(ctx, object, err, func() string { return versionIn(object, patch) })
}

// versionIn is the version under which a patch is to be applied; empty when it is under none.
func versionIn(object client.Object, patch client.Patch) string {
	var sent struct {
		Metadata struct {
			ResourceVersion string `json:"resourceVersion"`
		} `json:"metadata"`
	}
	if body, err := patch.Data(object); err != nil || json.Unmarshal(body, &sent) != nil {
		return ""
	}
	return sent.Metadata.ResourceVersion
}

// check looks at the answer to a write of an object that was there. version is the one under which it was made.
func (c checkedClient) check(ctx context.Context, object client.Object, answer error, version func() string) error {
	switch {
	case apierrors.IsNotFound(answer):
		return c.checkExists(ctx, object, answer, false)
	case apierrors.IsConflict(answer):
		return c.checkChanged(ctx, object, answer, version())
	default:
		return c.settled(object, answer)
	}
}

// settled forgets what was doubted of an object that was written.
func (c checkedClient) settled(object client.Object, answer error) error {
	if kind, isChecked := c.kindOf(object); answer == nil && isChecked {
		c.doubts.Forget(doubted{kind.Kind, client.ObjectKeyFromObject(object)})
	}
	return answer
}

// checkExists returns an answer that speaks of whether an object exists, if it is true.
func (c checkedClient) checkExists(ctx context.Context, object client.Object, answer error, exists bool) error {
	kind, isChecked := c.kindOf(object)
	if !isChecked {
		return answer
	}
	meta, err := c.look(ctx, object, answer)
	switch of := (doubted{kind.Kind, client.ObjectKeyFromObject(object)}); {
	case err != nil:
		return err
	case (meta != nil) == exists:
		c.doubts.Forget(of)
		return answer
	case c.doubts.Again(of, fmt.Sprintf("exists: %t", exists)):
		return refusedBy(answer)
	default:
		return conflictBy(answer)
	}
}

// checkChanged returns the answer that an object has changed, if it is true. Ordinary conflicts cost no read: it is looked at
// when the same write is answered so again.
func (c checkedClient) checkChanged(ctx context.Context, object client.Object, answer error, version string) error {
	kind, isChecked := c.kindOf(object)
	if !isChecked || version == "" || !c.doubts.Again(doubted{kind.Kind, client.ObjectKeyFromObject(object)}, "version "+version) {
		return answer
	}
	meta, err := c.look(ctx, object, answer)
	switch {
	case err != nil:
		return err
	case meta == nil || meta.ResourceVersion != version:
		return answer
	default:
		return refusedBy(answer)
	}
}

// kindOf is the kind of an object, and whether answers about it are checked. Pods and workloads the operator may not read;
// what is said of those is looked at where they are written.
func (c checkedClient) kindOf(object client.Object) (kind schema.GroupVersionKind, isChecked bool) {
	kind, err := c.GroupVersionKindFor(object)
	return kind, err == nil && (kind.Group == "" && kind.Kind == "Secret" || kind.Group == v1alpha1.GroupVersion.Group)
}

// look reads an object's metadata; nil when there is no such object. When it cannot be read, nothing is known of the answer to
// the write but that it was no success: the error has its words, and is not of its kind.
func (c checkedClient) look(ctx context.Context, object client.Object, answer error) (*metav1.PartialObjectMetadata, error) {
	kind, _ := c.kindOf(object)
	meta := &metav1.PartialObjectMetadata{}
	meta.SetGroupVersionKind(kind)
	err := c.live.Get(ctx, client.ObjectKeyFromObject(object), meta)
	switch {
	case apierrors.IsNotFound(err):
		return nil, nil //nolint:nilnil // absence is an ordinary answer here
	case err != nil:
		return nil, fmt.Errorf("%s; whether that is so could not be found out: look at %s %s: %w", answer.Error(), kind.Kind, object.GetName(), err)
	default:
		return meta, nil
	}
}

// conflictBy is an answer that was not true when it was looked at. It may have been before.
func conflictBy(answer error) error {
	return instead(http.StatusConflict, metav1.StatusReasonConflict, answer.Error()+" (which was not so a moment later)")
}

// refusedBy is an answer that is not true.
func refusedBy(answer error) error {
	return instead(http.StatusForbidden, metav1.StatusReasonForbidden, answer.Error()+" (which is not so: something on the way to the API server refuses the write)")
}

func instead(code int32, reason metav1.StatusReason, message string) error {
	return &apierrors.StatusError{ErrStatus: metav1.Status{Status: metav1.StatusFailure, Code: code, Reason: reason, Message: message}}
}
