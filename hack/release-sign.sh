#!/usr/bin/env bash
# Signs what was pushed, the image for all platforms and each and the chart, attests the SBOM of
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

image=$(head -n 1 dist/image.txt)
sign sign --recursive "$image"
sign sign "$(cat dist/chart.txt)"
for sbom in dist/sbom/*.spdx.json; do
	# It says of which digest it is.
	digest=$(grep -m 1 -o '"name": *"sbom-sha256:[0-9a-f]*"' "$sbom" | grep -o 'sha256:[0-9a-f]*')
	sign attest --type spdxjson --predicate "$sbom" "${image%@*}@$digest"
done
sign sign-blob --bundle dist/release/checksums.txt.sigstore.json dist/release/checksums.txt
