#!/usr/bin/env bash
# Writes the tree of the previous release into a folder, for the test that upgrades from it
# and goes back: hack/previous.sh FOLDER. Without a folder it says whether it can. A clone
# that lacks the commit, as a shallow one does, asks its origin for that commit alone.
set -euo pipefail
folder=${1:-}
cd "$(dirname "$0")/.."
name=v0.1.0-rc.1 commit=10ba65d39a28e438d09f03b3d63e85d572f4c52d

# Nobody is asked for a password.
here() { git cat-file -e "$commit^{commit}" 2>/dev/null; }
here || GIT_TERMINAL_PROMPT=0 timeout 60 git fetch --quiet --no-tags --depth=1 origin "$commit" 2>/dev/null || true
here || {
	echo "the previous release ($name, commit $commit) is not in this clone, and its origin did not give it: run git fetch --unshallow, or clone the whole history" >&2
	exit 1
}
[ -n "$folder" ] || exit 0

index=$(mktemp) # That of the checkout stays as it is.
trap 'rm -f "$index"' EXIT
export GIT_INDEX_FILE=$index
git read-tree "$commit"
git checkout-index --all --prefix="$folder/"
