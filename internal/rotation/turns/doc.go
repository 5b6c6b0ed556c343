// Package turns says which of two chains of one account is published, and when the other one may be exchanged, so that an access
// token that somebody has read where it is published works for the overlap at least. It is pure: it looks at what is known of both
// pairs, and reads no clock.
//
// Each pair has a number in its own state, and the token of the pair with the higher one is published. A pair that comes of an exchange
// gets the highest, so that it is published by its very commit, and what is exchanged is always the other chain, whose token was replaced an
// overlap ago or more. Where the published chain ends, the other one gets a number in a write of its own before its token is published. So
// that a chain is published stands in its own Secret, under that one's version: a process whose view of it is old cannot fence it, and one whose
// view of the other chain is old sees a lower number there, and takes its own for the published one.
//
// That a token is where workloads read it is seen there, by its number, and the overlap is counted from the later of that moment and the
// pair's own time. One chain alone is exchanged as if there were no other.
package turns
