// Package e2e holds the end-to-end tests: the operator as a pod, from its own image, on real nodes of
// this machine, feeding real pods. They have the build tag e2e and are run as root by
//
//	make e2e
//
// The nodes are those of package node: kubelet, containerd and runc in namespaces of their own, so the
// machine's network, mounts and folders are not touched and nothing is left when the tests end, however
// they end.
package e2e
