#!/usr/bin/env bash
# Builds ghut-token as VERSION for each of CLIENT_PLATFORMS.
#
#	dist/client/ghut-token_VERSION_OS_ARCH.tar.gz  one for each platform
set -euo pipefail
cd "$(dirname "$0")/.."
. hack/archives.sh
client=$PWD/dist/client

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
rm -rf "$client"
mkdir -p "$client"
for platform in $CLIENT_PLATFORMS; do
	os=${platform%/*} arch=${platform#*/} suffix=
	[ "$os" != windows ] || suffix=.exe
	folder=$work/$os-$arch
	mkdir "$folder"
	compile cmd/ghut-token client "$os" "$arch" "$folder/ghut-token$suffix"
	cp LICENSE "$folder"
	chmod 755 "$folder/ghut-token$suffix"
	chmod 644 "$folder/LICENSE"
	pack "$folder" "$client/ghut-token_${VERSION#v}_${os}_$arch.tar.gz"
done
ls "$client"
