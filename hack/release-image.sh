#!/usr/bin/env bash
# Builds the images of a release by ko, as .ko.yaml and client/.ko.yaml say, and pushes them with
# the tag VERSION: the operator's to IMAGE_REPO, and that of ghut-token to CLIENT_IMAGE_REPO
# (PUSH=false: builds them and pushes nothing).
#
#	dist/image.txt  both by digest: of each first that of all platforms, then each one's
#	dist/sbom       what is in them, as SPDX
#
# The same commit, Go and base make the same digests on any machine. So the version of Go
# is that of .go-version, unless GOTOOLCHAIN says otherwise, and a tree with changes that are
# in no commit is refused.
set -euo pipefail
cd "$(dirname "$0")/.."

if [ "$IMAGE_REPO" = "$CLIENT_IMAGE_REPO" ]; then
	echo "IMAGE_REPO and CLIENT_IMAGE_REPO are both $IMAGE_REPO: the tag of one image would be that of the other. Choose another repository for one of them." >&2
	exit 1
fi
if ! changes=$(git status --porcelain) || [ -n "$changes" ]; then
	printf 'The images of a release are built from a commit, and the tree differs from it:\n%s\n' "$changes" >&2
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
export SOURCE_DATE_EPOCH VERSION
[ -z "${BASE_IMAGE:-}" ] || export KO_DEFAULTBASEIMAGE=$BASE_IMAGE

rm -rf dist/image.txt dist/sbom
mkdir -p dist/sbom
dist=$PWD/dist url=https://github.com/githubusertoken/github-user-token-operator

# build FOLDER PACKAGE REPOSITORY TITLE: builds the image of a program, in the module in which it is.
build() {
	local each options=() refs=$dist/sbom/$4.txt
	local about=(
		"org.opencontainers.image.title=$4"
		"org.opencontainers.image.version=$VERSION"
		"org.opencontainers.image.revision=$revision"
		"org.opencontainers.image.created=$created"
		"org.opencontainers.image.source=$url"
		"org.opencontainers.image.url=$url"
		"org.opencontainers.image.documentation=$url/tree/$VERSION/docs"
		org.opencontainers.image.licenses=Apache-2.0
	)
	for each in "${about[@]}"; do
		options+=(--image-label "$each" --image-annotation "$each")
	done
	# The user by number, so that a kubelet can tell that it is not root.
	(cd "$1" && KO_DOCKER_REPO=$3 "$KO" build "$2" --bare --tags "$VERSION" --push="${PUSH:-true}" --image-user 65532:65532 \
		--sbom spdx --sbom-dir "$dist/sbom" --image-refs "$refs" "${options[@]}" >/dev/null)
	cat "$refs" >>dist/image.txt
	rm "$refs"
}
build . . "$IMAGE_REPO" github-user-token-operator
build client ./cmd/ghut-token "$CLIENT_IMAGE_REPO" ghut-token
cat dist/image.txt
