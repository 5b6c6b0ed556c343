package install

import (
	"slices"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/githubusertoken/github-user-token-operator/controllers/shard"
)

// Each deployment selects pods of its own, which all Services, policies and budgets of the operator are for; they leave no resource out
// and have none twice; and each may have the lease that follows from its selector, whatever there is one of.
func TestInstallShardsShareTheCluster(t *testing.T) {
	const one = "sharding: {shards: [{name: solo, limitShare: 1/2}], limitShare: 1/2}"
	for name, objects := range map[string][]object{
		"kustomize":                build(t, kustomization{Resources: []string{"config/sharded"}, Components: []string{"config/network-policy"}}),
		"one shard by the chart":   mustTemplate(t, release{Values: one}),
		"one shard in a namespace": mustTemplate(t, release{Values: "{namespaces: [team-a], " + one + "}"}),
		"parts that are 1":         mustTemplate(t, release{Values: "sharding: {limitShare: 1/7, shards: [{name: a, limitShare: 2/7}, {name: b, limitShare: 3/7}, {name: c, limitShare: 1/7}]}"}),
		"four by the chart":        mustTemplate(t, release{Values: "{networkPolicy: {enabled: true}, sharding: {shards: [{name: z, limitShare: 20%}, {name: a, limitShare: 20%}, {name: b, limitShare: 20%}, {name: c-1, limitShare: 20%}], limitShare: 20%}}"}),
	} {
		t.Run(name, func(t *testing.T) {
			var selectors []shard.Selector
			var pods, ofPods []map[string]any
			var others []map[string]any
			var leases map[string]any
			for _, o := range objects {
				switch {
				case o.kind() == "Deployment":
					spec := o["spec"].(map[string]any)
					ofPods = append(ofPods, at(spec, "selector", "matchLabels").(map[string]any))
					pods = append(pods, at(spec, "template", "metadata", "labels").(map[string]any))
					container := at(spec, "template", "spec", "containers").([]any)[0].(map[string]any)
					var of []string
					for _, arg := range container["args"].([]any) {
						if text, ok := strings.CutPrefix(arg.(string), "--watch-label-selector="); ok {
							of = append(of, text)
						}
					}
					if len(of) != 1 {
						t.Fatalf("%s has the selectors %q", o.name(), of)
					}
					selector, err := shard.Parse(of[0])
					if err != nil {
						t.Fatal(err)
					}
					selectors = append(selectors, selector)
				case o.kind() == "Role" && strings.HasSuffix(o.name(), "-leader-election"):
					leases = at(o, "rules").([]any)[0].(map[string]any)
				case o.kind() == "Service":
					others = append(others, at(o, "spec", "selector").(map[string]any))
				case o.kind() == "PodDisruptionBudget":
					others = append(others, at(o, "spec", "selector", "matchLabels").(map[string]any))
				case o.kind() == "NetworkPolicy":
					others = append(others, at(o, "spec", "podSelector", "matchLabels").(map[string]any))
				}
			}
			if len(selectors) < 2 || len(others) < 1 {
				t.Fatalf("there are %d deployments, and %d others that select pods", len(selectors), len(others))
			}
			if names, limited := leases["resourceNames"]; limited || !slices.Contains(leases["verbs"].([]any), any("update")) {
				t.Errorf("the leases %v alone may be had, by which a change of selectors ends those that lead", names)
			}
			for i := range pods {
				for j := range ofPods {
					if selected(pods[i], ofPods[j]) != (i == j) {
						t.Errorf("deployment %d selects the pods of deployment %d", j, i)
					}
				}
				for _, other := range others {
					if !selected(pods[i], other) {
						t.Errorf("%v does not select the pods %v", other, pods[i])
					}
				}
			}
			for _, value := range []string{"", "shard1", "shard2", "solo", "z", "a", "b", "c-1", "unknown"} {
				object := &metav1.ObjectMeta{}
				if value != "" {
					object.Labels = map[string]string{"sharding.fluxcd.io/key": value}
				}
				var by []string
				for _, selector := range selectors {
					if selector.Selects(object) {
						by = append(by, selector.String())
					}
				}
				if len(by) != 1 {
					t.Errorf("what has the label %q is served by %q", value, by)
				}
			}
		})
	}
}

func selected(labels, by map[string]any) bool {
	for key, value := range by {
		if labels[key] != value {
			return false
		}
	}
	return true
}

// A deployment that is alone has its one lease, and those of other controllers in its namespace are not its to take.
func TestInstallOneDeploymentHasItsOneLease(t *testing.T) {
	for name, objects := range map[string][]object{
		"kustomize":                  build(t, kustomization{Resources: []string{"config/default"}}),
		"by Roles alone":             build(t, kustomization{Resources: []string{"config/namespaced"}}),
		"the chart":                  mustTemplate(t, release{}),
		"the chart, by another name": mustTemplate(t, release{Name: "mine", Values: "namespaces: [team-a]"}),
	} {
		found := false
		for _, o := range objects {
			if o.kind() != "Role" || !strings.HasSuffix(o.name(), "-leader-election") {
				continue
			}
			for _, rule := range items(o, "rules") {
				if !slices.Contains(items(rule, "resources"), any("leases")) {
					continue
				}
				if verbs := items(rule, "verbs"); len(verbs) == 1 && verbs[0] == "create" {
					continue // RBAC knows no name of what is not there yet.
				}
				found = true
				if names := items(rule, "resourceNames"); len(names) != 1 || names[0] != "github-user-token-operator" {
					t.Errorf("%s: the operator may have the leases %v", name, names)
				}
			}
		}
		if !found {
			t.Errorf("%s: the operator may have no lease", name)
		}
	}
}

