#!/usr/bin/env bash
# Prints config/default with the image IMG, as one file to apply.
set -euo pipefail
cd "$(dirname "$0")/.."

# On a copy: kustomize edit changes files.
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
cp -R config "$copy/config"
(cd "$copy/config/manager" && "$KUSTOMIZE" edit set image "github-user-token-operator=$IMG")
"$KUSTOMIZE" build "$copy/config/default"
