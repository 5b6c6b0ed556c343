// Package config has the manifests of the operator as files, for programs that render them: kubectl ghut install generate.
package config

import "embed"

// Files are the kustomizations of this folder, by which the operator is installed. The samples are not among them.
//
//go:embed all:components all:crd all:default all:flow-control all:grafana all:manager all:network-policy all:prometheus all:rbac
var Files embed.FS
