// Package fair shares a limited number of places, so that whoever asks for many of them leaves some to those
// who ask for few, without a share that is set aside while nobody wants it.
//
// The rule is that of dynamic thresholds, which switches use for the memory that their ports share: a key may
// have three times as many places as are left free. One that is alone gets three quarters of all. Two get three
// sevenths each. A key that has nothing yet always finds a place while any is free, and some are, for whoever
// has taken much gets no more of them.
//
// The package imports nothing of the operator.
package fair
