// Package appsource is what controllers need of Kubernetes for Apps: where resources find theirs (Source), the indexes and events
// by which changes of Apps, of their client secrets and of namespaces find the resources that they matter to, the limits of
// token requests that Apps set, and the controllers that keep the statuses of Apps (package appstatus).
//
// Any number of resources may use one App. So nothing that an event is news of is done where the event is received: it is told
// beside it, no faster than a namespace may cost (internal/pace).
package appsource
