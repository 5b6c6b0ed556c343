// Package v1alpha1 is the API group githubusertoken.dev: the GitHubUserToken resource, the types and
// reasons of its conditions, and the labels and annotations that the operator reads and writes.
//
// +kubebuilder:object:generate=true
// +groupName=githubusertoken.dev
package v1alpha1
