package crd

import (
	"slices"
	"testing"

	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/validation"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel"
	celconfig "k8s.io/apiserver/pkg/apis/cel"
	"k8s.io/apiserver/pkg/cel/environment"
)

// The API server refuses a definition whose rules may cost more than its limits: so much for a rule, and so much for all of
// them. These take a tenth of either: what costs more is a rule about something without a good bound.
const (
	mostOfARule = validation.StaticEstimatedCostLimit / 10
	mostOfAll   = validation.StaticEstimatedCRDCostLimit / 10
)

// cost is what a rule is estimated to cost at most.
type cost struct {
	path, rule string
	most       uint64
}

func TestCRDRulesCostFarLessThanTheAPIServerAllows(t *testing.T) {
	t.Parallel()
	for kind, schema := range schemas(t) {
		costs := costsOf(t, "", schema, validation.RootCELContext(schema))
		var sum uint64
		for _, c := range costs {
			sum += c.most
			if c.most > mostOfARule {
				t.Errorf("%s: a rule of %s may cost %d, more than %d: %s", kind, c.path, c.most, uint64(mostOfARule), c.rule)
			}
		}
		if sum > mostOfAll {
			t.Errorf("%s: the rules may cost %d, more than %d", kind, sum, uint64(mostOfAll))
		}
		slices.SortFunc(costs, func(a, b cost) int { return int(b.most) - int(a.most) })
		t.Logf("%s: %d rules cost %d at most, %.1f %% of the limit", kind, len(costs), sum, 100*float64(sum)/validation.StaticEstimatedCRDCostLimit)
		for _, c := range costs[:min(3, len(costs))] {
			t.Logf("  %s: %d, %.1f %% of the limit of a rule: %.80s", c.path, c.most, 100*float64(c.most)/validation.StaticEstimatedCostLimit, c.rule)
		}
		if len(costs) < 4 {
			t.Errorf("%s: only %d rules were found", kind, len(costs))
		}
	}
}

// costsOf estimates the rules of a schema and of all below it, as the API server does when the definition is created.
func costsOf(t *testing.T, path string, schema *apiextensions.JSONSchemaProps, context *validation.CELSchemaContext) (costs []cost) {
	t.Helper()
	if len(schema.XValidations) > 0 {
		info, err := context.TypeInfo()
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		compiled, err := cel.Compile(info.Schema, info.DeclType, celconfig.PerCallLimit,
			environment.MustBaseEnvSet(environment.DefaultCompatibilityVersion()), cel.NewExpressionsEnvLoader())
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		for i, result := range compiled {
			if result.Error != nil {
				t.Fatalf("%s: %v", path, result.Error)
			}
			times := result.MaxCardinality
			if context.MaxCardinality != nil {
				times = *context.MaxCardinality
			}
			costs = append(costs, cost{path, schema.XValidations[i].Rule, result.MaxCost * times})
		}
	}
	for name := range schema.Properties {
		below := schema.Properties[name]
		costs = append(costs, costsOf(t, path+"."+name, &below, context.ChildPropertyContext(&below, name))...)
	}
	if schema.Items != nil && schema.Items.Schema != nil {
		costs = append(costs, costsOf(t, path+"[]", schema.Items.Schema, context.ChildItemsContext(schema.Items.Schema))...)
	}
	if schema.AdditionalProperties != nil && schema.AdditionalProperties.Schema != nil {
		below := schema.AdditionalProperties.Schema
		costs = append(costs, costsOf(t, path+"{}", below, context.ChildAdditionalPropertiesContext(below))...)
	}
	return costs
}
