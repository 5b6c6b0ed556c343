// Package origin has the login that a chain goes back to, as the pair Secret's state tells of it: by which token it is known,
// since when there is a pair of it, and that its person has asked for its revocation.
package origin
