package controllers

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
)

// secretWatch hears of every change to a Secret that some resource names (a seed, a client secret, a name
// that is taken) and stores no Secret. People's Secrets carry no label of ours, so they cannot be selected,
// and a cache of every Secret in a cluster, even of its metadata, would cost more than all the rest of this
// operator. So this is one watch on metadata that looks at each event and forgets it; of the Secrets that
// are named, the current version is kept.
type secretWatch struct {
	client     metadata.Interface
	namespaces []string
	// named says whether some resource names the Secret.
	named func(types.NamespacedName) bool
	// changed is called for each change of a Secret that is named.
	changed func(types.NamespacedName)
	log     logr.Logger

	mu       sync.Mutex
	versions map[types.NamespacedName]string
}

// version is the current version of a named Secret; empty when it was deleted. known is false when the
// watch has not heard of it.
func (w *secretWatch) version(name types.NamespacedName) (version string, known bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	version, known = w.versions[name]
	return version, known
}

// learn notes the version of a Secret that was read, unless the watch has told of one.
func (w *secretWatch) learn(name types.NamespacedName, version string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if _, known := w.versions[name]; !known {
		w.versions[name] = version
	}
}

// forget drops what is kept of a Secret that no resource names any more.
func (w *secretWatch) forget(name types.NamespacedName) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.versions, name)
}

// run watches until the context ends. It must begin after the resources are in the cache: what is named is
// looked up there.
func (w *secretWatch) run(ctx context.Context) {
	var group sync.WaitGroup
	for _, namespace := range w.namespaces {
		group.Go(func() { w.follow(ctx, namespace) })
	}
	group.Wait()
}

// follow watches one namespace, or all when it is empty. A watch that begins without a resourceVersion
// reports every existing Secret first, so a new beginning misses nothing but deletions; those matter only
// for a Secret that is in the way, which is looked at again in time.
func (w *secretWatch) follow(ctx context.Context, namespace string) {
	secrets := w.client.Resource(corev1.SchemeGroupVersion.WithResource("secrets")).Namespace(namespace)
	version := ""
	backoff := time.Second
	for ctx.Err() == nil {
		stream, err := secrets.Watch(ctx, metav1.ListOptions{ResourceVersion: version, AllowWatchBookmarks: true})
		if err == nil {
			before := version
			version, err = w.drain(stream, version)
			if err == nil && version != before {
				backoff = time.Second
				continue // An orderly end: the server closes watches after some minutes.
			}
		}
		if err != nil {
			version = "" // Most likely too old. Begin anew.
			w.log.V(1).Info("The watch on Secrets ended and begins anew", "namespace", namespace, "cause", err.Error())
		}
		select {
		case <-ctx.Done():
		case <-time.After(backoff):
			backoff = min(2*backoff, 30*time.Second)
		}
	}
}

// drain reads a watch to its end and returns the version from which to go on.
func (w *secretWatch) drain(stream watch.Interface, version string) (string, error) {
	defer stream.Stop()
	for event := range stream.ResultChan() {
		if event.Type == watch.Error {
			return version, apierrors.FromObject(event.Object)
		}
		meta, ok := event.Object.(*metav1.PartialObjectMetadata)
		if !ok {
			continue
		}
		version = meta.ResourceVersion
		if event.Type == watch.Bookmark {
			continue
		}
		w.see(event.Type, meta)
	}
	return version, nil
}

func (w *secretWatch) see(kind watch.EventType, meta *metav1.PartialObjectMetadata) {
	name := types.NamespacedName{Namespace: meta.Namespace, Name: meta.Name}
	if !w.named(name) {
		w.forget(name) // What is kept of a Secret must be its last version, or nothing.
		return
	}
	current := versionOf(&meta.ObjectMeta)
	if kind == watch.Deleted {
		current = ""
	}
	w.mu.Lock()
	before, known := w.versions[name]
	w.versions[name] = current
	w.mu.Unlock()
	if !known || before != current {
		w.changed(name)
	}
}

// versionOf names one version of one object.
func versionOf(meta *metav1.ObjectMeta) string {
	return string(meta.UID) + "/" + meta.ResourceVersion
}
