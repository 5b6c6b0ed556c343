#!/usr/bin/env bash
# Records make demo ONCE=1 as docs/images/demo.svg. Run it when what the demo
# prints has changed. It wants asciinema 2 and npx beside what the demo wants:
#
#     hack/demo/record.sh
#
# Pauses are cut to three seconds. The home folder reads ~ and the temporary one
# $TMPDIR in the recording; nothing else is changed.
set -euo pipefail
cd "$(dirname "$0")/../.."

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/bin" "$work/tmp"
# The demo prints a PATH when it finds no kubectl on it.
command -v kubectl >/dev/null || for cached in "${XDG_CACHE_HOME:-$HOME/.cache}"/github-user-token-operator/kubernetes-*/bin/kubectl; do
	ln -sf "$cached" "$work/bin/kubectl"
done

printf 'printf "$ make demo ONCE=1\\r\\n"; exec make demo ONCE=1\n' >"$work/run"
PATH=$PATH:$work/bin TMPDIR=$work/tmp TERM=xterm-256color \
	asciinema rec --quiet --cols 134 --rows 32 --idle-time-limit 3 --command "bash $work/run" "$work/demo.cast"
sed -i -e "s|$work/tmp|\$TMPDIR|g" -e "s|$HOME/|~/|g" "$work/demo.cast"
if grep -q -e "$HOME" -e "$work" -e "$(uname -n)" "$work/demo.cast"; then
	echo "The recording names this machine or its folders; look at what the demo prints:" >&2
	grep -n -e "$HOME" -e "$work" -e "$(uname -n)" "$work/demo.cast" >&2
	exit 1
fi
# The end is shown for three seconds, too.
tail -n 1 "$work/demo.cast" | awk -F'[[,]' '{ printf "[%.6f, \"o\", \"\\r\"]\n", $2 + 3 }' >>"$work/demo.cast"
npx --yes svg-term-cli@2.1.1 --in "$work/demo.cast" --out docs/images/demo.svg --window --no-cursor
ls -l docs/images/demo.svg
