package install

import (
	"fmt"
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

// The login page and the token server run the operator's program, and are no part of what is selected of the operator, or of each other: their
// pods have no metrics, budget or network policy of it.
func TestInstallLoginPageAndTokenServerAreNotTakenForTheOperator(t *testing.T) {
	for _, program := range []string{"login-page", "token-server"} {
		t.Run(program, func(t *testing.T) { isNotTakenForTheOperator(t, program) })
	}
}

func isNotTakenForTheOperator(t *testing.T, program string) {
	t.Helper()
	for name, objects := range map[string][]object{
		"kustomize": build(t, kustomization{Resources: []string{"config/default"}, Components: []string{"config/components/login-page", "config/components/token-server", "config/network-policy"}}),
		"the chart": mustTemplate(t, release{Values: "{loginPage: {enabled: true, url: 'https://login.example.com'}, tokenServer: {enabled: true, audience: a}, networkPolicy: {enabled: true}, nameOverride: ours}"}),
	} {
		var page, operator object
		var others []any // the labels of all other pods
		for _, o := range objects {
			switch {
			case o.kind() == "Deployment" && strings.HasSuffix(o.name(), "-"+program):
				page = o
				continue
			case o.kind() == "Deployment" && !strings.HasSuffix(o.name(), "-login-page") && !strings.HasSuffix(o.name(), "-token-server"):
				operator = o
			case o.kind() != "Deployment":
				continue
			}
			others = append(others, at(o, "spec", "template", "metadata", "labels"))
		}
		if len(others) != 2 {
			t.Fatalf("%s: there are %d other Deployments", name, len(others))
		}
		container, _ := items(page, "spec", "template", "spec", "containers")[0].(map[string]any)
		if args := items(container, "args"); len(args) == 0 || args[0] != program {
			t.Errorf("%s: the page runs with %v", name, args)
		}
		if account := text(page, "spec", "template", "spec", "serviceAccountName"); account == text(operator, "spec", "template", "spec", "serviceAccountName") || account == "" {
			t.Errorf("%s: the page runs as %q", name, account)
		}
		ofPage := at(page, "spec", "template", "metadata", "labels")
		for _, o := range objects {
			for _, path := range [][]string{{"spec", "selector"}, {"spec", "selector", "matchLabels"}, {"spec", "podSelector", "matchLabels"}} {
				selector := at(o, path...)
				if contains(ofPage, selector) && slices.ContainsFunc(others, func(labels any) bool { return contains(labels, selector) }) {
					t.Errorf("%s: %s selects the pods of both", name, o.id())
				}
			}
		}
		for _, path := range [][]string{{"securityContext", "runAsNonRoot"}, {"securityContext", "seccompProfile"}} {
			pod := []string{"spec", "template", "spec"}
			if got, want := at(page, append(pod, path...)...), at(operator, append(pod, path...)...); fmt.Sprint(got) != fmt.Sprint(want) || got == nil {
				t.Errorf("%s: %s of the page is %v", name, strings.Join(path, "."), got)
			}
		}
		theirs, _ := items(operator, "spec", "template", "spec", "containers")[0].(map[string]any)
		if fmt.Sprint(container["securityContext"]) != fmt.Sprint(theirs["securityContext"]) || container["image"] != theirs["image"] {
			t.Errorf("%s: the page runs %v with %v", name, container["image"], container["securityContext"])
		}
	}
}
