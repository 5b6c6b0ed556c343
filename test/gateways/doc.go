// Package gateways tries recipes with their consumers' own code: the definitions that Envoy Gateway, the Gateway API and External Secrets install
// validate the manifests, by the API server's own validation, and what Envoy Gateway looks for in a Secret is named by its own package.
package gateways
