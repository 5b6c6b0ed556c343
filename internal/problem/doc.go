// Package problem has the one type in which everything between a resource and its next token is told: a
// reason and a sentence for its conditions, who must act, and when it is tried again. Conditions, events and
// metrics are made from it.
//
// The package imports nothing but the standard library. Which of several problems is shown is decided here
// and nowhere else, see First.
package problem
