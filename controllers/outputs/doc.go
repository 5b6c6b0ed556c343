// Package outputs keeps the Secrets of spec.outputs in line with the pair that they are derived from. What
// stands in them is the business of the package format below; this one looks, judges, writes and removes.
//
// Right after a commit Publish writes every output from the pair in hand: no read, one request each, beside
// each other. Every reconcile calls Sync, which compares metadata in the cache with what it should be, and
// reads and writes only where the two differ. So an output that is deleted, edited or stale is restored
// without an exchange, and a start with outputs that are right costs no request at all.
//
// The rules:
//   - A Secret that belongs to somebody else is never written or removed, see IsOutputOf.
//   - Nothing here holds up an exchange: each call ends after five seconds, and what was not written is tried
//     again with a growing pause. Only what somebody must change waits for that change.
//   - An error's text never holds a token, whatever an admission webhook quotes.
//   - What is remembered of a resource is in one memory.Slot. Nothing in it is needed for safety.
//
// The package uses controller-runtime's client, so the simulation does not run it.
package outputs
