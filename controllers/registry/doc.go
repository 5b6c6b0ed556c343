// Package registry is which resources this process knows, by name and UID. It has those that are gone forgotten in every part
// of the operator. It knows no Kubernetes client.
package registry
