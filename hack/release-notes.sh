#!/usr/bin/env bash
# Prints what CHANGELOG.md says of a version, v0.2.0 for instance, with links that lead to the documents of
# that version from anywhere. There must be something.
set -euo pipefail
cd "$(dirname "$0")/.."
version=${1:?which version?}

notes=$(awk -v heading="## [${version#v}]" '
	/^## / { wanted = index($0, heading) == 1; next }
	/^\[[^]]+\]: / { next }
	wanted
' CHANGELOG.md | sed -e '/./,$!d' -e "s#](docs/#](https://github.com/githubusertoken/github-user-token-operator/blob/$version/docs/#g")
if [ -z "$notes" ]; then
	echo "CHANGELOG.md says nothing of ${version#v}" >&2
	exit 1
fi
printf '%s\n' "$notes"
