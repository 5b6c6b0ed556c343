// Package recent remembers what was added lately, within bounds: a Set the last Least at least, and twice as many at most, and a Line
// as many as it is to, in their order.
package recent
