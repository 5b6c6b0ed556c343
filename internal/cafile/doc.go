// Package cafile follows a file with the certificates of authorities, which somebody may replace while the operator runs.
// A file that cannot be read, or is broken, changes nothing: what was read before counts, and Stale says why. The package
// imports nothing but the standard library.
package cafile
