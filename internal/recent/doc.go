// Package recent remembers what was added to a set lately, within bounds: the last Least at least, and twice as many at most.
package recent
