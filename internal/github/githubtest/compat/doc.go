// Package compat holds tests of the stand-in for GitHub with clients that other people wrote: golang.org/x/oauth2 and
// google/go-github. They were made for the real GitHub, so where they get along with the stand-in it does not merely
// agree with the client of this project. It is a module of its own to keep them out of the operator.
package compat
