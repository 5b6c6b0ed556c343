// Package release holds the tests of what a release publishes: the image, the chart and their signatures, made by the targets of make
// that the workflow runs and pushed to a registry on loopback; and of what is written about releases: the changelog, the
// workflows and the document.
//
// A base image cannot be had without a registry elsewhere, so one of the same few files takes its place, and a key that of
// the identity by which a workflow signs.
package release
