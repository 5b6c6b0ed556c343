package crd

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"sigs.k8s.io/yaml"
)

// schemas are the schemas of all kinds, by kind.
func schemas(t *testing.T) map[string]*apiextensions.JSONSchemaProps {
	t.Helper()
	files, err := filepath.Glob("../../config/crd/bases/*.yaml")
	if err != nil || len(files) != 3 {
		t.Fatalf("the definitions are %v: %v", files, err)
	}
	found := map[string]*apiextensions.JSONSchemaProps{}
	for _, file := range files {
		var crd apiextensionsv1.CustomResourceDefinition
		read(t, file, &crd)
		for _, version := range crd.Spec.Versions {
			schema := &apiextensions.JSONSchemaProps{}
			if err := apiextensionsv1.Convert_v1_JSONSchemaProps_To_apiextensions_JSONSchemaProps(version.Schema.OpenAPIV3Schema, schema, nil); err != nil {
				t.Fatal(err)
			}
			found[crd.Spec.Names.Kind] = schema
		}
	}
	return found
}

func read(t *testing.T, file string, into any) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(text, into); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
}

// walk visits a schema and all below it, with its path: [] for the items of a list, {} for the values of a map.
func walk(path string, schema *apiextensions.JSONSchemaProps, visit func(path string, schema *apiextensions.JSONSchemaProps)) {
	visit(strings.TrimPrefix(path, "."), schema)
	for name := range schema.Properties {
		below := schema.Properties[name]
		walk(path+"."+name, &below, visit)
	}
	if schema.Items != nil && schema.Items.Schema != nil {
		walk(path+"[]", schema.Items.Schema, visit)
	}
	if schema.AdditionalProperties != nil && schema.AdditionalProperties.Schema != nil {
		walk(path+"{}", schema.AdditionalProperties.Schema, visit)
	}
}
