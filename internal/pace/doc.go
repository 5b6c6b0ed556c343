// Package pace tells of what has happened, beside whoever has noticed it, no faster than a namespace may cost: somebody
// may change an object that ten thousand others refer to a hundred times a second. Nothing that an event brings about for
// more than one resource is done where the event is received, since the events of all namespaces come in one line there, and
// what stands in that line is kept in memory.
//
// The package imports nothing of the operator.
package pace
