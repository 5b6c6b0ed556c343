package install

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"
)

// root is the folder of the checkout, seen from here.
const root = "../.."

// object is one that is installed, as the API server would get it.
type object map[string]any

func (o object) kind() string      { return text(o, "kind") }
func (o object) name() string      { return text(o, "metadata", "name") }
func (o object) namespace() string { return text(o, "metadata", "namespace") }

// id names an object among all that are installed together.
func (o object) id() string {
	return strings.Join([]string{o.kind(), o.namespace(), o.name()}, "/")
}

// at is what stands at a path of keys; nil when nothing does.
func at(value any, path ...string) any {
	for _, key := range path {
		switch m := value.(type) {
		case object:
			value = m[key]
		case map[string]any:
			value = m[key]
		default:
			return nil
		}
	}
	return value
}

// text is the string at a path of keys.
func text(value any, path ...string) string {
	s, _ := at(value, path...).(string)
	return s
}

// items is the list at a path of keys.
func items(value any, path ...string) []any {
	list, _ := at(value, path...).([]any)
	return list
}

// clusterScoped are kinds without a namespace that kustomize takes for others, because it does not know them.
var clusterScoped = map[string]bool{
	"FlowSchema": true, "PriorityLevelConfiguration": true, "ValidatingAdmissionPolicy": true, "ValidatingAdmissionPolicyBinding": true,
}

// kustomization is what a user writes: see https://kubectl.docs.kubernetes.io/references/kustomize/kustomization/.
type kustomization struct {
	Kind       string           `json:"kind,omitempty"`
	Namespace  string           `json:"namespace,omitempty"`
	NamePrefix string           `json:"namePrefix,omitempty"`
	Resources  []string         `json:"resources,omitempty"`
	Components []string         `json:"components,omitempty"`
	Images     []map[string]any `json:"images,omitempty"`
	Patches    []map[string]any `json:"patches,omitempty"`
}

// build renders a user's kustomization. Its resources and components are folders of this repository, seen from its root.
func build(t *testing.T, k kustomization) []object {
	t.Helper()
	// Kustomize takes no absolute path.
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	here, err := filepath.Abs(root)
	if err != nil {
		t.Fatal(err)
	}
	for _, paths := range []*[]string{&k.Resources, &k.Components} {
		*paths = slices.Clone(*paths)
		for i, path := range *paths {
			if (*paths)[i], err = filepath.Rel(dir, filepath.Join(here, path)); err != nil {
				t.Fatal(err)
			}
		}
	}
	content, err := yaml.Marshal(k)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "kustomization.yaml"), content, 0o600); err != nil {
		t.Fatal(err)
	}
	return run(t, dir)
}

// buildChanged renders a folder of this repository after one of its files was changed, as an editor would.
func buildChanged(t *testing.T, folder, file, from, to string) []object {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(filepath.Join(dir, "config"), os.DirFS(filepath.Join(root, "config"))); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(filepath.Join(dir, file))
	if err != nil {
		t.Fatal(err)
	}
	changed := strings.Replace(string(content), from, to, 1)
	if changed == string(content) {
		t.Fatalf("%s does not hold %q", file, from)
	}
	if err := os.WriteFile(filepath.Join(dir, file), []byte(changed), 0o600); err != nil {
		t.Fatal(err)
	}
	return run(t, filepath.Join(dir, folder))
}

func run(t *testing.T, dir string) []object {
	t.Helper()
	rendered, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), dir)
	if err != nil {
		t.Fatalf("%s: %v", dir, err)
	}
	var objects []object
	for _, resource := range rendered.Resources() {
		content, err := resource.AsYAML()
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range parse(t, content) {
			if clusterScoped[o.kind()] {
				delete(o["metadata"].(map[string]any), "namespace")
			}
			objects = append(objects, o)
		}
	}
	return objects
}

// parse reads YAML documents.
func parse(t *testing.T, content []byte) []object {
	t.Helper()
	var objects []object
	for document := range strings.SplitSeq("\n"+string(content), "\n---") {
		var o object
		if err := yaml.Unmarshal([]byte(document), &o); err != nil {
			t.Fatalf("%v in\n%s", err, document)
		}
		if len(o) > 0 {
			objects = append(objects, o)
		}
	}
	return objects
}

// folders are the folders below a folder of this repository that hold a kustomization of a kind.
func folders(t *testing.T, below, kind string) []string {
	t.Helper()
	var found []string
	err := filepath.WalkDir(filepath.Join(root, below), func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.Name() != "kustomization.yaml" {
			return err
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		var k kustomization
		if err := yaml.Unmarshal(content, &k); err != nil {
			return err
		}
		if k.Kind == kind {
			relative, err := filepath.Rel(root, filepath.Dir(path))
			if err != nil {
				return err
			}
			found = append(found, relative)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(found) == 0 {
		t.Fatalf("no kustomization of kind %s was found in %s", kind, below)
	}
	return found
}

// strings of an object, told with their paths, in which a list's index is left out.
func eachString(value any, path []string, tell func(path []string, s string)) {
	switch v := value.(type) {
	case object:
		eachString(map[string]any(v), path, tell)
	case map[string]any:
		for key, value := range v {
			tell(append(slices.Clone(path), key), key)
			eachString(value, append(slices.Clone(path), key), tell)
		}
	case []any:
		for _, value := range v {
			eachString(value, path, tell)
		}
	case string:
		tell(path, v)
	}
}
