// Package weblogin has the attempts to log in by the web flow as the pair Secret's state tells of them: without the code, and
// without the verifier, which are in Secrets of their own.
package weblogin
