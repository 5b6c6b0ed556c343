package controllers

import (
	"context"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/controller/priorityqueue"

	"github.com/githubusertoken/github-user-token-operator/internal/fairqueue"
	"github.com/githubusertoken/github-user-token-operator/internal/memory"
)

// queue lets what is not an event of the API server (an exchange that has ended, a turn at the rate limit, a
// changed seed) have a resource reconciled. It is a source of the controller.
type queue struct {
	memory *memory.Store

	mu     sync.Mutex
	target workqueue.TypedRateLimitingInterface[ctrl.Request]
}

// Start implements source.Source.
func (q *queue) Start(_ context.Context, target workqueue.TypedRateLimitingInterface[ctrl.Request]) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.target = target
	return nil
}

// add has a resource reconciled. Before the controller runs there is no need to: it begins with all.
func (q *queue) add(name types.NamespacedName) { q.addWith(name, fairqueue.Ordinary) }

func (q *queue) addWith(name types.NamespacedName, priority int) {
	q.mu.Lock()
	target := q.target
	q.mu.Unlock()
	if target != nil {
		addWithPriority(target, ctrl.Request{NamespacedName: name}, priority)
	}
}

// addDue adds a resource for which something has been due since a time.
func addDue(target workqueue.TypedRateLimitingInterface[ctrl.Request], request ctrl.Request, at time.Time) {
	addWithPriority(target, request, fairqueue.Due(at))
}

// addDueAfter adds a resource for which something is due at a time, which is so far away.
func addDueAfter(target workqueue.TypedRateLimitingInterface[ctrl.Request], request ctrl.Request, at time.Time, wait time.Duration) {
	if target, ok := target.(priorityqueue.PriorityQueue[ctrl.Request]); ok {
		target.AddWithOpts(priorityqueue.AddOpts{After: wait, Priority: new(fairqueue.Due(at))}, request)
		return
	}
	target.AddAfter(request, wait)
}

func addWithPriority(target workqueue.TypedRateLimitingInterface[ctrl.Request], request ctrl.Request, priority int) {
	if target, ok := target.(priorityqueue.PriorityQueue[ctrl.Request]); ok {
		target.AddWithOpts(priorityqueue.AddOpts{Priority: &priority}, request)
		return
	}
	target.Add(request)
}

// wake has the resource with this UID reconciled.
func (q *queue) wake(uid types.UID) {
	if name, known := q.memory.Name(uid); known {
		q.add(name)
	}
}

// granted has the resource with this UID reconciled before those that are merely due, thousands of them perhaps: its turn at a
// limit is kept for some seconds only.
func (q *queue) granted(uid types.UID) {
	if name, known := q.memory.Name(uid); known {
		q.addWith(name, fairqueue.Granted)
	}
}
