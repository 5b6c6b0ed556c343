// Package login decides what comes next in a login, from what a resource says. It neither asks nor prints.
package login
