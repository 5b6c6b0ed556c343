#!/usr/bin/env bash
# Lists the packages of make test-integration, whose tests can run a control plane,
# or of make test-unit, which are the others: hack/test-packages.sh integration|unit [MODULE]
# Those that make runs by themselves are in neither.
set -euo pipefail
cd "$(dirname "$0")/../${2:-.}"
go=${GO:-go}

integration=$("$go" list -test -f '{{.ImportPath}} {{join .Deps " "}}' ./... |
	sed -nE 's#\.test .*/hack/controlplane( .*)?$##p')
case $1 in
integration) echo "$integration" ;;
unit) "$go" list ./... | grep -vxF "$integration" ;;
esac | grep -v -e '/internal/rotation/simulation$' -e '/test/chaos$' -e '/test/hostile$' -e '/test/bench$'
