// Package apps resolves the App of a GitHubUserToken, in one place for all that needs one: what stands in its spec, a GitHubApp
// of its namespace, or a ClusterGitHubApp that an administrator offers.
//
// The contract:
//
//   - A resource never chooses where the client secret of an App that it refers to is sent: host, client ID and the Secret are
//     the App's. Apps are looked up by namespace and name only.
//   - Whoever may not use a ClusterGitHubApp learns neither that it exists nor what is wrong with it.
//   - A ClusterGitHubApp that is restricted binds every use of its host and client ID, however it is named.
//   - What a policy forbids is said, stops exchanges, and revokes nothing.
//
// It knows no Kubernetes client.
package apps
