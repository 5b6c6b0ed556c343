#!/usr/bin/env bash
# Builds the kubectl plugin as VERSION for each of PLUGIN_PLATFORMS, and packs it with the script by which kubectl completes it.
#
#	dist/plugin/kubectl-ghut_VERSION_OS_ARCH.tar.gz  one for each platform
#	dist/plugin/ghut.yaml                            the manifest for krew
set -euo pipefail
cd "$(dirname "$0")/.."

. hack/archives.sh
repository=https://github.com/githubusertoken/github-user-token-operator
plugin=$PWD/dist/plugin

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
rm -rf "$plugin"
mkdir -p "$plugin"
cat >"$work/ghut.yaml" <<YAML
apiVersion: krew.googlecontainertools.github.com/v1alpha2
kind: Plugin
metadata:
  name: ghut
spec:
  version: $VERSION
  homepage: $repository
  shortDescription: Log in to GitHub for workloads, and steer their tokens
  description: |
    Logs in to GitHub for the resources of github-user-token-operator, which keeps the user
    access tokens of a GitHub App fresh in Kubernetes. Tells how their tokens stand, who uses
    them and what to do now, and hands them to git.
  platforms:
YAML
for platform in $PLUGIN_PLATFORMS; do
	os=${platform%/*} arch=${platform#*/} suffix=
	[ "$os" != windows ] || suffix=.exe
	folder=$work/$os-$arch archive=kubectl-ghut_${VERSION#v}_${os}_$arch.tar.gz
	mkdir "$folder"
	compile . cmd/kubectl-ghut "$os" "$arch" "$folder/kubectl-ghut$suffix"
	cp hack/kubectl_complete-ghut LICENSE "$folder"
	chmod 755 "$folder/kubectl-ghut$suffix" "$folder/kubectl_complete-ghut"
	chmod 644 "$folder/LICENSE"
	pack "$folder" "$plugin/$archive"
	cat >>"$work/ghut.yaml" <<YAML
  - selector:
      matchLabels:
        os: $os
        arch: $arch
    uri: $repository/releases/download/$VERSION/$archive
    sha256: $(sha256sum "$plugin/$archive" | cut -d' ' -f1)
    bin: kubectl-ghut$suffix
    files:
    - from: kubectl-ghut$suffix
      to: .
    - from: LICENSE
      to: .
YAML
done
mv "$work/ghut.yaml" "$plugin/ghut.yaml"
ls "$plugin"
