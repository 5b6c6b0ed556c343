#!/usr/bin/env bash
# Fails when generated files, formatting or a go.mod are not up to date, and says
# what to run. It works on a copy, so it changes nothing and a dirty tree is no
# hindrance: what counts is what the files are, not what git has of them.
set -euo pipefail
cd "$(dirname "$0")/.."
go=${GO:-go}
failed=0

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
copy=$work/copy before=$work/before
mkdir "$copy" "$before"
git ls-files -z --cached --others --exclude-standard |
	while IFS= read -r -d '' file; do [ ! -e "$file" ] || printf '%s\0' "$file"; done |
	tar --null --create --files-from=- | tar --extract --directory "$copy"

complain() {
	echo "verify: $1 Run: $2" >&2
	failed=1
}

echo "verify: generated files"
cp -R "$copy/api" "$copy/config" "$copy/charts" "$before"
make -C "$copy" GO="$go" generate manifests >/dev/null ||
	complain "the generators fail." "make generate manifests"
for generated in api config charts; do
	diff --recursive --unified --new-file "$before/$generated" "$copy/$generated" ||
		complain "$generated/ is not what the generators make of the Go code and of config/." "make generate manifests"
done

echo "verify: no merge left half done"
markers=$(git grep --line-number --extended-regexp '^(<{7}|>{7}) ' -- . || true)
[ -z "$markers" ] || complain "markers of a conflict: $markers." "git log --merge"

echo "verify: formatting"
unformatted=$(git ls-files --cached --others --exclude-standard -- '*.go' |
	while IFS= read -r file; do [ ! -e "$file" ] || echo "$file"; done | xargs gofmt -l)
[ -z "$unformatted" ] || complain "not formatted: $unformatted." "make fmt"

for mod in $(git ls-files --cached --others --exclude-standard -- go.mod '*/go.mod'); do
	echo "verify: $mod"
	"$go" -C "$(dirname "$mod")" mod tidy -diff ||
		complain "$mod or its go.sum is not tidy." "make tidy"
done

exit $failed
