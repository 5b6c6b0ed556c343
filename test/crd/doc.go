// Package crd measures the custom resource definitions with the API server's own code: what the API server estimates that their
// rules cost, and whether every field has bounds.
package crd
