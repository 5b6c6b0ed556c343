#!/usr/bin/env bash
# Builds the image of a release by ko, as .ko.yaml says, and pushes it to IMAGE_REPO with the
# tag VERSION (PUSH=false: builds it and pushes nothing).
#
#	dist/image.txt  the image by digest: first that of all platforms, then each one's
#	dist/sbom       what is in them, as SPDX
#
# The same commit, Go and base make the same digest on any machine. So the version of Go
# is that of .go-version, unless GOTOOLCHAIN says otherwise, and a tree with changes that are
# in no commit is refused.
set -euo pipefail
cd "$(dirname "$0")/.."

if ! changes=$(git status --porcelain) || [ -n "$changes" ]; then
	printf 'The image of a release is built from a commit, and the tree differs from it:\n%s\n' "$changes" >&2
	exit 1
fi
export GOTOOLCHAIN=${GOTOOLCHAIN:-go$(cat .go-version)}
# What else would change the program.
export GOFLAGS=-buildvcs=true GOWORK=off GOEXPERIMENT= GOFIPS140=off GOAMD64=v1 GOARM64=v8.0
revision=$(git rev-parse HEAD)
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)
# ko writes times in the zone of the machine.
export TZ=UTC
created=$(git log -1 --format=%cd --date=format-local:%Y-%m-%dT%H:%M:%SZ)
export SOURCE_DATE_EPOCH VERSION KO_DOCKER_REPO=$IMAGE_REPO
[ -z "${BASE_IMAGE:-}" ] || export KO_DEFAULTBASEIMAGE=$BASE_IMAGE

url=https://github.com/githubusertoken/github-user-token-operator
about=(
	org.opencontainers.image.title=github-user-token-operator
	"org.opencontainers.image.version=$VERSION"
	"org.opencontainers.image.revision=$revision"
	"org.opencontainers.image.created=$created"
	"org.opencontainers.image.source=$url"
	"org.opencontainers.image.url=$url"
	"org.opencontainers.image.documentation=$url/tree/$VERSION/docs"
	org.opencontainers.image.licenses=Apache-2.0
)
options=()
for each in "${about[@]}"; do
	options+=(--image-label "$each" --image-annotation "$each")
done

rm -rf dist/image.txt dist/sbom
mkdir -p dist/sbom
# The user by number, so that a kubelet can tell that it is not root.
"$KO" build . --bare --tags "$VERSION" --push="${PUSH:-true}" --image-user 65532:65532 \
	--sbom spdx --sbom-dir dist/sbom --image-refs dist/image.txt "${options[@]}" >/dev/null
cat dist/image.txt
