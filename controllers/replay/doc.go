// Package replay stores what the outbox still holds: pairs that an earlier life of this pod has received, or work that has
// ended in a panic.
//
// A replay needs no leader lease and no cache: a reply is committed only over the very token that it was got for. It never
// presents a token, and a panic in it leaves the record where it is.
package replay
