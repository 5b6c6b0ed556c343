// Package reviewed lets those through whom the API server knows by their bearer token and allows what they ask for: a
// TokenReview and a SubjectAccessReview, as every part of Kubernetes does that answers to scrapers.
//
// k8s.io/apiserver has the same, and brings CEL, gRPC, OpenTelemetry and text/template along: 20 MB of a program of 58, and with
// the last of them all methods of all types, for the linker cannot tell which a template calls.
package reviewed
