package reading

import (
	"context"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/apps"
	"github.com/githubusertoken/github-user-token-operator/controllers/scopedtokens"
	"github.com/githubusertoken/github-user-token-operator/internal/pairsecret"
	"github.com/githubusertoken/github-user-token-operator/internal/tokenserver/release"
)

const (
	// callTimeout is how long one request to the API server may take.
	callTimeout = 5 * time.Second

	withheldByNamespace = "The namespace of the resource does not let its tokens be given out by the token server: its label " + v1alpha1.LabelTokenServer + " forbids it."
	withheldByApp       = "The App of the resource does not let its tokens be given out by the token server, or may not be used here. Ask its administrator."
)

// Reader reads resources live. Make it with NewReader; it is safe for concurrent use.
type Reader struct {
	live   client.Reader
	source *source
	apps   *apps.Resolver
}

// NewReader makes one of a client that reads from the API server itself, and not from a cache.
func NewReader(live client.Reader) *Reader {
	source := newSource(live)
	return &Reader{live: live, source: source, apps: apps.New(apps.Options{Source: source})}
}

// Read reads a resource and its pair, and the Secret of the output that is asked for.
func (r *Reader) Read(ctx context.Context, of release.Of) (release.Read, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	var resource v1alpha1.GitHubUserToken
	if err := r.live.Get(ctx, of.NamespacedName, &resource); err != nil {
		return release.Read{}, notFoundOr("read the resource", err)
	}
	read := release.Read{Resource: &resource, Named: of.Output}
	if !resource.DeletionTimestamp.IsZero() {
		return read, nil
	}
	var err error
	if read.Withheld, err = r.withheld(ctx, &resource); err != nil || read.Withheld != "" {
		return read, err
	}
	for _, secret := range secretNames(&resource) {
		if err := r.addPair(ctx, types.NamespacedName{Namespace: of.Namespace, Name: secret}, &read); err != nil {
			return release.Read{}, err
		}
	}
	if err := r.takeLeading(ctx, &read); err != nil {
		return release.Read{}, err
	}
	if err := r.addOutput(ctx, &read); err != nil {
		return release.Read{}, err
	}
	return read, nil
}

// Ready is nil when all that a read takes can be read.
func (r *Reader) Ready(ctx context.Context) error {
	nothing := types.NamespacedName{Namespace: metav1.NamespaceDefault, Name: "token-server-looks-whether-it-may-read"}
	_, err := r.Read(ctx, release.Of{NamespacedName: nothing})
	for _, look := range []func() error{
		func() error { return r.addPair(ctx, nothing, &release.Read{}) },
		func() error { _, err := r.source.GitHubApp(ctx, nothing); return err },
		func() error { _, err := r.source.all(ctx); return err },
		func() error { _, err := r.source.NamespaceLabels(ctx, nothing.Namespace); return err },
	} {
		if err == nil {
			err = look()
		}
	}
	return err
}

// withheld is why the token of a resource is not to be given out; empty when it may be.
func (r *Reader) withheld(ctx context.Context, resource *v1alpha1.GitHubUserToken) (string, error) {
	labels, err := r.source.NamespaceLabels(ctx, resource.Namespace)
	if err != nil {
		return "", err
	}
	if value, has := labels[v1alpha1.LabelTokenServer]; has && value != v1alpha1.TokenServerAllowed {
		return withheldByNamespace, nil
	}
	serves, err := r.apps.Serves(ctx, resource)
	if err != nil || serves {
		return "", err
	}
	return withheldByApp, nil
}

// secretNames are the names of the Secrets in which the pair of a resource may be. While it moves to the name that the spec asks for, or
// cannot, the status has the other one. Whoever names a Secret there gets nothing by it that is not the resource's own pair.
func secretNames(resource *v1alpha1.GitHubUserToken) []string {
	names := []string{resource.PairSecretName()}
	if former := resource.Status.SecretName; former != "" && former != names[0] {
		names = append(names, former)
	}
	return names
}

// addPair adds the pair in a Secret, if that is one, and may be given out by the App that it is of.
func (r *Reader) addPair(ctx context.Context, name types.NamespacedName, read *release.Read) error {
	var secret corev1.Secret
	if err := r.live.Get(ctx, name, &secret); err != nil {
		return notFoundOr("read the Secret", err)
	}
	pair := pairsecret.FromSecret(&secret)
	if !pair.Controlled || pair.Owner.UID != string(read.Resource.UID) {
		return nil // It is none of the resource's, and not held any longer.
	}
	read.Pairs = append(read.Pairs, pair)
	if pair.State.App == "" || read.Withheld != "" {
		return nil
	}
	serves, err := r.apps.ServesOf(ctx, name.Namespace, pair.State.App)
	if err == nil && !serves {
		read.Withheld = withheldByApp
	}
	return err
}

// addOutput adds what the output holds that is asked for, if the spec has it and its Secret is the resource's own.
func (r *Reader) addOutput(ctx context.Context, read *release.Read) error {
	spec := release.ScopedOutput(read.Resource, read.Named)
	if spec == nil || read.Withheld != "" || len(read.Pairs) == 0 {
		return nil
	}
	var secret corev1.Secret
	if err := r.live.Get(ctx, types.NamespacedName{Namespace: read.Resource.Namespace, Name: read.Named}, &secret); err != nil {
		return notFoundOr("read the Secret of the output", err)
	}
	if held, has := scopedtokens.HeldBy(read.Resource, spec, &secret); has {
		read.Output = &release.Output{Access: held.Token, Parent: held.Parent, App: held.App, ExpiresAt: held.ExpiresAt}
	}
	return nil
}
