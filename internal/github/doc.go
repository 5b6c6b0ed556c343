// Package github is the client of GitHub's OAuth endpoints and of the few REST calls this operator
// makes. It knows nothing of Kubernetes.
//
// The exchange of a refresh token is destructive: GitHub kills the old pair at the moment it issues
// the new one, so a request that is sent twice, or a reply that is dropped, costs the pair. Hence the
// shape of this package:
//
//   - Exchange sends exactly one POST on a connection of its own. No layer repeats it, redirects it or
//     keeps it alive, and it is not begun after its deadline.
//   - Exchange returns the reply unexamined, so that the caller can store it before anybody looks into
//     it. Reply.Tokens, a pure function, does the looking.
//   - Every failure is an *Error: a Class that says what it means for the refresh token, a Reason from
//     a closed list, and a sentence in our own words. GitHub's text is never passed on.
package github
