package fairqueue

import (
	"container/heap"
	"slices"

	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/githubusertoken/github-user-token-operator/internal/fair"
)

// ring is the namespaces that have items of one class, the one whose turn it is first.
type ring struct {
	order []*line
	of    map[string]*line
}

func (r *ring) add(item reconcile.Request, priority int) {
	l := r.of[item.Namespace]
	if l == nil {
		l = &line{namespace: item.Namespace, at: map[reconcile.Request]int{}}
		if r.of == nil {
			r.of = map[string]*line{}
		}
		r.of[item.Namespace] = l
		r.order = append(r.order, l)
	}
	l.added++
	heap.Push(l, entry{item, priority, l.added})
}

// next is the first namespace in the order that may have one more worker; -1 when none may.
func (r *ring) next(places *fair.Places) int {
	return slices.IndexFunc(r.order, func(l *line) bool { return places.Fits(fair.Key{Namespace: l.namespace}) })
}

// take takes the first item of a namespace in the order, and puts the namespace last.
func (r *ring) take(at int) reconcile.Request {
	l := r.order[at]
	item := heap.Pop(l).(entry).item
	r.order = slices.Delete(r.order, at, at+1)
	if l.Len() > 0 {
		r.order = append(r.order, l)
	} else {
		delete(r.of, l.namespace)
	}
	return item
}

func (r *ring) remove(item reconcile.Request) {
	l := r.of[item.Namespace]
	heap.Remove(l, l.at[item])
	if l.Len() == 0 {
		delete(r.of, l.namespace)
		r.order = slices.DeleteFunc(r.order, func(other *line) bool { return other == l })
	}
}
