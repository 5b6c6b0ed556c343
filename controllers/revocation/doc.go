// Package revocation revokes pairs at GitHub: that of a resource which is deleted with deletionPolicy Revoke, and
// a pair that was received and must not be stored.
//
// GitHub is asked for two minutes at most; then the deletion goes on, and an event says which token lives on. A
// pair is revoked through its App while its access token lives, and otherwise by its own tokens; see revokePair.
//
// The tokens' own endpoint takes 60 requests an hour from the operator's address, for all. Namespaces take turns there, and
// who waits for one waits for ten minutes at most.
//
// What is remembered of a resource is one note, without any token. After a restart all begins anew, and GitHub is
// asked at least once more. The package knows no Kubernetes client.
package revocation
