// Package boundedreply bounds how much is read of what the API server answers: tenants can make what they write a megabyte and more.
package boundedreply
