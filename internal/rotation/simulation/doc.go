// Package simulation runs the rotation protocol, the very code of internal/rotation, in a world that
// misbehaves: an API server with conflicts, stale watches, lost replies and outages; a GitHub that is strict
// about single use and fails in every way GitHub is known to; processes that are killed, stopped and resumed
// at any step; people who edit, delete and log in anew at the worst moment.
//
// A run is a function of its Config: one goroutine runs at a time, time is simulated, and every choice is
// drawn from the seed. A run that breaks an invariant can be run again exactly, and Shrink makes it small.
package simulation
