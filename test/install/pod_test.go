package install

import (
	"slices"
	"strings"
	"testing"
)

// operatorPod is the specification of the operator's pods among objects.
func operatorPod(t *testing.T, objects []object) map[string]any {
	t.Helper()
	for _, o := range objects {
		if o.kind() == "Deployment" {
			pod, _ := at(o, "spec", "template", "spec").(map[string]any)
			return pod
		}
	}
	t.Fatal("there is no Deployment")
	return nil
}

// OpenShift gives each namespace users and groups of its own, and refuses pods that name others. The image says who runs
// elsewhere.
func TestInstallPodsNameNoUser(t *testing.T) {
	objects := build(t, kustomization{Resources: []string{"config/default"}})
	eachString(operatorPod(t, objects), nil, func(path []string, s string) {
		if slices.Contains([]string{"runAsUser", "runAsGroup", "fsGroup", "supplementalGroups"}, s) && path[len(path)-1] == s {
			t.Errorf("%s is set", strings.Join(path, "."))
		}
	})
	if nonRoot, _ := at(operatorPod(t, objects), "securityContext", "runAsNonRoot").(bool); !nonRoot {
		t.Error("the pods may run as root")
	}
}

// Both a spread and an affinity: the one counts the pods of all versions, the other keeps two off one node.
func TestInstallReplicasAreKeptApart(t *testing.T) {
	pod := operatorPod(t, build(t, kustomization{Resources: []string{"config/default"}}))
	labels := at(pod, "topologySpreadConstraints").([]any)[0]
	spread := at(labels, "labelSelector", "matchLabels")
	terms := items(pod, "affinity", "podAntiAffinity", "preferredDuringSchedulingIgnoredDuringExecution")
	if len(terms) != 1 || !contains(at(terms[0], "podAffinityTerm", "labelSelector", "matchLabels"), spread) {
		t.Errorf("the affinity %v is not about the pods %v", terms, spread)
	}
	if at(pod, "affinity", "podAntiAffinity", "requiredDuringSchedulingIgnoredDuringExecution") != nil {
		t.Error("a cluster of one node cannot run it")
	}
}
