package fairqueue

import "sigs.k8s.io/controller-runtime/pkg/reconcile"

// line is the items of one namespace: a heap, with that of the highest priority first, and among equals the one that has waited
// longest.
type line struct {
	namespace string
	entries   []entry
	at        map[reconcile.Request]int
	// added is the number of items that were ever added.
	added int
}

type entry struct {
	item            reconcile.Request
	priority, added int
}

// Len implements heap.Interface.
func (l *line) Len() int { return len(l.entries) }

// Less implements heap.Interface.
func (l *line) Less(i, j int) bool {
	a, b := &l.entries[i], &l.entries[j]
	if a.priority != b.priority {
		return a.priority > b.priority
	}
	return a.added < b.added
}

// Swap implements heap.Interface.
func (l *line) Swap(i, j int) {
	l.entries[i], l.entries[j] = l.entries[j], l.entries[i]
	l.at[l.entries[i].item], l.at[l.entries[j].item] = i, j
}

// Push implements heap.Interface.
func (l *line) Push(x any) {
	e := x.(entry)
	l.at[e.item] = len(l.entries)
	l.entries = append(l.entries, e)
}

// Pop implements heap.Interface.
func (l *line) Pop() any {
	last := len(l.entries) - 1
	e := l.entries[last]
	l.entries[last] = entry{}
	l.entries = l.entries[:last]
	delete(l.at, e.item)
	return e
}
