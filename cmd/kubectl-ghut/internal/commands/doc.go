// Package commands has the commands of kubectl ghut, one in each file. They ask and print; what is said of a resource is
// computed in package standing.
package commands
