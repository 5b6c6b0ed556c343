// Package rules says what is to be done about one resource: Decide goes through an ordered list of small rules, and the
// first that has something to say decides. It looks at nothing but its Input, which was gathered before, and changes
// nothing: no clock, no I/O, no Kubernetes client. The rotator carries out what it decides, in internal/rotation.
package rules
