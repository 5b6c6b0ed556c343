package stage

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/credential"
)

// Kind says what happened to a pair Secret.
type Kind string

const (
	// LoggedIn: the seed, or a device authorization, became the first pair of a chain.
	LoggedIn Kind = "logged in"
	// Rotated: a pair was replaced.
	Rotated Kind = "rotated"
	// Deleting: somebody deletes the Secret.
	Deleting Kind = "deleting"
	// Restored: the Secret is back with the pair that it held before.
	Restored Kind = "restored"
	// Gone: the Secret is gone, with its resource.
	Gone Kind = "gone"
)

// Change is something that happened to a pair Secret, as every client that watches it can see.
type Change struct {
	Kind Kind
	// Resource is the GitHubUserToken.
	Resource types.NamespacedName
	// SeenAt is when the watch brought it.
	SeenAt time.Time
	// Spent is the refresh token that the pair cost; zero if it was not seen.
	Spent credential.RefreshToken
	// Replaced is the access token that was in the Secret; zero after a login.
	Replaced credential.AccessToken
	// Access and Refresh are in the Secret now.
	Access  credential.AccessToken
	Refresh credential.RefreshToken
	// ExpiresAt and NextRefreshAt are what the Secret says; zero for never.
	ExpiresAt, NextRefreshAt time.Time
}

// Watcher is told what happens, one call at a time for each kind of object.
type Watcher struct {
	Pair func(Change)
	// Resource is told each version of a GitHubUserToken, and nil for its end. May be nil.
	Resource func(name types.NamespacedName, token *v1alpha1.GitHubUserToken)
}

// Scheme knows the kinds that the stage deals in.
func Scheme() (*runtime.Scheme, error) {
	scheme := runtime.NewScheme()
	if err := errors.Join(clientgoscheme.AddToScheme(scheme), v1alpha1.AddToScheme(scheme)); err != nil {
		return nil, fmt.Errorf("make a scheme: %w", err)
	}
	return scheme, nil
}

// Watch follows all pair Secrets and resources as an administrator, until ctx
// ends, and returns when it is up to date.
func (s *Stage) Watch(ctx context.Context, w Watcher) error {
	log.SetLogger(logr.Discard()) // what the watch itself has to say is of no use to anybody
	scheme, err := Scheme()
	if err != nil {
		return err
	}
	watched, err := cache.New(s.Plane.AdminConfig(), cache.Options{
		Scheme: scheme,
		ByObject: map[client.Object]cache.ByObject{&corev1.Secret{}: {
			Label: labels.SelectorFromSet(labels.Set{v1alpha1.LabelRole: v1alpha1.RolePair}),
		}},
	})
	if err != nil {
		return fmt.Errorf("set up a watch: %w", err)
	}
	reader, err := client.New(s.Plane.AdminConfig(), client.Options{Scheme: scheme})
	if err != nil {
		return fmt.Errorf("make a client for seeds: %w", err)
	}
	t := &tracker{known: map[types.NamespacedName]pair{}, tell: w.Pair, seed: func(namespace, fingerprint string) credential.RefreshToken {
		return seedNamed(ctx, reader, namespace, fingerprint)
	}}
	handlers := map[client.Object]toolscache.ResourceEventHandler{
		&corev1.Secret{}: toolscache.ResourceEventHandlerFuncs{
			AddFunc:    func(object any) { t.saw(object.(*corev1.Secret), time.Now()) },
			UpdateFunc: func(_, object any) { t.saw(object.(*corev1.Secret), time.Now()) },
			DeleteFunc: func(object any) { t.lost(object, time.Now()) },
		},
	}
	if w.Resource != nil {
		handlers[&v1alpha1.GitHubUserToken{}] = resourceHandler(w.Resource)
	}
	for object, handle := range handlers {
		informer, err := watched.GetInformer(ctx, object, cache.BlockUntilSynced(false))
		if err != nil {
			return fmt.Errorf("set up a watch: %w", err)
		}
		if _, err := informer.AddEventHandler(handle); err != nil {
			return fmt.Errorf("set up a watch: %w", err)
		}
	}
	ended := make(chan struct{})
	ctx, cancel := context.WithCancel(ctx)
	go func() {
		defer close(ended)
		_ = watched.Start(ctx) // fails only if it was started before
	}()
	s.closers = append(s.closers, func() {
		cancel()
		<-ended
	})
	if !watched.WaitForCacheSync(ctx) {
		return fmt.Errorf("set up a watch: %w", context.Cause(ctx))
	}
	return nil
}

