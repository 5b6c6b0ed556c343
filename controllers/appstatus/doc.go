// Package appstatus keeps the status of GitHubApps and ClusterGitHubApps, and holds those that are in use when they are deleted.
//
// The contract:
//
//   - A status is a report: whether the App can be used, whether GitHub accepts its client secret, and how many use it. It names
//     no resource and no namespace of those.
//   - An App that is being deleted stays as long as a resource uses it that may. Those that may not never hold it.
//   - GitHub is asked about a client secret once, once a day after that, and when it has refused the App to somebody who uses it,
//     see Doubt; about one that it has refused later each time, and for each new version of the Secret.
package appstatus
