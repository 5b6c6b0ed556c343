package handoff

import (
	"errors"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
)

const root = "../../"

func TestHandoffKindsAreThoseThatTheAPIOffers(t *testing.T) {
	text, err := os.ReadFile(root + "config/crd/bases/githubusertoken.dev_githubusertokens.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var crd map[string]any
	if err := yaml.Unmarshal(text, &crd); err != nil {
		t.Fatal(err)
	}
	versions, _, err := unstructured.NestedSlice(crd, "spec", "versions")
	if err != nil || len(versions) == 0 {
		t.Fatalf("the CRD has no version: %v", err)
	}
	for _, version := range versions {
		offered, found, err := unstructured.NestedStringSlice(version.(map[string]any), "schema", "openAPIV3Schema", "properties", "spec",
			"properties", "handoff", "properties", "restart", "items", "properties", "kind", "enum")
		if err != nil || !found {
			t.Fatalf("the CRD has no list of kinds: %v", err)
		}
		slices.Sort(offered)
		if known := slices.Sorted(maps.Keys(kinds)); !slices.Equal(offered, known) {
			t.Errorf("the API offers %v, and %v can be restarted", offered, known)
		}
		groups, found, err := unstructured.NestedStringSlice(version.(map[string]any), "schema", "openAPIV3Schema", "properties", "spec",
			"properties", "handoff", "properties", "restart", "items", "properties", "apiGroup", "enum")
		if err != nil || !found {
			t.Fatalf("the CRD has no list of groups: %v", err)
		}
		known := map[string]bool{}
		for kind, resource := range kinds {
			known[resource.Group] = true
			// As the rule of v1alpha1.WorkloadReference has it.
			if (resource.Group == "argoproj.io") != (kind == "Rollout") || resource.Group != "argoproj.io" && resource.Group != "apps" {
				t.Errorf("%s is of the group %s, and the API's rule says another", kind, resource.Group)
			}
		}
		slices.Sort(groups)
		if known := slices.Sorted(maps.Keys(known)); !slices.Equal(groups, known) {
			t.Errorf("the API offers the groups %v, and there are %v", groups, known)
		}
	}
}

func TestHandoffKindsAreThoseThatTheRolesAllow(t *testing.T) {
	for _, file := range []string{"config/components/handoff/role.yaml", "config/components/handoff/role/role.yaml"} {
		text, err := os.ReadFile(root + file)
		if err != nil {
			t.Fatal(err)
		}
		var role rbacv1.ClusterRole // The rules of a Role look the same.
		if err := yaml.Unmarshal(text, &role); err != nil {
			t.Fatal(err)
		}
		var allowed, needed []string
		for _, rule := range role.Rules {
			for _, group := range rule.APIGroups {
				for _, resource := range rule.Resources {
					if slices.Contains(rule.Verbs, "patch") {
						allowed = append(allowed, strings.Trim(resource+"."+group, "."))
					}
				}
			}
		}
		needed = append(needed, podsResource.String())
		for _, resource := range kinds {
			needed = append(needed, resource.GroupResource().String())
		}
		slices.Sort(allowed)
		slices.Sort(needed)
		if !slices.Equal(allowed, needed) {
			t.Errorf("%s allows to patch %v, and a handoff patches %v", file, allowed, needed)
		}
	}
}

func TestHandoffChecksWhatIsToBeRestarted(t *testing.T) {
	for what, c := range map[string]struct {
		kind, name string
		want       error
	}{
		"a plain name":                        {"Deployment", "web", nil},
		"parts that are joined by dots":       {"StatefulSet", "1.a-b", nil},
		"the longest name":                    {"DaemonSet", strings.Repeat("a", 253), nil},
		"a Rollout":                           {"Rollout", "web", nil},
		"a name that leads astray":            {"Deployment", "../../other/deployments/web", errInvalidName},
		"the folder above":                    {"Deployment", "..", errInvalidName},
		"a subresource":                       {"Deployment", "web/scale", errInvalidName},
		"a query":                             {"Deployment", "web?force=true", errInvalidName},
		"an escape":                           {"Deployment", "web%2fscale", errInvalidName},
		"capitals":                            {"Deployment", "Web", errInvalidName},
		"an empty part":                       {"Deployment", "a..b", errInvalidName},
		"a name that is too long":             {"Deployment", strings.Repeat("a", 254), errInvalidName},
		"none":                                {"Deployment", "", errInvalidName},
		"a kind that is not in the table":     {"Job", "web", errUnknownKind},
		"a kind is written as the table does": {"deployment", "web", errUnknownKind},
	} {
		t.Run(what, func(t *testing.T) {
			resource, err := checkWorkload(c.kind, c.name)
			if !errors.Is(err, c.want) || (err == nil) != (c.want == nil) {
				t.Errorf("got %v, want %v", err, c.want)
			}
			if err == nil && resource.Resource == "" {
				t.Error("there is no resource")
			}
		})
	}
}

func TestHandoffChecksTheGroupOfAKind(t *testing.T) {
	t.Parallel()
	for what, c := range map[string]struct {
		reference v1alpha1.WorkloadReference
		want      error
	}{
		"no group, as it was written before there was one": {v1alpha1.WorkloadReference{Kind: "Deployment", Name: "web"}, nil},
		"the group of the kind":                            {v1alpha1.WorkloadReference{APIGroup: "apps", Kind: "StatefulSet", Name: "web"}, nil},
		"the group of a Rollout":                           {v1alpha1.WorkloadReference{APIGroup: "argoproj.io", Kind: "Rollout", Name: "web"}, nil},
		"another group":                                    {v1alpha1.WorkloadReference{APIGroup: "apps.kruise.io", Kind: "StatefulSet", Name: "web"}, errOtherGroup},
		"the group of another kind":                        {v1alpha1.WorkloadReference{APIGroup: "apps", Kind: "Rollout", Name: "web"}, errOtherGroup},
		"a kind that is not in the table":                  {v1alpha1.WorkloadReference{APIGroup: "batch", Kind: "Job", Name: "web"}, errUnknownKind},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			if _, err := checkReference(c.reference); !errors.Is(err, c.want) || (err == nil) != (c.want == nil) {
				t.Errorf("got %v, want %v", err, c.want)
			}
		})
	}
}