func resourceHandler(tell func(types.NamespacedName, *v1alpha1.GitHubUserToken)) toolscache.ResourceEventHandler {
	saw := func(object any) {
		token := object.(*v1alpha1.GitHubUserToken)
		tell(client.ObjectKeyFromObject(token), token)
	}
	return toolscache.ResourceEventHandlerFuncs{
		AddFunc:    saw,
		UpdateFunc: func(_, object any) { saw(object) },
		DeleteFunc: func(object any) {
			if name, err := toolscache.DeletionHandlingObjectToName(object); err == nil {
				tell(types.NamespacedName{Namespace: name.Namespace, Name: name.Name}, nil)
			}
		},
	}
}

// pair is what a version of a pair Secret holds.
type pair struct {
	resource      types.NamespacedName
	uid           types.UID
	deleting      bool
	access        credential.AccessToken
	refresh, seed credential.RefreshToken // The seed is that of a login under way.
}

// tracker makes changes out of versions. It reads Secrets as any consumer could,
// without the operator's own code.
type tracker struct {
	known map[types.NamespacedName]pair
	tell  func(Change)
	// seed finds the token in a seed by its fingerprint; zero when there is none.
	seed func(namespace, fingerprint string) credential.RefreshToken
}

// seedNamed finds a token of a fingerprint in the Secrets of a namespace that are not the operator's.
func seedNamed(ctx context.Context, reader client.Reader, namespace, fingerprint string) credential.RefreshToken {
	var secrets corev1.SecretList
	if reader.List(ctx, &secrets, client.InNamespace(namespace)) != nil {
		return credential.RefreshToken{}
	}
	for _, secret := range secrets.Items {
		for _, value := range secret.Data {
			token := credential.NewRefreshToken(strings.TrimSpace(string(value)))
			if secret.Labels[v1alpha1.LabelRole] == "" && string(token.Fingerprint()) == fingerprint {
				return token
			}
		}
	}
	return credential.RefreshToken{}
}

// loginIn names the token of a login that is being exchanged, as the annotation with the intent does; empty when there is none.
func loginIn(secret *corev1.Secret) string {
	var intent struct {
		Spends string `json:"spends"`
		Login  bool   `json:"login"`
	}
	if json.Unmarshal([]byte(secret.Annotations[v1alpha1.AnnotationIntent]), &intent) != nil || !intent.Login {
		return ""
	}
	return intent.Spends
}

func (t *tracker) saw(secret *corev1.Secret, at time.Time) {
	name := client.ObjectKeyFromObject(secret)
	owner := secret.Labels[v1alpha1.LabelOwner]
	if controller := metav1.GetControllerOfNoCopy(secret); controller != nil {
		owner = controller.Name
	}
	current := pair{
		resource: types.NamespacedName{Namespace: secret.Namespace, Name: owner},
		uid:      secret.UID, deleting: secret.DeletionTimestamp != nil,
		access:  credential.NewAccessToken(string(secret.Data[v1alpha1.KeyAccessToken])),
		refresh: credential.NewRefreshToken(string(secret.Data[v1alpha1.KeyRefreshToken])),
	}
	before := t.known[name]
	if login := loginIn(secret); login != "" {
		current.seed = t.seed(secret.Namespace, login)
	}
	t.known[name] = current
	kind, happened := compare(before, current)
	if !happened {
		return
	}
	change := Change{
		Kind: kind, Resource: current.resource, SeenAt: at, Access: current.access, Refresh: current.refresh,
		ExpiresAt: timeIn(secret, v1alpha1.AnnotationExpiresAt), NextRefreshAt: timeIn(secret, v1alpha1.AnnotationNextRefreshAt),
	}
	switch kind {
	case LoggedIn:
		change.Spent = before.seed
	case Rotated:
		change.Spent, change.Replaced = before.refresh, before.access
	}
	t.tell(change)
}

// compare says what happened between two versions.
func compare(before, current pair) (Kind, bool) {
	switch {
	case current.deleting && !before.deleting:
		return Deleting, true
	case current.access.IsZero():
		return "", false // a login is under way
	case before.access.IsZero(), !before.seed.IsZero() && current.seed.IsZero() && current.refresh != before.refresh:
		return LoggedIn, true
	case current.access != before.access:
		return Rotated, true
	case current.uid != before.uid:
		return Restored, true
	default:
		return "", false
	}
}

func (t *tracker) lost(object any, at time.Time) {
	found, err := toolscache.DeletionHandlingObjectToName(object)
	if err != nil {
		return
	}
	// What it held is remembered: the operator may be putting it back.
	t.tell(Change{Kind: Gone, Resource: t.known[types.NamespacedName{Namespace: found.Namespace, Name: found.Name}].resource, SeenAt: at})
}

func timeIn(secret *corev1.Secret, annotation string) time.Time {
	t, err := time.Parse(time.RFC3339, secret.Annotations[annotation])
	if err != nil {
		return time.Time{}
	}
	return t
}
