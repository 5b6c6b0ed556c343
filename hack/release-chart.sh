#!/usr/bin/env bash
# Packages the chart as VERSION, with what Artifact Hub wants to know of a version, and pushes it
# to CHART_REPO, an oci:// URL (PUSH=false: packages it alone).
#
#	dist/chart.txt  the chart by digest
set -euo pipefail
cd "$(dirname "$0")/.."
chart=github-user-token-operator version=${VERSION#v}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp -R "charts/$chart" "$work/$chart"

# The annotations are the end of Chart.yaml: a test holds it to that.
{
	echo "  artifacthub.io/prerelease: \"$([[ $version == *-* ]] && echo true || echo false)\""
	cat <<-YAML
		  artifacthub.io/images: |
		    - name: manager
		      image: $IMAGE_REPO:$VERSION
		      platforms: [linux/amd64, linux/arm64]
	YAML
	# An item of the changelog may have several lines, and links, which Artifact Hub does not show.
	hack/release-notes.sh "$VERSION" | awk '
		function flush() {
			if (item == "") return
			gsub(/[`*\\]/, "", item)
			while (match(item, /\[[^]]*\]\([^)]*\)/)) {
				link = substr(item, RSTART, RLENGTH); sub(/\]\(.*/, "", link)
				item = substr(item, 1, RSTART - 1) substr(link, 2) substr(item, RSTART + RLENGTH)
			}
			gsub(/"/, "\\\"", item)
			if (!n++) print "  artifacthub.io/changes: |"
			printf "    - kind: %s\n      description: \"%s\"\n", kind, item
			item = ""
		}
		/^### / { flush(); kind = tolower($2); next }
		/^- / { flush(); item = substr($0, 3); next }
		/^ / && item != "" { sub(/^ +/, ""); item = item " " $0; next }
		{ flush() }
		END { flush() }'
} >>"$work/$chart/Chart.yaml"

mkdir -p dist
"$HELM" package "$work/$chart" --destination dist --version "$version" --app-version "$VERSION"
[ "${PUSH:-true}" = true ] || exit 0
said=$("$HELM" push "dist/$chart-$version.tgz" "$CHART_REPO" ${HELM_PUSH_ARGS:-} 2>&1) || {
	printf '%s\n' "$said" >&2
	exit 1
}
digest=$(grep -o 'sha256:[0-9a-f]*' <<<"$said" | tail -n 1)
echo "${CHART_REPO#oci://}/$chart@$digest" | tee dist/chart.txt
