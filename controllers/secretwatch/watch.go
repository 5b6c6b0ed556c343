package secretwatch

import (
	"context"
	"sync"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/metadata"

	"github.com/githubusertoken/github-user-token-operator/internal/backoff"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// Options configure a Watch.
type Options struct {
	// Client watches Secrets' metadata.
	Client metadata.Interface
	// Namespaces are those that are watched. Default: all.
	Namespaces []string
	// Named reports whether some resource names the Secret. It is asked at each event, and must be quick.
	Named func(types.NamespacedName) bool
	// Marks are a hash of what a Secret's metadata tells those who name it as their own: whose it is. Default: none.
	Marks func(metav1.Object) uint64
	// Cached reports whether a cache tells of the Secret as well, so that it is no news when it is found. Default: none does.
	Cached func(metav1.Object) bool
	// Changed is called for each change of a Secret that is named, from the goroutine of a namespace's watch.
	Changed func(context.Context, Change)
	// Sleep returns after the given time, or earlier with the context's error. Default: by the real clock.
	Sleep func(context.Context, time.Duration) error
	// Log takes the messages. Its zero value drops them.
	Log logr.Logger
}

// Change is a change of a Secret.
type Change struct {
	Name types.NamespacedName
	// First reports that nothing was known of the Secret before, as at a start.
	First bool
	// Found reports that nothing has happened to the Secret, as far as anybody can tell: a watch that begins finds it. It is First.
	Found bool
	// Marked reports that the Secret may be there now and was not, or the other way round, or bear other marks. Otherwise
	// its data may have changed, or metadata that means nothing.
	Marked bool
	// Controller is the UID of the object that controls the Secret; empty when none does.
	Controller types.UID
}

// Merge makes one of two changes of the same Secret, the older first.
func Merge(before, after Change) Change {
	after.First, after.Found, after.Marked = before.First, before.Found && after.Found, before.Marked || after.Marked
	return after
}

// Watch is a watch on the Secrets that resources name. Make it with New; it is safe for concurrent use.
type Watch struct {
	options  Options
	versions versions
}

// New makes a Watch. It knows nothing before Run.
func New(options Options) *Watch {
	if len(options.Namespaces) == 0 {
		options.Namespaces = []string{metav1.NamespaceAll}
	}
	if options.Marks == nil {
		options.Marks = func(metav1.Object) uint64 { return 0 }
	}
	if options.Cached == nil {
		options.Cached = func(metav1.Object) bool { return false }
	}
	if options.Sleep == nil {
		options.Sleep = rotation.SystemClock().Sleep
	}
	return &Watch{options: options, versions: versions{named: options.Named, known: map[types.NamespacedName]seen{}}}
}

// Version is the current version of a named Secret, as VersionOf has it; empty when it was deleted. known is
// false when nothing is known of it.
func (w *Watch) Version(name types.NamespacedName) (version string, known bool) {
	return w.versions.get(name)
}

// Learn notes the version of a Secret that was read, empty when there was none, unless the watch has told of
// one.
func (w *Watch) Learn(name types.NamespacedName, version string) { w.versions.learn(name, version) }

// Forget drops what is known of a Secret that no resource names any more.
func (w *Watch) Forget(name types.NamespacedName) { w.versions.forget(name) }

// Prune drops what is known of Secrets that no resource names any more. It is done now and then without being
// asked for, so that what is known grows with what is named and not with how often specs change.
func (w *Watch) Prune() { w.versions.prune() }

// Run watches until the context ends. It must begin after the resources are in the cache: what is named is
// looked up there.
func (w *Watch) Run(ctx context.Context) {
	var group sync.WaitGroup
	for _, namespace := range w.options.Namespaces {
		group.Go(func() { w.follow(ctx, namespace) })
	}
	group.Wait()
}

// pause is how long to wait before the watch begins anew.
var pause = backoff.Backoff{First: time.Second, Max: 30 * time.Second}

// follow watches one namespace, or all when it is empty. A watch that begins without a resourceVersion
// reports every existing Secret first. What it has not told of by its first bookmark was deleted meanwhile; where it ends before that,
// nobody can tell, and what is known of the others stays.
func (w *Watch) follow(ctx context.Context, namespace string) {
	secrets := w.options.Client.Resource(corev1.SchemeGroupVersion.WithResource("secrets")).Namespace(namespace)
	version, failures, isNew := "", 0, true
	for ctx.Err() == nil {
		if version == "" {
			isNew = true
			w.versions.age(namespace)
		}
		stream, err := secrets.Watch(ctx, metav1.ListOptions{ResourceVersion: version, AllowWatchBookmarks: true})
		if err == nil {
			before := version
			isNew = isNew && before == "" // One that was cut while it told what there is has not told of all.
			version, err = w.drain(ctx, stream, version, func() {
				if isNew {
					isNew = false
					w.sweep(ctx, namespace)
				}
			})
			if err == nil && version != before {
				failures = 0
				continue // An orderly end: the server closes watches after some minutes.
			}
		}
		if err != nil {
			version = "" // Most likely too old. Begin anew.
			w.options.Log.V(1).Info("The watch on Secrets ended and begins anew", "namespace", namespace, "cause", err.Error())
		}
		failures++
		_ = w.options.Sleep(ctx, pause.After(failures)) // It fails when the context has ended, which the loop sees.
	}
}

// sweep tells of the Secrets that were deleted before a watch began anew.
func (w *Watch) sweep(ctx context.Context, namespace string) {
	for _, name := range w.versions.old(namespace) {
		gone := &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Namespace: name.Namespace, Name: name.Name}}
		w.see(ctx, watch.Deleted, gone, false)
	}
}

// drain reads a watch to its end, tells of its bookmarks, and returns the version from which to go on.
func (w *Watch) drain(ctx context.Context, stream watch.Interface, version string, bookmark func()) (string, error) {
	defer stream.Stop()
	begins := version == "" // What there is comes first, each as if it were new.
	for event := range stream.ResultChan() {
		if event.Type == watch.Error {
			return version, apierrors.FromObject(event.Object)
		}
		meta, ok := event.Object.(*metav1.PartialObjectMetadata)
		if !ok {
			continue
		}
		version = meta.ResourceVersion
		if begins = begins && event.Type == watch.Added; event.Type == watch.Bookmark {
			bookmark()
		} else {
			w.see(ctx, event.Type, meta, begins)
		}
	}
	return version, nil
}

// see takes in an event. begins reports that the watch may still be telling what there is.
func (w *Watch) see(ctx context.Context, kind watch.EventType, meta *metav1.PartialObjectMetadata, begins bool) {
	name := types.NamespacedName{Namespace: meta.Namespace, Name: meta.Name}
	if !w.options.Named(name) {
		w.Forget(name) // What is kept of a Secret must be its last version, or nothing.
		return
	}
	change, current := Change{Name: name}, seen{}
	if kind != watch.Deleted {
		current = seen{version: VersionOf(meta), marks: w.options.Marks(meta)}
		if controller := metav1.GetControllerOfNoCopy(meta); controller != nil {
			change.Controller = controller.UID
		}
	}
	news := w.versions.set(name, current, &change)
	change.Found = change.First && begins
	if news && (!change.First || !w.options.Cached(meta)) {
		w.options.Changed(ctx, change)
	}
}
