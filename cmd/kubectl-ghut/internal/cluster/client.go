package cluster

import (
	"context"
	"fmt"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
)

const ourGroup = "githubusertoken.dev"

// Client is what the commands do with objects.
type Client interface {
	Get(ctx context.Context, key client.ObjectKey, into client.Object) error
	List(ctx context.Context, into client.ObjectList, options ...client.ListOption) error
	Create(ctx context.Context, object client.Object) error
	Patch(ctx context.Context, object client.Object, patch client.Patch) error
	Delete(ctx context.Context, object client.Object, options ...client.DeleteOption) error
}

// Logs reads the end of a container's log.
type Logs interface {
	Tail(ctx context.Context, namespace, pod string, lines int64) ([]byte, error)
}

// Cluster is a cluster, as the kubeconfig and the flags name it.
type Cluster struct {
	Client
	Logs
	// Namespace is that of the flag, or of the context.
	Namespace string
	// Version asks for the version of Kubernetes.
	Version func(context.Context) (string, error)
}

// New makes a client.
func New(config *rest.Config, namespace string) (*Cluster, error) {
	scheme, err := Scheme()
	if err != nil {
		return nil, err
	}
	inner, err := client.New(config, client.Options{Scheme: scheme, Mapper: mapper()})
	if err != nil {
		return nil, fmt.Errorf("make a client: %w", err)
	}
	other, err := newPlain(config, scheme)
	if err != nil {
		return nil, err
	}
	return &Cluster{Client: Explaining(inner), Logs: other, Namespace: namespace, Version: other.version}, nil
}

// Explaining is a client whose errors are sentences.
func Explaining(inner client.Client) Client { return &explaining{inner} }

type explaining struct{ inner client.Client }

func (c *explaining) kind(object runtime.Object) schema.GroupVersionKind {
	gvk, err := apiutil.GVKForObject(object, c.inner.Scheme())
	if err != nil {
		return object.GetObjectKind().GroupVersionKind()
	}
	return gvk
}

func (c *explaining) Get(ctx context.Context, key client.ObjectKey, into client.Object) error {
	return explain(c.inner.Get(ctx, key, into), "get", c.kind(into), key.Namespace, key.Name)
}

func (c *explaining) List(ctx context.Context, into client.ObjectList, options ...client.ListOption) error {
	var o client.ListOptions
	o.ApplyOptions(options)
	return explain(c.inner.List(ctx, into, options...), "list", c.kind(into), o.Namespace, "")
}

func (c *explaining) Create(ctx context.Context, object client.Object) error {
	return explain(c.inner.Create(ctx, object), "create", c.kind(object), object.GetNamespace(), object.GetName())
}

func (c *explaining) Patch(ctx context.Context, object client.Object, patch client.Patch) error {
	return explain(c.inner.Patch(ctx, object, patch), "patch", c.kind(object), object.GetNamespace(), object.GetName())
}

func (c *explaining) Delete(ctx context.Context, object client.Object, options ...client.DeleteOption) error {
	return explain(c.inner.Delete(ctx, object, options...), "delete", c.kind(object), object.GetNamespace(), object.GetName())
}

// isByAuthorizer reports whether a refusal is about who asks, and not about what: admission refuses with the same status.
func isByAuthorizer(err error) bool {
	text := err.Error()
	return strings.Contains(text, "cannot ") && !strings.Contains(text, "admission webhook") &&
		!strings.Contains(text, "ValidatingAdmissionPolicy") && !apierrors.IsInvalid(err)
}

// kindOf is a kind as a person calls it.
func kindOf(gvk schema.GroupVersionKind) string { return strings.TrimSuffix(gvk.Kind, "List") }

// Token reads a resource.
func (c *Cluster) Token(ctx context.Context, name string) (*v1alpha1.GitHubUserToken, error) {
	token := &v1alpha1.GitHubUserToken{}
	if err := c.Get(ctx, client.ObjectKey{Namespace: c.Namespace, Name: name}, token); err != nil {
		return nil, err
	}
	return token, nil
}
