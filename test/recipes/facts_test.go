package recipes

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

// facts are what consumers document, see facts.yaml.
type facts struct {
	Kinds    []*kind    `json:"kinds"`
	Programs []*program `json:"programs"`
	Labelled []*mark    `json:"labelled"`
}

type kind struct {
	APIVersion string            `json:"apiVersion"`
	Kind       string            `json:"kind"`
	Source     string            `json:"source"`
	Fields     map[string]string `json:"fields"`
	Required   []string          `json:"required"`
	Secrets    map[string]read   `json:"secrets"`
	used       bool
}

// read is what a consumer reads of a Secret.
type read struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

type program struct {
	Name   string `json:"name"`
	Source string `json:"source"`
	// Token is the variable of its token, and Served the first argument with which it wants none.
	Token     string   `json:"token"`
	Served    string   `json:"served"`
	Variables []string `json:"variables"`
	used      bool
}

type mark struct {
	Label       string   `json:"label"`
	Source      string   `json:"source"`
	Also        []string `json:"also"`
	Annotations []string `json:"annotations"`
	read        `json:",inline"`
	used        bool
}

func readFacts(t *testing.T) *facts {
	t.Helper()
	text, err := os.ReadFile("facts.yaml")
	if err != nil {
		t.Fatal(err)
	}
	found := &facts{}
	if err := yaml.UnmarshalStrict(text, found); err != nil {
		t.Fatal(err)
	}
	return found
}

func (f *facts) of(apiVersion, name string) *kind {
	at := slices.IndexFunc(f.Kinds, func(k *kind) bool { return k.APIVersion == apiVersion && k.Kind == name })
	if at < 0 {
		return nil
	}
	f.Kinds[at].used = true
	return f.Kinds[at]
}

func (f *facts) program(name string) *program {
	at := slices.IndexFunc(f.Programs, func(p *program) bool { return p.Name == name })
	if at < 0 {
		return nil
	}
	f.Programs[at].used = true
	return f.Programs[at]
}

// leaves calls with each value of an object, and its path: those of a list have the same.
func leaves(value any, path string, call func(path string, value any)) {
	switch value := value.(type) {
	case map[string]any:
		for name, field := range value {
			leaves(field, strings.TrimPrefix(path+"."+name, "."), call)
		}
	case []any:
		for _, element := range value {
			leaves(element, path+"[]", call)
		}
	default:
		call(path, value)
	}
}

// check holds an object to the facts of its kind.
func (k *kind) check(object map[string]any) (problems []string) {
	found := map[string]bool{}
	leaves(object["spec"], "spec", func(path string, value any) {
		found[path] = true
		want, ok := k.Fields[path]
		if !ok {
			problems = append(problems, "there is no field "+path)
		} else if !fits(want, value) {
			problems = append(problems, fmt.Sprintf("%s is %v, want %s", path, value, want))
		}
	})
	for _, required := range k.Required {
		if !slices.ContainsFunc(keysOf(found), func(path string) bool {
			return path == required || strings.HasPrefix(path, required+".") || strings.HasPrefix(path, required+"[")
		}) {
			problems = append(problems, required+" is missing")
		}
	}
	return problems
}

func keysOf(set map[string]bool) (keys []string) {
	for key := range set {
		keys = append(keys, key)
	}
	return keys
}

// fits reports whether a value is of a type, or matches a pattern.
func fits(want string, value any) bool {
	switch value := value.(type) {
	case bool:
		return want == "bool"
	case int64, float64:
		return want == "int"
	case string:
		return want == "string" && value != "" || isPattern(want) && pattern(want).MatchString(value)
	}
	return false
}

func isPattern(want string) bool {
	return len(want) > 1 && want[0] == '/' && strings.HasSuffix(want, "/")
}

func pattern(want string) *regexp.Regexp {
	return regexp.MustCompile(`\A(?:` + want[1:len(want)-1] + `)\z`)
}

// A check that lets everything through would hold nothing to anything.
func TestRecipeFactsRefuseWhatIsNotDocumented(t *testing.T) {
	k := readFacts(t).of("gateway.envoyproxy.io/v1alpha1", "HTTPRouteFilter")
	const good = `{"spec": {"credentialInjection": {"overwrite": true, "credential": {"valueRef": {"name": "a"}}}}}`
	for says, text := range map[string]string{
		"": good,
		"there is no field spec.credentialInjection.credential.valueRef.key": strings.Replace(good, `"name": "a"`, `"name": "a", "key": "b"`, 1),
		"spec.credentialInjection.overwrite is yes, want bool":               strings.Replace(good, "true", `"yes"`, 1),
		"spec.credentialInjection.credential.valueRef.name is missing":       `{"spec": {"credentialInjection": {"overwrite": true}}}`,
	} {
		var object map[string]any
		if err := yaml.Unmarshal([]byte(text), &object); err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(k.check(object), "; "); got != says {
			t.Errorf("it says %q, want %q", got, says)
		}
	}
}
