package loginpage

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/credential"
)

// FieldManager is the name under which the page writes.
const FieldManager = "github-user-token-login-page"

// callTimeout is how long one request to the API server may take.
const callTimeout = 5 * time.Second

// Cluster is all that the page does in the cluster.
type Cluster struct{ client client.Client }

// NewCluster makes one of a client that reads from the API server itself, and not from a cache: a ticket that was used must be
// seen to be.
func NewCluster(live client.Client) *Cluster { return &Cluster{live} }

var (
	// errGone: there is no such object, or the page may not see it, which is the same to whoever asks.
	errGone = errors.New("there is no such resource")
	// errChanged: somebody has changed the resource since it was read.
	errChanged = errors.New("the resource was changed meanwhile")
)

// apiError is that the API server did not do what it was asked to, with its reason in a word. Its own sentences are not passed on:
// they quote what was sent.
type apiError struct {
	did    string
	reason string
}

func (e *apiError) Error() string {
	return fmt.Sprintf("%s: the API server did not: %s", e.did, e.reason)
}

func failed(did string, err error) error {
	reason := string(apierrors.ReasonForError(err))
	switch {
	case reason != "":
	case errors.Is(err, context.DeadlineExceeded):
		reason = "Timeout"
	case errors.Is(err, context.Canceled):
		reason = "Canceled"
	default:
		reason = "NotReached"
	}
	return &apiError{did, reason}
}

// token reads a resource. Errors: errGone, or why it could not be read.
func (c *Cluster) token(ctx context.Context, name resourceName) (*v1alpha1.GitHubUserToken, error) {
	var token v1alpha1.GitHubUserToken
	if err := c.get(ctx, name.key(), &token); err != nil {
		return nil, err
	}
	return &token, nil
}

func (c *Cluster) get(ctx context.Context, name types.NamespacedName, into client.Object) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	err := c.client.Get(ctx, name, into)
	switch {
	case err == nil:
		return nil
	case apierrors.IsNotFound(err):
		return errGone
	default:
		return failed("read", err)
	}
}

// Ready is nil when resources can be read.
func (c *Cluster) Ready(ctx context.Context) error {
	_, err := c.token(ctx, resourceName{metav1.NamespaceDefault, "login-page-looks-whether-it-may-read"})
	if errors.Is(err, errGone) {
		return nil
	}
	return err
}

// ask sets the annotation that asks for a login, or takes it off where value is empty, if nobody has changed the resource since it was read:
// of two who use a link at once, one does. Errors: errChanged, errGone, or why it may not have been written.
func (c *Cluster) ask(ctx context.Context, token *v1alpha1.GitHubUserToken, value string) error {
	return c.set(ctx, token, v1alpha1.AnnotationWebLoginRequested, value)
}

// set sets one annotation, or takes it off where value is empty, if nobody has changed the resource since it was read; where that has no
// resourceVersion, if it is the same resource.
func (c *Cluster) set(ctx context.Context, token *v1alpha1.GitHubUserToken, key, value string) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	var annotation any
	if value != "" {
		annotation = value
	}
	metadata := map[string]any{"uid": token.UID, "annotations": map[string]any{key: annotation}}
	if token.ResourceVersion != "" {
		metadata["resourceVersion"] = token.ResourceVersion
	}
	patch, err := json.Marshal(map[string]any{"metadata": metadata})
	if err != nil {
		panic(err) // These are strings.
	}
	target := &v1alpha1.GitHubUserToken{ObjectMeta: metav1.ObjectMeta{Namespace: token.Namespace, Name: token.Name}}
	err = c.client.Patch(ctx, target, client.RawPatch(types.MergePatchType, patch), client.FieldOwner(FieldManager))
	switch {
	case err == nil:
		return nil
	case apierrors.IsConflict(err):
		return errChanged
	case apierrors.IsNotFound(err):
		return errGone
	default:
		return failed("set an annotation", err)
	}
}

// bring puts a code into the Secret in which the operator looks for that of an attempt. There is one Secret to an attempt: that it
// is there already means that an earlier write has come through although its answer was lost, or that somebody else was first, and the
// result will tell. The code goes nowhere else.
func (c *Cluster) bring(ctx context.Context, token *v1alpha1.GitHubUserToken, attemptID string, code credential.AuthorizationCode) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	err := c.client.Create(ctx, &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: token.Namespace, Name: v1alpha1.LoginCodeSecretName(attemptID),
			Labels: map[string]string{v1alpha1.LabelRole: v1alpha1.RoleLoginCode},
			OwnerReferences: []metav1.OwnerReference{{
				APIVersion: v1alpha1.GroupVersion.String(), Kind: "GitHubUserToken", Name: token.Name, UID: token.UID,
			}},
		},
		Data: map[string][]byte{v1alpha1.KeyCode: []byte(code.Reveal())},
	}, client.FieldOwner(FieldManager))
	if err == nil || apierrors.IsAlreadyExists(err) {
		return nil
	}
	return failed("bring the code", err)
}

// isForbidden reports whether the API server does not let the page do something.
func isForbidden(err error) bool {
	var failure *apiError
	return errors.As(err, &failure) && failure.reason == string(metav1.StatusReasonForbidden)
}
