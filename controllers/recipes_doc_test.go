package controllers

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"
)

// The recipes are taken by a real API server, as far as their kinds are there: those of Kubernetes, and our own. What others
// define is held to their documents by test/recipes.
func TestDocsRecipesAreAccepted(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	paths, err := filepath.Glob("../config/samples/recipes/*.yaml")
	w.must(err)
	taken := map[string]int{}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		w.must(err)
		for part := range strings.SplitSeq(string(text), "\n---\n") {
			object := &unstructured.Unstructured{}
			w.must(yaml.Unmarshal([]byte(part), &object.Object))
			switch object.GetObjectKind().GroupVersionKind().Group {
			case "", "apps", "batch", "rbac.authorization.k8s.io", "githubusertoken.dev":
			default:
				continue // Its definition is not here.
			}
			object.SetNamespace(w.namespace)
			if object.GetKind() == "Pod" { // Its ServiceAccount is made by a dry run, and so is not there.
				w.must(unstructured.SetNestedField(object.Object, "default", "spec", "serviceAccountName"))
			}
			w.eventually(filepath.Base(path)+": "+object.GetKind()+" to be accepted", func() (bool, string) { // once there is a service account
				err := admin.Create(w.ctx, object.DeepCopy(), client.DryRunAll, client.FieldValidation("Strict"))
				return err == nil, errorText(err)
			})
			taken[object.GetKind()]++
		}
	}
	for kind, least := range map[string]int{"GitHubUserToken": 8, "Pod": 2, "Deployment": 2, "CronJob": 1, "Role": 1} {
		if taken[kind] < least {
			t.Errorf("%d of the kind %s were tried, want %d", taken[kind], kind, least)
		}
	}
}
