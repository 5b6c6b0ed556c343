// Package lifecycle is what is done about one GitHubUserToken: it observes, lets rules.Decide say what is
// to be done, acts, remembers what came of it, and finalizes. The manager and the simulation run this very
// code; what differs between them stands behind the interfaces of ports.go.
//
// The contract:
//
//   - To observe is only to read. Of what is remembered it starts clocks and drops what the cache has caught up with,
//     so that to observe twice is the same as to observe once.
//   - Every write to a pair Secret, and every request that spends a token, is an action that Decide has chosen,
//     or part of finalizing and releasing.
//   - A reconcile never waits for GitHub: what asks GitHub runs in the Runner, and its end has the resource
//     reconciled again.
//   - Every way out of a reconcile ends in a Result that says what was done, what stands in the way and when it is
//     tried again, or in an error, which the caller retries.
//   - What is remembered is needed for speed and for true reports, never for safety.
//
// The Controller knows the order, and its parts do the work. Each is given only what it needs, and none knows the Controller:
//
//   - observer collects what is known; all that it is given reads.
//   - pairActions write the pair Secret and spend no token; prover asks GitHub about a pair from a backup.
//   - exchanges begin what spends a token, outcomes take down what came of it, a replay.Replayer stores what the outbox
//     still holds, and commits tell of pairs that cannot be stored yet.
//   - finalizer deals with a resource that is being deleted, a leftovers.Releaser with the Secrets of one that is gone.
//   - notes are what is remembered, a registry.Registry knows of which resources, and a leftovers.Finder looks whether they are still there.
//
// It knows no Kubernetes client and no controller-runtime.
package lifecycle
