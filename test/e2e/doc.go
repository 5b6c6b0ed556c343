// Package e2e holds the end-to-end tests: the operator as a pod, from its own image, on real nodes of
// this machine, feeding real pods. They have the build tag e2e and are run as root by
//
//	make e2e
//
// The operator is built by the Dockerfile's steps (package image) and installed by kubectl apply -k config,
// as users install it, into a namespace that enforces the restricted pod security standard. Two nodes
// (package node) and a control plane (package cluster) live in namespaces of their own, so the machine's
// network, mounts and folders are not touched and nothing is left when the tests end, however they end. The
// stand-in for GitHub runs in the test's process and is served to pods as github.example.com.
//
// TestE2EFirstTokenReachesAPodWithinTwoMinutes tells in its log (-v) each page that a person sees on the way to a first token, and when.
//
// allowed.sh says whether a machine can run this. These environment variables make it shorter or longer:
//
//	E2E_ROTATIONS        rotations over which handoff is measured (100)
//	E2E_READERS          pods that mount the Secret while it is measured (20)
//	E2E_TURNS            exchanges with two authorizations in turn, of two minutes each; beyond four of them the leader is killed (2)
//	E2E_PLAIN_ROTATIONS  rotations without handoff, 20 of them in about 2 minutes (20)
//	E2E_AGENTS           pods that have the token from the token server and no Secret (6)
//	E2E_AGENT_ROTATIONS  rotations that they see (10)
//	E2E_LOAD_SECONDS     for how long the token server is asked 500 times a second (5)
//	E2E_LOGS             a folder that is to keep the cluster's logs of a failed run
//
// What is measured of the token server, in its long form:
//
//	E2E_AGENTS=50 E2E_AGENT_ROTATIONS=100 E2E_LOAD_SECONDS=20 go test ./test/e2e -tags e2e -count=1 -timeout 1h -v -run TestE2EAgents
package e2e
