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
		"kustomize":              build(t, kustomization{Resources: []string{"config/sharded"}, Components: []string{"config/network-policy"}}),
		"one shard by the chart": mustTemplate(t, release{Values: one}),
		"four by the chart":      mustTemplate(t, release{Values: "{networkPolicy: {enabled: true}, sharding: {shards: [{name: z, limitShare: 20%}, {name: a, limitShare: 20%}, {name: b, limitShare: 20%}, {name: c-1, limitShare: 20%}], limitShare: 20%}}"}),
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
			if len(selectors) < 2 || len(others) < 2 {
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
