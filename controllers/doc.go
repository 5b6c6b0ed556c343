// Package controllers reconciles GitHubUserToken on a real API server. What is done about a resource stands in
// the packages below it, above all in lifecycle, which knows no Kubernetes client; this package is what they
// need of Kubernetes: the caches and watches, the writes to resources, and the report, with the metadata of the
// pair Secret, the outputs, the handoff and the status.
//
// A reconcile never waits for GitHub.
package controllers
