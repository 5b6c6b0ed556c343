package fairqueue

import (
	"slices"

	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/githubusertoken/github-user-token-operator/internal/fair"
)

// ring is the namespaces that have items of one class, the one whose turn it is first.
type ring struct {
	order []*line
	of    map[string]*line
}

// line is the items of one namespace, the one that has waited longest first. What was removed leaves a gap, which is closed
// when it comes to the front.
type line struct {
	namespace string
	items     []reconcile.Request
	at        map[reconcile.Request]int
	// first is the number of items that were taken from the front.
	first int
}

func (r *ring) add(item reconcile.Request) {
	l := r.of[item.Namespace]
	if l == nil {
		l = &line{namespace: item.Namespace, at: map[reconcile.Request]int{}}
		if r.of == nil {
			r.of = map[string]*line{}
		}
		r.of[item.Namespace] = l
		r.order = append(r.order, l)
	}
	l.at[item] = l.first + len(l.items)
	l.items = append(l.items, item)
}

// next is the first namespace in the order that may have one more worker; -1 when none may.
func (r *ring) next(places *fair.Places) int {
	return slices.IndexFunc(r.order, func(l *line) bool { return places.Fits(fair.Key{Namespace: l.namespace}) })
}

// take takes the item that has waited longest of a namespace in the order, and puts the namespace last.
func (r *ring) take(at int) reconcile.Request {
	l := r.order[at]
	item := l.pop()
	r.order = slices.Delete(r.order, at, at+1)
	if len(l.at) > 0 {
		r.order = append(r.order, l)
	} else {
		delete(r.of, l.namespace)
	}
	return item
}

func (r *ring) remove(item reconcile.Request) {
	l := r.of[item.Namespace]
	l.items[l.at[item]-l.first] = reconcile.Request{}
	delete(l.at, item)
	if len(l.at) == 0 {
		delete(r.of, l.namespace)
		r.order = slices.DeleteFunc(r.order, func(other *line) bool { return other == l })
	}
}

func (l *line) pop() reconcile.Request {
	for {
		item := l.items[0]
		l.items[0] = reconcile.Request{}
		l.items, l.first = l.items[1:], l.first+1
		if _, there := l.at[item]; there {
			delete(l.at, item)
			return item
		}
	}
}
