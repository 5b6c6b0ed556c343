package controllers

import (
	"context"
	"sync"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
)

// queue lets what is not an event of the API server (a flight that has landed, a turn at the rate limit, a
// changed seed) have a resource reconciled. It is a source of the controller.
type queue struct {
	mu     sync.Mutex
	target workqueue.TypedRateLimitingInterface[ctrl.Request]
	names  map[types.UID]types.NamespacedName
}

func newQueue() *queue { return &queue{names: map[types.UID]types.NamespacedName{}} }

// Start implements source.Source.
func (q *queue) Start(_ context.Context, target workqueue.TypedRateLimitingInterface[ctrl.Request]) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.target = target
	return nil
}

// add has a resource reconciled. Before the controller runs there is no need to: it begins with all.
func (q *queue) add(name types.NamespacedName) {
	q.mu.Lock()
	target := q.target
	q.mu.Unlock()
	if target != nil {
		target.Add(ctrl.Request{NamespacedName: name})
	}
}

// learn remembers the name that belongs to a UID.
func (q *queue) learn(uid types.UID, name types.NamespacedName) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.names[uid] = name
}

// knows says whether this process has seen the resource with a UID.
func (q *queue) knows(uid types.UID) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	_, known := q.names[uid]
	return known
}

// uids are those of resources that this process has seen under a name.
func (q *queue) uids(name types.NamespacedName) (uids []types.UID) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for uid, known := range q.names {
		if known == name {
			uids = append(uids, uid)
		}
	}
	return uids
}

func (q *queue) unlearn(uid types.UID) {
	q.mu.Lock()
	defer q.mu.Unlock()
	delete(q.names, uid)
}

// wake has the resource with this UID reconciled.
func (q *queue) wake(uid string) {
	q.mu.Lock()
	name, known := q.names[types.UID(uid)]
	q.mu.Unlock()
	if known {
		q.add(name)
	}
}
