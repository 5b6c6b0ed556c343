// Package memory is what a process remembers of resources, by UID. Each part of the operator keeps its own
// kind of note in a Slot of the one Store, so that a resource that is gone is forgotten by one call, whoever
// remembers something of it.
//
// Nothing in it is needed for safety: after a restart it is empty, and what must not be forgotten stands in
// the pair Secret. The package imports nothing of the operator.
package memory
