#!/bin/sh
# Says what this machine lacks, all of it and before anything is built, for
#
#	go       the demo and the tests
#	browser  the tests with a browser
#	prometheus  the tests of alerts and the dashboard
#	node     building what a node runs
#	e2e      running one
#
# Exit status 0 is for: nothing is lacking.
set -eu
cd "$(dirname "$0")/.."
go=${GO:-go}
lacking=0

lack() {
	echo "$1" >&2
	lacking=1
}
need() { command -v "$1" >/dev/null || lack "$1 is missing (Debian: apt-get install $2)"; }

if ! command -v "$go" >/dev/null; then
	lack "Go is missing. Install the version that go.mod names or a later one: https://go.dev/doc/install"
elif ! said=$("$go" list -m 2>&1); then # it is too old, for instance
	lack "$said"
fi
need git git

case $1 in
go) ;;
browser)
	command -v chromium >/dev/null || command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null ||
		lack "Chromium is missing (Debian: apt-get install --no-install-recommends chromium)"
	need npm npm # for the accessibility checks
	;;
prometheus)
	command -v promtool >/dev/null && command -v prometheus >/dev/null ||
		lack "Prometheus is missing (Debian: apt-get install --no-install-recommends prometheus)"
	;;
node) # runc is the only program here that is not Go alone
	need gcc "gcc libc6-dev"
	need pkg-config pkg-config
	[ -e /usr/include/seccomp.h ] || lack "libseccomp's headers are missing (Debian: apt-get install libseccomp-dev)"
	;;
e2e) reason=$(sh test/e2e/allowed.sh) || lack "This machine cannot run a node: $reason" ;;
*) lack "hack/need.sh: what is $1?" ;;
esac
exit $lacking
