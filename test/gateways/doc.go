// Package gateways tries the recipes for gateways with the gateways' own code: the definitions that Envoy Gateway and the Gateway API install
// validate the manifests, by the API server's own validation, and what Envoy Gateway looks for in a Secret is named by its own package.
package gateways
