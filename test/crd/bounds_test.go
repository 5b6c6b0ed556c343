package crd

import (
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// unbounded are fields without bounds of their own.
var unbounded = map[string]string{
	"apiVersion": "Kubernetes' own",
	"kind":       "Kubernetes' own",
	"metadata":   "Kubernetes' own",
	"spec.allowedNamespaces.selector.": "a LabelSelector of Kubernetes, which the administrators of a cluster write; " +
		"no rule looks into it",
	"spec.loginPage.allowedAccounts[].namespaces.selector.": "the same",
}

func TestCRDFieldsHaveBounds(t *testing.T) {
	t.Parallel()
	seen := 0
	for kind, schema := range schemas(t) {
		walk("", schema, func(path string, s *apiextensions.JSONSchemaProps) {
			for prefix := range unbounded {
				if path == prefix || strings.HasSuffix(prefix, ".") && strings.HasPrefix(path, prefix) {
					return
				}
			}
			seen++
			if missing := lacking(s); missing != "" {
				t.Errorf("%s: %s has no %s", kind, path, missing)
			}
		})
	}
	if seen < 100 {
		t.Errorf("only %d fields were found", seen)
	}
}

// lacking is the bound that a schema lacks; empty when it has all.
func lacking(s *apiextensions.JSONSchemaProps) string {
	switch {
	case s.Type == "string" && s.MaxLength == nil && len(s.Enum) == 0 && s.Format != "date-time":
		return "maxLength"
	case s.Type == "array" && s.MaxItems == nil:
		return "maxItems"
	case s.Type == "object" && s.AdditionalProperties != nil && s.MaxProperties == nil:
		return "maxProperties"
	case s.Type == "integer" && s.Minimum == nil:
		return "minimum"
	case s.Type == "integer" && s.Maximum == nil && s.Format == "":
		return "maximum"
	case s.Type == "":
		return "type"
	default:
		return ""
	}
}

// What the operator writes of each stage of life stands in test/gitops/testdata.
func TestCRDBoundsTakeEveryStatusThatTheOperatorWrites(t *testing.T) {
	t.Parallel()
	validators := map[string]validation.SchemaValidator{}
	for kind, schema := range schemas(t) {
		validator, _, err := validation.NewSchemaValidator(schema)
		if err != nil {
			t.Fatal(err)
		}
		validators[kind] = validator
	}
	files, err := filepath.Glob("../gitops/testdata/*statuses/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]int{}
	for _, file := range files {
		var object map[string]any
		read(t, file, &object)
		kind, _ := object["kind"].(string)
		validator := validators[kind]
		if validator == nil {
			t.Fatalf("%s is a %q", file, kind)
		}
		seen[kind]++
		if object["status"] == nil {
			t.Errorf("%s has no status", file)
		}
		for _, problem := range validation.ValidateCustomResource(field.NewPath(""), object, validator) {
			t.Errorf("%s: %v", filepath.Base(file), problem)
		}
	}
	if len(seen) != len(validators) {
		t.Errorf("there are statuses of %v only", seen)
	}
}
