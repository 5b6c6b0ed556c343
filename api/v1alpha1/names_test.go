package v1alpha1

import (
	"go/ast"
	"go/parser"
	"go/token"
	"regexp"
	"strconv"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"
)

func TestAPIOwnerLabelIsAlwaysALabelsValue(t *testing.T) {
	t.Parallel()
	names := []string{"a", "octocat", "a.b", strings.Repeat("a", 63), strings.Repeat("a", 253)}
	// Names that would be cut right behind a dash or a dot.
	for length := 60; length < 66; length++ {
		names = append(names, strings.Repeat("a", length)+"-b", strings.Repeat("a", length)+".b", strings.Repeat("a", 60)+strings.Repeat("-", length-59)+"b")
	}
	for _, name := range names {
		label := OwnerLabel(name)
		if problems := validation.IsValidLabelValue(label); len(problems) > 0 || label == "" {
			t.Errorf("the label of %q is %q: %v", name, label, problems)
		}
		if !strings.HasPrefix(name, label) {
			t.Errorf("the label of %q is %q, which is not its beginning", name, label)
		}
	}
}

func TestAPIPairSecretHasTheResourcesNameByDefault(t *testing.T) {
	t.Parallel()
	resource := GitHubUserToken{ObjectMeta: metav1.ObjectMeta{Name: "octocat"}}
	if got := resource.PairSecretName(); got != "octocat" {
		t.Errorf("got %q", got)
	}
	resource.Spec.Secret.Name = "other"
	if got := resource.PairSecretName(); got != "other" {
		t.Errorf("got %q", got)
	}
}

// Reasons are what alerts and scripts match on: each is CamelCase as the API conventions ask, carries the name
// of its constant, and is documented.
func TestAPIEveryReasonFollowsTheConventions(t *testing.T) {
	t.Parallel()
	file, err := parser.ParseFile(token.NewFileSet(), "conditions.go", nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	form := regexp.MustCompile(`^[A-Z][A-Za-z]*$`)
	seen := map[string]bool{}
	for _, declaration := range file.Decls {
		group, ok := declaration.(*ast.GenDecl)
		if !ok || group.Tok != token.CONST {
			continue
		}
		for _, spec := range group.Specs {
			constant := spec.(*ast.ValueSpec)
			name := constant.Names[0].Name
			value, err := strconv.Unquote(constant.Values[0].(*ast.BasicLit).Value)
			if err != nil {
				t.Fatal(err)
			}
			plain := strings.TrimPrefix(strings.TrimPrefix(name, "Reason"), "Condition")
			if value != plain || !form.MatchString(value) || seen[value] {
				t.Errorf("%s is %q", name, value)
			}
			if !strings.HasPrefix(constant.Doc.Text(), name) {
				t.Errorf("%s is not documented", name)
			}
			seen[value] = true
		}
	}
	if len(seen) < 40 {
		t.Errorf("only %d constants were found", len(seen))
	}
}
