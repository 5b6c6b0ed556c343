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
// A lock on the directory is held for the life of the process. Whoever has it knows that every earlier
// life is dead.
package outbox
