// Package metapatch keeps labels and annotations in line with what a spec asks for, and leaves alone what
// others have put there: it remembers, in an annotation, what it has applied before, so that what is asked
// for no longer is taken off again.
package metapatch
