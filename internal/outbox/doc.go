// Package outbox keeps GitHub's replies on a memory-backed file system until they are committed, so that
// the death of the process (an OOM kill, a panic, a lost lease during an outage of the API) loses no pair.
//
// The directory holds:
//
//	holder          the random id by which a restarted container recognises its own earlier lives
//	spare-N         preallocated files, so that a reply can be kept even when the file system is full
//	reply-H.json    one kept reply each; H is a hash of the record's id
//	*.corrupt       what looked like a reply and cannot be read; never deleted, never printed
//
// There are as many places as replies find room. An exchange has one before it begins, and its reply keeps that until it is
// committed. They are shared by namespace, so that one whose pairs the API server refuses leaves room for the others:
//
//   - A namespace that has no place gets one as long as any is free.
//   - A further one it gets while more are free than the last eighth and six times what it has. One that is alone so comes
//     to an eighth of all; each that follows finds less, until what is left is given to namespaces that have none, one
//     each.
//   - Whoever is refused is told the truth: that exchanges of its own namespace are about to end, that pairs of its own
//     namespace have waited to be stored for long, or that the outbox is full, which is nothing that it has done.
//
// Of 766 places ten namespaces that take all they can leave another one 21, and 27 leave it two. From the 28th on it gets
// one, so that its exchanges are made one after the other; the 129th takes the last. What is not guaranteed is a place
// beside a tenant who has that many namespaces.
//
// A lock on the directory is held for the life of the process. Whoever has it knows that every earlier
// life is dead.
package outbox
