// Package observe tries what watches the operator: the alerts with promtool, one by one, and then all of it with a real
// Prometheus that scrapes an operator to which things happen. It wants promtool and prometheus (Debian: the package
// prometheus), so it is behind the build tag observe; make test-observe runs it.
package observe
