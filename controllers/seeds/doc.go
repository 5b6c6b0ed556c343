// Package seeds reads what people put into Secrets of their own, seeds and client secrets, and settles which
// of several resources with the same refresh token may exchange it.
//
// Reader reads them live, past every cache, and only when there is a reason to: the versions of named Secrets
// are known from a watch, and what was found in a version is remembered with the resource. Look reads and
// remembers. It writes nothing, wakes nobody, and may be called again after an error.
//
// Ownership gives a refresh token to one resource: to that whose stored chain goes back to the token or
// stands at it, otherwise to that which has begun to exchange it, otherwise to the oldest, and of two that are
// equally old to that with the lesser UID. The others exchange nothing and are woken when it may be their turn.
//
// The package does no I/O of its own and knows no Kubernetes client. It holds no lock while it calls what it
// was given.
package seeds
