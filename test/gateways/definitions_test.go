package gateways

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/defaulting"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/pruning"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/validation"
	celconfig "k8s.io/apiserver/pkg/apis/cel"
	"sigs.k8s.io/yaml"

	_ "github.com/external-secrets/external-secrets/apis/meta/v1" // For the definitions that lie in its module.
)

// moduleFolder is where a module's files are.
func moduleFolder(t *testing.T, module string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", module).Output()
	folder := strings.TrimSpace(string(out))
	if err != nil || folder == "" {
		t.Fatalf("the files of %s are not there: %v", module, err)
	}
	return folder
}

// definition validates objects of one kind as an API server does that has it installed.
type definition struct {
	schema    *schema.Structural
	validator validation.SchemaValidator
	rules     *cel.Validator
}

// definitions are those that gateways, and External Secrets, install, by API version and kind.
type definitions map[string]*definition

func readDefinitions(t *testing.T) definitions {
	t.Helper()
	found := definitions{}
	for _, pattern := range []string{
		filepath.Join(moduleFolder(t, "github.com/envoyproxy/gateway"), "charts", "gateway-crds-helm", "templates", "generated", "*.yaml"),
		filepath.Join(moduleFolder(t, "sigs.k8s.io/gateway-api"), "config", "crd", "standard", "*.yaml"),
		filepath.Join(moduleFolder(t, "github.com/external-secrets/external-secrets"), "config", "crds", "bases", "external-secrets.io_*.yaml"),
	} {
		paths, err := filepath.Glob(pattern)
		if err != nil || len(paths) == 0 {
			t.Fatalf("there are no definitions at %s: %v", pattern, err)
		}
		for _, path := range paths {
			found.add(t, path)
		}
	}
	return found
}

// add reads the definitions of a file. Envoy Gateway's are in templates of a chart, whose conditions stand on lines of their own.
func (d definitions) add(t *testing.T, path string) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for line := range strings.Lines(string(text)) {
		if !strings.HasPrefix(line, "{{") {
			lines = append(lines, line)
		}
	}
	var crd apiextensionsv1.CustomResourceDefinition
	if err := yaml.Unmarshal([]byte(strings.Join(lines, "")), &crd); err != nil {
		t.Fatalf("%s: %v", filepath.Base(path), err)
	}
	if crd.Kind != "CustomResourceDefinition" {
		return
	}
	for _, version := range crd.Spec.Versions {
		var props apiextensions.JSONSchemaProps
		if err := apiextensionsv1.Convert_v1_JSONSchemaProps_To_apiextensions_JSONSchemaProps(version.Schema.OpenAPIV3Schema, &props, nil); err != nil {
			t.Fatal(err)
		}
		structural, err := schema.NewStructural(&props)
		if err != nil {
			t.Fatal(err)
		}
		validator, _, err := validation.NewSchemaValidator(&props)
		if err != nil {
			t.Fatal(err)
		}
		d[crd.Spec.Group+"/"+version.Name+" "+crd.Spec.Names.Kind] = &definition{
			structural, validator, cel.NewValidator(structural, true, celconfig.PerCallLimit),
		}
	}
}

// refuse says what an API server would have against an object, with strict validation of fields.
func (d *definition) refuse(t *testing.T, object map[string]any) (problems []string) {
	t.Helper()
	for _, unknown := range pruning.PruneWithOptions(object, d.schema, true, schema.UnknownFieldPathOptions{TrackUnknownFieldPaths: true}) {
		problems = append(problems, "unknown field "+unknown)
	}
	defaulting.Default(object, d.schema)
	for _, err := range validation.ValidateCustomResource(nil, object, d.validator) {
		problems = append(problems, err.Error())
	}
	errs, _ := d.rules.Validate(t.Context(), nil, d.schema, object, nil, celconfig.RuntimeCELCostBudget)
	for _, err := range errs {
		problems = append(problems, err.Error())
	}
	return problems
}
