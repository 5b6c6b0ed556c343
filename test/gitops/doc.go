// Package gitops tries what other projects' own code makes of this operator's resources and Secrets:
// kstatus, by which Flux and others tell whether a resource is healthy; the Lua that Argo CD runs; and
// GitHub's library that reads the configuration of gh.
package gitops