// What is listed or patched for the operator is so for each deployment, wherever it is listed: a CA that one does not trust, or a
// restriction that one does not know, would be got around by a label.
func TestInstallShardsHaveAllThatTheMainDeploymentHas(t *testing.T) {
	const components = "components:\n- ../components/github-ca\n- ../prometheus\n- ../components/metrics-certificate\n- ../components/handoff\n"
	const patch = `
- target: {kind: Deployment, name: github-user-token-operator}
  patch: |-
    - op: add
      path: /spec/template/spec/containers/0/args/-
      value: --require-user
`
	for name, objects := range map[string][]object{
		"as shipped":          build(t, kustomization{Resources: []string{"config/sharded"}}),
		"below":               buildChanged(t, "config/sharded", "config/default/kustomization.yaml", "# Parts to choose from.", components+"# Parts to choose from."),
		"patched below":       buildChanged(t, "config/sharded", "config/default/kustomization.yaml", "patches:\n", "patches:"+patch),
		"beside the selector": buildChanged(t, "config/sharded", "config/sharded/kustomization.yaml", "components:\n", components),
		"patched beside":      buildChanged(t, "config/sharded", "config/sharded/kustomization.yaml", "patches:\n", "patches:"+patch),
		"over it": build(t, kustomization{
			Resources:  []string{"config/sharded"},
			Components: []string{"config/components/github-ca", "config/prometheus", "config/components/metrics-certificate", "config/components/handoff", "config/components/webhook-receiver"},
		}),
		"by the chart": mustTemplate(t, release{Values: "{requireUser: true, githubCA: {configMapName: github-ca}, handoff: {enabled: true}, sharding: {limitShare: 1/2, shards: [{name: a, limitShare: 1/2}]}}"}),
	} {
		t.Run(name, func(t *testing.T) {
			var pods []string
			for _, o := range objects {
				if o.kind() != "Deployment" {
					continue
				}
				pod := at(o, "spec", "template", "spec").(map[string]any)
				delete(pod, "affinity") // They are spread each by itself.
				delete(pod, "topologySpreadConstraints")
				container := items(pod, "containers")[0].(map[string]any)
				container["args"] = slices.DeleteFunc(items(container, "args"), func(arg any) bool {
					return strings.HasPrefix(arg.(string), "--watch-label-selector=")
				})
				slices.SortFunc(container["args"].([]any), func(a, b any) int { return strings.Compare(a.(string), b.(string)) })
				pods = append(pods, marshal(t, pod))
			}
			if len(pods) < 2 {
				t.Fatalf("there are %d deployments", len(pods))
			}
			if name != "as shipped" && !strings.Contains(pods[0], "--github-ca-file") && !strings.Contains(pods[0], "--require-user") {
				t.Errorf("the main deployment has nothing of it:\n%s", pods[0])
			}
			for _, pod := range pods[1:] {
				if pod != pods[0] {
					t.Errorf("a deployment differs from the main one:\n%s", difference(pods[0], pod))
				}
			}
			refersToWhatIsThere(t, objects)
		})
	}
}

// A label is a string, also where YAML would read something else.
func TestChartShardsMayHaveNamesThatYAMLTakesForSomethingElse(t *testing.T) {
	for _, shardName := range []string{"0", "1", "true", "no", "1e3", "0x10", "null", "a"} {
		affinity := "{podAntiAffinity: {requiredDuringSchedulingIgnoredDuringExecution: [{topologyKey: zone, labelSelector: {matchLabels: {app.kubernetes.io/component: manager}}}]}}"
		objects := mustTemplate(t, release{Values: "{affinity: " + affinity + ", sharding: {limitShare: 1/2, shards: [{name: '" + shardName + "', limitShare: 1/2}]}}"})
		found := false
		for _, o := range objects {
			if o.kind() != "Deployment" || !strings.HasSuffix(o.name(), "-"+shardName) {
				continue
			}
			found = true
			pod := at(o, "spec", "template", "spec")
			term := items(pod, "affinity", "podAntiAffinity", "requiredDuringSchedulingIgnoredDuringExecution")[0]
			for _, labels := range []any{
				at(o, "metadata", "labels"), at(o, "spec", "selector", "matchLabels"), at(o, "spec", "template", "metadata", "labels"),
				at(term, "labelSelector", "matchLabels"), at(items(pod, "topologySpreadConstraints")[0], "labelSelector", "matchLabels"),
			} {
				if of := at(labels, "app.kubernetes.io/component"); of != any(shardName) {
					t.Errorf("a label of the shard %q is %v (%T)", shardName, of, of)
				}
			}
		}
		if !found {
			t.Errorf("there is no deployment of the shard %q", shardName)
		}
	}
}
