// Package secretwatch hears of every change to a Secret that some resource names (a seed, a client secret, a
// name that is taken) and stores no Secret.
//
// People's Secrets carry no label of the operator, so they cannot be selected, and a cache of every Secret in
// a cluster, even of its metadata, would cost more than all the rest of the operator. So this is one watch on
// metadata that looks at each event and forgets it. Of the Secrets that are named the current version is kept:
// the last one, or nothing. Versions of Secrets that nobody names any more are dropped.
//
// The package imports client-go's metadata client and nothing else of Kubernetes' clients.
package secretwatch
