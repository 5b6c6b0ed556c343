#!/usr/bin/env bash
# Gathers in dist/release what stands beside a release's notes: manifests with the image by
# digest, the chart, the kubectl plugin, ghut-token, the SBOMs, and checksums of all.
set -euo pipefail
cd "$(dirname "$0")/.."
for made in image.txt chart.txt plugin/ghut.yaml client; do
	if [ ! -s "dist/$made" ]; then
		part=${made%%/*}
		echo "there is no dist/$made: run make release-${part%.txt} first" >&2
		exit 1
	fi
done
name=github-user-token-operator release=dist/release
digest=$(head -n 1 dist/image.txt) digest=${digest#*@}

rm -rf "$release"
mkdir -p "$release"
IMG=$IMAGE_REPO:$VERSION@$digest hack/build-installer.sh >"$release/install.yaml"
"$KUSTOMIZE" build config/crd >"$release/crds.yaml"
cp "dist/$name-${VERSION#v}.tgz" "$release"
cp dist/image.txt "$release/images.txt"
cp dist/plugin/* dist/client/* "$release"
for sbom in dist/sbom/*.spdx.json; do
	part=$(basename "$sbom") of=$name
	case $part in ghut-token-*) of=ghut-token ;; esac
	cp "$sbom" "$release/$of-${VERSION#v}${part#"$of"}"
done
cd "$release"
sha256sum -- * >../checksums.txt
mv ../checksums.txt .
cat checksums.txt
