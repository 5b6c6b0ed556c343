// Package fair shares a limited number of places, so that whoever asks for many of them leaves some to those
// who ask for few, without a share that is set aside while nobody wants it.
//
// The rule is that of dynamic thresholds, which switches use for the memory that their ports share: a namespace may
// have three times as many places as are left free. One that is alone gets three quarters of all. Two get three
// sevenths each. One that has nothing yet always finds a place while any is free, and some are, for whoever
// has taken much gets no more of them.
//
// Places that wait for a host are shared once more. Among the hosts the rule is the same, so that one that does not answer
// leaves places to the others. What a host may still get by that is what its namespaces share, again by the same rule: for
// nearly everybody it is the same host, and a count of the host alone would let one namespace use up everybody's share
// of it. So one namespace that is alone with one host gets nine sixteenths of all.
//
// The package imports nothing of the operator.
package fair
