// Package install holds the tests of what people install: config/ as kustomize renders it, and the chart as Helm does. Wherever
// they are put, nothing may refer to where they are not, and the two must not differ.
package install
