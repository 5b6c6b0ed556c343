// Package pairsecret keeps rotation.Pair in Kubernetes Secrets: the form of the pair Secret, and the
// rotation.Store that reads and writes it.
package pairsecret
