# What the programs of a release that people run by themselves have in common; sourced by release-plugin.sh and release-client.sh.
# As the image, the archives are the same wherever they are made from one commit with one Go.
if ! changes=$(git status --porcelain) || [ -n "$changes" ]; then
	printf 'The programs of a release are built from a commit, and the tree differs from it:\n%s\n' "$changes" >&2
	exit 1
fi
go=${GO:-go}
export GOTOOLCHAIN=${GOTOOLCHAIN:-go$(cat .go-version)}
export GOFLAGS=-buildvcs=true GOWORK=off GOEXPERIMENT= GOFIPS140=off GOAMD64=v1 GOARM64=v8.0 CGO_ENABLED=0
time=$(git log -1 --format=%ct)

# compile PACKAGE_FOLDER MODULE_FOLDER OS ARCH FILE: builds a static program.
compile() {
	GOOS=$3 GOARCH=$4 "$go" build -C "$2" -trimpath -ldflags "-s -w -X main.version=$VERSION" -o "$5" "./$1"
}
# pack FOLDER ARCHIVE: packs the files of a folder, in an order and with times that are those of the commit.
pack() {
	LC_ALL=C tar --create --directory "$1" --format=ustar --sort=name --mtime="@$time" --owner=0 --group=0 --numeric-owner . |
		gzip --no-name --best >"$2"
}
