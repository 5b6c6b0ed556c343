// Package apps resolves the App of a GitHubUserToken, in one place for all that needs one: what stands in its spec, a GitHubApp
// of its namespace, or a ClusterGitHubApp that an administrator offers.
//
// The contract:
//
//   - A resource never chooses where the client secret of an App that it refers to is sent: host, client ID and the Secret are
//     the App's. Apps are looked up by namespace and name only.
//   - Whoever may not use a ClusterGitHubApp learns neither that it exists nor what is wrong with it: what is said, and what
//     becomes of the resource, is the same as for one that does not exist.
//   - A ClusterGitHubApp that is restricted binds every use of its host and client ID, however it is named and spelt, and
//     whatever was derived from a pair of it.
//   - What a policy forbids is said, stops exchanges, and revokes nothing.
//   - What cannot be found out is an error, and never leave.
//
// It knows no Kubernetes client.
package apps
