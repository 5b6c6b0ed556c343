// Package test runs the plugin as a person does, "kubectl ghut …" by the real kubectl, on a real control plane with the operator
// and the stand-in for GitHub.
package test
