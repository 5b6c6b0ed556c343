// Package witness tells of a pair that it is older than one that was there before: by what a process remembers of the chain, and by
// what the status of its resource tells. A witness raises a doubt, no more.
package witness
