// Package scope is what one reconcile knows of one resource, and how a GitHubUserToken is read: its owner,
// App, policy and the requests that its annotations make. Every part of the operator takes it from here.
//
// It holds no secret, does no I/O and knows no Kubernetes client.
package scope
