// Package endpoint serves HTTP to clients that nobody has identified yet, at a bounded cost: the number of
// connections, what each of them may make the process hold, and for how long.
//
// Go's server bounds only the time for the headers by itself, and controller-runtime's servers take headers of 1 MiB
// on any number of connections. So every listener of the process is one of these.
package endpoint
