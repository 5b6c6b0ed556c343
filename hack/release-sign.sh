#!/usr/bin/env bash
# Signs what was pushed, both images for all platforms and each and the chart, attests the SBOM of
# each image, and signs the checksums of dist/release. Without SIGN_ARGS it is keyless: by the
# identity of the workflow, or of the person that a browser asks for.
set -euo pipefail
cd "$(dirname "$0")/.."
for made in image chart; do
	if [ ! -s "dist/$made.txt" ]; then
		echo "there is no dist/$made.txt: run make release-$made first" >&2
		exit 1
	fi
done
read -ra how <<<"${SIGN_ARGS:-}"
sign() { "$COSIGN" "$1" --yes ${how[@]+"${how[@]}"} "${@:2}"; }

# Of each image the first line is that of all platforms.
for image in $(awk -F@ '$1 != before { print; before = $1 }' dist/image.txt); do
	sign sign --recursive "$image"
done
# An SBOM says of which digest it is. Its name is no more than that of the repository's last part.
for sbom in dist/sbom/*.spdx.json; do
	digest=$(grep -m 1 -o '"name": *"sbom-sha256:[0-9a-f]*"' "$sbom" | grep -o 'sha256:[0-9a-f]*')
	if ! image=$(grep -m 1 -x ".*@$digest" dist/image.txt); then
		echo "$sbom is of $digest, which is none of the images in dist/image.txt: run make release-image again" >&2
		exit 1
	fi
	sign attest --type spdxjson --predicate "$sbom" "$image"
done
sign sign "$(cat dist/chart.txt)"
sign sign-blob --bundle dist/release/checksums.txt.sigstore.json dist/release/checksums.txt
