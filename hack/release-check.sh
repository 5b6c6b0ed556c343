#!/usr/bin/env bash
# Fails when the tag VERSION cannot be released: it is no version, it is the tag of another commit than
# the one that is checked out, that is not on main (MAIN), or it is not the latest of CHANGELOG.md.
set -euo pipefail
cd "$(dirname "$0")/.."
if [ -z "${VERSION:-}" ]; then
	echo "say which version: VERSION=v1.2.3" >&2
	exit 1
fi
failed=0
complain() {
	echo "$VERSION cannot be released: $1" >&2
	failed=1
}

number='(0|[1-9][0-9]*)'
[[ $VERSION =~ ^v$number\.$number\.$number(-(alpha|beta|rc)\.$number)?$ ]] ||
	complain "it is not of the form v1.2.3, with -alpha.N, -beta.N or -rc.N behind it if it is a pre-release"
tagged=$(git rev-parse --quiet --verify "refs/tags/$VERSION^{commit}" || true)
[ -z "$tagged" ] || [ "$tagged" = "$(git rev-parse HEAD)" ] ||
	complain "it is the tag of $tagged, and $(git rev-parse HEAD) is checked out"
git merge-base --is-ancestor HEAD "${MAIN:-origin/main}" 2>/dev/null ||
	complain "its commit is not on ${MAIN:-origin/main}"
hack/release-notes.sh "$VERSION" >/dev/null || complain "there are no notes"
latest=$(sed -nE 's/^## \[([0-9][^]]*)\] - [0-9]{4}-[0-9]{2}-[0-9]{2}$/\1/p' CHANGELOG.md | head -n 1)
[ "$latest" = "${VERSION#v}" ] ||
	complain "the latest version with a date in CHANGELOG.md is $latest"
exit $failed
