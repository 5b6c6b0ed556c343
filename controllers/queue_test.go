package controllers

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/secretwatch"
	"github.com/githubusertoken/github-user-token-operator/internal/fairqueue"
)

// A start brings every resource. What becomes due before it is its turn does not wait for the others, nor does an event.
func TestStartDueRefreshGoesBeforeAllThatAStartBrings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWatchWorld(t)
		queue := fairqueue.New(fairqueue.Options{Workers: 1, RateLimiter: workqueue.DefaultTypedControllerRateLimiter[reconcile.Request]()})
		defer queue.ShutDown()
		starts := func(name string, due time.Duration) {
			pair := pairMetadata("team-a", name, time.Now().Add(due))
			w.secretEvents().Create(context.Background(), event.CreateEvent{Object: pair, IsInInitialList: true}, queue)
		}
		for i := range 3 {
			starts(fmt.Sprintf("rests-%d", i), time.Hour)
		}
		starts("overdue", -time.Second)
		starts("due-soon", time.Minute)
		before, after := pairMetadata("team-a", "changed", time.Now().Add(time.Hour)), pairMetadata("team-a", "changed", time.Now().Add(time.Hour))
		after.SetResourceVersion("2")
		w.secretEvents().Update(context.Background(), event.UpdateEvent{ObjectOld: before, ObjectNew: after}, queue)

		next := func() string {
			item, _ := queue.Get()
			queue.Done(item)
			return item.Name
		}
		order := []string{next()}
		time.Sleep(time.Minute)
		synctest.Wait()
		for queue.Len() > 0 {
			order = append(order, next())
		}
		if got, want := strings.Join(order, " "), "overdue due-soon changed rests-0 rests-1 rests-2"; got != want {
			t.Errorf("order %s, want %s", got, want)
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		if queue.Len() != 3 {
			t.Errorf("%d resources are looked at when they are due, want the 3 that a start has brought", queue.Len())
		}
	})
}

// pairMetadata is the metadata of a pair Secret as the cache has it.
func pairMetadata(namespace, owner string, due time.Time) client.Object {
	yes := true
	return &metav1.PartialObjectMetadata{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Secret"},
		ObjectMeta: metav1.ObjectMeta{
			Namespace: namespace, Name: owner + "-token",
			Labels:          map[string]string{v1alpha1.LabelRole: v1alpha1.RolePair, v1alpha1.LabelOwner: owner},
			Annotations:     map[string]string{v1alpha1.AnnotationNextRefreshAt: due.UTC().Format(time.RFC3339)},
			OwnerReferences: []metav1.OwnerReference{{APIVersion: v1alpha1.GroupVersion.String(), Kind: "GitHubUserToken", Name: owner, UID: "uid", Controller: &yes}},
		},
	}
}

// The watch on Secrets that resources name finds all of them at a start. What it finds stands before nothing that happens.
func TestStartSecretsThatAreFoundStandBeforeNothing(t *testing.T) {
	for name, c := range map[string]struct {
		secret string
		found  bool
		want   string
	}{
		"a pair Secret that is found":   {"octocat-token", true, "other octocat"},
		"an output that is found":       {"octocat-output", true, "other octocat"},
		"a pair Secret that has come":   {"octocat-token", false, "octocat other"},
		"an output that somebody takes": {"octocat-output", false, "octocat other"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWatchWorld(t)
			queue := fairqueue.New(fairqueue.Options{Workers: 1, RateLimiter: workqueue.DefaultTypedControllerRateLimiter[reconcile.Request]()})
			defer queue.ShutDown()
			w.must(w.queue.Start(t.Context(), queue))
			secret := types.NamespacedName{Namespace: w.token.Namespace, Name: c.secret}
			w.nameChanged(t.Context(), w.token, secretwatch.Change{Name: secret, First: true, Found: c.found, Marked: true})
			queue.Add(reconcile.Request{NamespacedName: types.NamespacedName{Namespace: w.token.Namespace, Name: "other"}})
			var order []string
			for queue.Len() > 0 {
				item, _ := queue.Get()
				queue.Done(item)
				order = append(order, item.Name)
			}
			if got := strings.Join(order, " "); got != c.want {
				t.Errorf("order %s, want %s", got, c.want)
			}
		})
	}
}
