// Package runner runs the work that a reconcile must not wait for: exchanges with GitHub, above all. At most
// one piece of work runs for each resource, a limited number run at once, and nothing cancels one that has
// started. They outlive the reconcile that started them and the loss of the leader lease; the process waits
// for them before it exits.
//
// The package knows neither Kubernetes nor GitHub.
package runner
