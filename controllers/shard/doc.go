// Package shard is about several deployments of the operator that share a cluster: which objects a deployment serves
// (Selector), when it begins with one that another has served (Handover), and what part of GitHub's limits it may use (Share).
//
// Every deployment sees all objects: who owns a refresh token, how many tokens an account has and what limits an App sets are
// questions about all of them. It acts on those alone that its selector selects. None of this is needed for safety: where two
// deployments serve one resource, by mistake or for the moment in which its label moves, the fence and the intent in its pair
// Secret keep them apart, as they do two replicas.
//
// The package does no I/O and knows no Kubernetes client.
package shard
