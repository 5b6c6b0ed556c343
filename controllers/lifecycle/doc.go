// Package lifecycle is what is done about one GitHubUserToken: it observes, lets rotation.Decide say what is
// to be done, acts, remembers what came of it, and finalizes. The manager and the simulation run this very
// code; what differs between them stands behind the interfaces of ports.go.
//
// The contract:
//
//   - Observe only reads. Of what is remembered it starts clocks and drops what the cache has caught up with, so
//     that to observe twice is the same as to observe once.
//   - Every write to a pair Secret, and every request that spends a token, is an action that Decide has chosen,
//     or part of Finalize and Release.
//   - A reconcile never waits for GitHub: what asks GitHub runs in the Runner, and its end has the resource
//     reconciled again.
//   - Every way out of a reconcile ends in a Result that says what was done, what stands in the way and when it is
//     tried again, or in an error, which the caller retries.
//   - What is remembered is needed for speed and for true reports, never for safety.
//
// It knows no Kubernetes client and no controller-runtime.
package lifecycle
