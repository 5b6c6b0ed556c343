// Package loopback is where the browser comes back to after a login by the web flow: a server on this machine, for one login. It
// takes the code from whoever knows the state of the login, once, and hands it on. Neither is printed or logged.
package loopback
