#!/usr/bin/env bash
# Brings into the chart what it shares with the kustomize tree: make chart. The templates
# name, place and adjust these objects, and hold none of their own but what only Helm has.
set -euo pipefail
cd "$(dirname "$0")/.."
files=charts/github-user-token-operator/files

rm -rf "$files"
# bring FOLDER FILE...: copies manifests of config/ into a folder of the chart, one object
# to a file, as the templates read them.
bring() {
	local folder=$files/$1 file name
	shift
	mkdir -p "$folder"
	for file; do
		name=$(basename "$file")
		awk -v to="$folder/${name%.*}" -v as=".${name##*.}" '
			function next_file() { n++; out = to (n > 1 ? "_" n : "") as; empty = 1 }
			BEGIN { next_file() }
			/^---$/ { if (!empty) { close(out); next_file() }; next }
			{ print > out; empty = 0 }
		' "$file"
	done
}
# of FOLDER: the manifests that a kustomization names as its resources, and no others.
of() {
	sed -nE '/^resources:/,/^[a-z]/s|^- ([a-z_/.]+\.yaml)$|'"$1"'/\1|p' "$1/kustomization.yaml"
}
bring crds config/crd/bases/*.yaml config/crd/downgrade.yaml
bring rbac $(of config/rbac)
bring manager $(of config/manager)
bring metrics config/default/metrics_service.yaml
bring flow-control $(of config/flow-control)
bring network-policy config/network-policy/ingress.yaml config/network-policy/egress.yaml
bring prometheus $(of config/prometheus)
bring grafana config/grafana/*.json
bring metrics-certificate $(of config/components/metrics-certificate)
bring webhook-receiver $(of config/components/webhook-receiver)
bring handoff $(of config/components/handoff)
bring handoff-role $(of config/components/handoff/role)
bring watched config/namespaced/watched/role_binding.yaml
bring walls $(of config/components/walls)
bring shard-wall $(of config/components/shard-wall)
bring user-warning $(of config/components/user-warning)
bring login-page $(of config/components/login-page)
bring token-server $(of config/components/token-server)
bring token-server-prometheus $(of config/components/token-server-prometheus)
bring token-server-certificate $(of config/components/token-server-certificate)
bring my-tokens $(of config/components/my-tokens)
