// Package revokerequest ends a login because that is asked for in the name of its account, by the annotation revocation-requested, or because it is
// that of a visit which the login page has left. A request names an account and one
// login, and is for these alone: another login of the same resource, before or after, is not touched by it, nor is the next
// one by what is left of it.
//
// That it is asked for is written into the pair Secret's state first. Then GitHub is asked, as often as it takes; no token of
// the login is exchanged meanwhile. What has come of it is written there as well: a verdict that asks for a new login.
//
// Whoever may edit the resource may write the annotation. It gets them no more than they could have by the tokens, which are
// authority enough to revoke themselves. The package knows no Kubernetes client.
package revokerequest
