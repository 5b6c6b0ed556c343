// Package recent remembers what was added lately, within bounds: a Set the last Least at least, and twice as many at most, a Line
// as many as it is to, in their order, and Said what was said last of some keys.
package recent
