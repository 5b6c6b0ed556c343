// Package controllers reconciles GitHubUserToken. It gathers what is known of a resource, lets
// rotation.Decide say what is to be done, starts it, and reports. It is the only package that sees both
// Kubernetes and the protocol; what is sacred about the order of things stands in internal/rotation.
//
// A reconcile never waits for GitHub. An exchange runs as a flight of its own, which nothing cancels; when
// it has landed the resource is reconciled again.
package controllers
