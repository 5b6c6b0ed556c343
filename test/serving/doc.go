// Package serving runs the token server as a process, two replicas of it, beside the operator on a real control plane, with real tokens of
// ServiceAccounts and real RBAC: who gets a token and who does not, what a wait is told, and that no token stands in any log.
package serving
