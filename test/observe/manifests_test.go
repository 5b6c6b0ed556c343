package observe

import (
	"os"
	"path/filepath"
	"testing"

	"sigs.k8s.io/yaml"
)

// rule is one alert of what is shipped.
type rule struct {
	Alert       string            `json:"alert"`
	Expr        string            `json:"expr"`
	For         string            `json:"for,omitempty"`
	Labels      map[string]string `json:"labels,omitempty"`
	Annotations map[string]string `json:"annotations,omitempty"`
}

// ruleGroups is the spec of a PrometheusRule, which is also what Prometheus reads from a file.
type ruleGroups struct {
	Groups []ruleGroup `json:"groups"`
}

type ruleGroup struct {
	Name     string `json:"name"`
	Interval string `json:"interval,omitempty"`
	Rules    []rule `json:"rules"`
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	content, err := os.ReadFile(filepath.Join("..", "..", path))
	if err != nil {
		t.Fatal(err)
	}
	return content
}

func shippedRules(t *testing.T) ruleGroups {
	t.Helper()
	var all ruleGroups
	for _, path := range []string{"config/prometheus/prometheus_rule.yaml", "config/components/token-server-prometheus/prometheus_rule.yaml"} {
		var object struct {
			Spec ruleGroups `json:"spec"`
		}
		if err := yaml.UnmarshalStrict(specOnly(t, read(t, path)), &object); err != nil {
			t.Fatal(err)
		}
		all.Groups = append(all.Groups, object.Spec.Groups...)
	}
	return all
}

// specOnly leaves out what is around the spec, so that the rest can be read strictly.
func specOnly(t *testing.T, text []byte) []byte {
	t.Helper()
	var whole map[string]any
	if err := yaml.Unmarshal(text, &whole); err != nil {
		t.Fatal(err)
	}
	spec, err := yaml.Marshal(map[string]any{"spec": whole["spec"]})
	if err != nil {
		t.Fatal(err)
	}
	return spec
}
