// Package bench measures the operator as it is shipped against the API server that it writes to: a process under the
// rights of its ServiceAccount, on a real control plane with config/default, beside a stand-in for GitHub that is a
// process of its own.
//
// What can be reached is what a plain client reaches that makes the same writes on the same objects, with an exchange
// on a fresh TLS connection in each cycle, while the same watches are open (plain_test.go). A bare one, on objects
// without a schema and with no watch, tells what the API server is asked for beyond that. All of them are measured in
// one run, round by round, and only their ratios are compared.
//
// Resources are put straight into etcd, in the shape in which the operator has left one that it was given
// (template_test.go), each with a time of its own at which it is due. When something happened is read from the API
// server's audit log, so that nobody who measures has a watch of their own.
//
// The short form runs with all tests and holds the operator to counts: calls of the API server, allocations. make bench
// runs the long one, and prints a table and lines for benchstat; its parts and sizes are set by flags: see
// flags_test.go.
package bench
