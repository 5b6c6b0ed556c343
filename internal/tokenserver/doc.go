// Package tokenserver gives the current access token to a workload that shows who it is: a process of its own, of which every replica serves.
//
// A request goes through, in this order: its bounds (request.go), who asks and whether they may (callers), a place that namespaces share
// fairly, a read of the API server (reading), what may be given of that (release), and, where there is nothing yet that may, a wait
// (wait.go). What is given is written down before it is sent (audit.go).
//
// The contract:
//
//   - Before it is known that somebody may have the token of a resource, nothing of that is looked up, and what they are told does not depend on
//     whether it is there.
//   - An answer rests on a read that is at most a second old, and a wait on a review that is at most ten.
//   - Nothing is given that the caller says GitHub has refused.
//   - Every answer without a token says what is wrong and what to do, and, where it passes, when to ask again.
//   - No token appears in logs, metrics, events or errors, neither what is given out nor what it is asked with.
package tokenserver
