package observe

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// dashboard is as much of Grafana's JSON as is looked at here.
type dashboard struct {
	UID        string `json:"uid"`
	Editable   bool   `json:"editable"`
	Templating struct {
		List []variable `json:"list"`
	} `json:"templating"`
	Panels []panel `json:"panels"`
}

type variable struct {
	Name       string     `json:"name"`
	Label      string     `json:"label"`
	Type       string     `json:"type"`
	Query      string     `json:"query"`
	Datasource datasource `json:"datasource"`
	Refresh    int        `json:"refresh"`
	Multi      bool       `json:"multi"`
	AllValue   string     `json:"allValue"`
}

type datasource struct {
	Type string `json:"type"`
	UID  string `json:"uid"`
}

type panel struct {
	ID          int        `json:"id"`
	Type        string     `json:"type"`
	Title       string     `json:"title"`
	Description string     `json:"description"`
	Datasource  datasource `json:"datasource"`
	FieldConfig struct {
		Defaults struct {
			Unit       string `json:"unit"`
			Thresholds struct {
				Steps []any `json:"steps"`
			} `json:"thresholds"`
		} `json:"defaults"`
	} `json:"fieldConfig"`
	GridPos struct{ X, Y, W, H int } `json:"gridPos"`
	Targets []target                 `json:"targets"`
}

type target struct {
	Datasource   datasource `json:"datasource"`
	Expr         string     `json:"expr"`
	LegendFormat string     `json:"legendFormat"`
	RefID        string     `json:"refId"`
	Format       string     `json:"format"`
}

func shippedDashboard(t *testing.T) dashboard {
	t.Helper()
	var d dashboard
	if err := json.Unmarshal(read(t, "config/grafana/github-user-tokens.json"), &d); err != nil {
		t.Fatal(err)
	}
	return d
}

var (
	// selector is a metric with its matchers, and what stands around it.
	selector = regexp.MustCompile(`\b([a-z][a-z0-9]*_[a-z0-9_]+)(\{[^}]*\})?(\[[^]]*\])?`)
	// unit are those of Grafana that are used here.
	units = []string{"short", "s", "ops", "reqps", "bytes", "string"}
	// functions look like metrics.
	functions = []string{"histogram_quantile", "group_left", "label_values", "clamp_min"}
)

// These are the rules of https://github.com/grafana/dashboard-linter, which cannot be pinned: it imports all of Loki.
func TestDashboardFollowsTheRulesOfGrafanasLinter(t *testing.T) {
	d := shippedDashboard(t)
	if d.Editable {
		t.Error("uneditable-dashboard: it can be edited where it is installed")
	}
	checkVariables(t, d)
	ids := map[int]bool{}
	for _, p := range d.Panels {
		if ids[p.ID] {
			t.Errorf("%q: its id is not its own", p.Title)
		}
		ids[p.ID] = true
		if p.Type == "row" {
			continue
		}
		if p.Title == "" || !strings.HasSuffix(p.Description, ".") {
			t.Errorf("%q: panel-title-description-rule: the description is %q", p.Title, p.Description)
		}
		if p.Datasource.UID != "$datasource" {
			t.Errorf("%q: panel-datasource-rule: it reads from %q", p.Title, p.Datasource.UID)
		}
		if !slices.Contains(units, p.FieldConfig.Defaults.Unit) {
			t.Errorf("%q: panel-units-rule: the unit is %q", p.Title, p.FieldConfig.Defaults.Unit)
		}
		if len(p.FieldConfig.Defaults.Thresholds.Steps) == 0 {
			t.Errorf("%q: it has no thresholds", p.Title)
		}
		if len(p.Targets) == 0 {
			t.Errorf("%q: panel-no-targets-rule: it has no query", p.Title)
		}
		for _, target := range p.Targets {
			checkTarget(t, p, target)
		}
	}
}

func checkVariables(t *testing.T, d dashboard) {
	t.Helper()
	for name, label := range map[string]string{"datasource": "Data source", "job": "Job", "instance": "Instance", "namespace": "Namespace", "name": "Name"} {
		i := slices.IndexFunc(d.Templating.List, func(v variable) bool { return v.Name == name })
		if i < 0 {
			t.Errorf("template-%s-rule: there is no such variable", name)
			continue
		}
		v := d.Templating.List[i]
		if v.Label != label {
			t.Errorf("template-%s-rule: the label is %q", name, v.Label)
		}
		if name == "datasource" {
			if v.Type != "datasource" || v.Query != "prometheus" {
				t.Errorf("template-datasource-rule: it is %+v", v)
			}
			continue
		}
		if v.Type != "query" || v.Datasource.UID != "$datasource" || !v.Multi || v.AllValue != ".+" {
			t.Errorf("template-%s-rule: it is %+v", name, v)
		}
		if v.Refresh != 2 {
			t.Errorf("template-on-time-change-reload-rule: %s is not read anew", name)
		}
		if !strings.HasPrefix(v.Query, "label_values(") {
			t.Errorf("template-label-promql-rule: %s is %q", name, v.Query)
		}
		// Grafana asks for one after the other: a query that waits for itself, or for a later one, is never made.
		for _, used := range regexp.MustCompile(`"\$(\w+)"`).FindAllStringSubmatch(v.Query, -1) {
			if at := slices.IndexFunc(d.Templating.List, func(other variable) bool { return other.Name == used[1] }); at < 0 || at >= i {
				t.Errorf("the query of %s wants %s, which is not known before it: %s", name, used[1], v.Query)
			}
		}
	}
}

func checkTarget(t *testing.T, p panel, target target) {
	t.Helper()
	if target.Datasource.UID != "$datasource" {
		t.Errorf("%q: a query reads from %q", p.Title, target.Datasource.UID)
	}
	if target.LegendFormat == "" && p.Type != "table" {
		t.Errorf("%q: a query has no legend", p.Title)
	}
	found := 0
	for _, match := range selector.FindAllStringSubmatchIndex(target.Expr, -1) {
		part := func(i int) string {
			if match[2*i] < 0 {
				return ""
			}
			return target.Expr[match[2*i]:match[2*i+1]]
		}
		name, matchers, window := part(1), part(2), part(3)
		isLabel := matchers == "" && window == ""
		if slices.Contains(functions, name) || isLabel {
			continue
		}
		found++
		for _, variable := range []string{"job", "instance"} {
			if !strings.Contains(matchers, variable+`=~"$`+variable+`"`) {
				t.Errorf("%q: target-%s-rule: %s%s", p.Title, variable, name, matchers)
			}
		}
		before := target.Expr[:match[0]]
		ranged := strings.HasSuffix(before, "rate(") || strings.HasSuffix(before, "increase(")
		if strings.HasSuffix(name, "_total") && !ranged {
			t.Errorf("%q: target-counter-agg-rule: %s", p.Title, name)
		}
		if ranged && window != "[$__rate_interval]" {
			t.Errorf("%q: target-rate-interval-rule: %s%s", p.Title, name, window)
		}
	}
	if found == 0 {
		t.Errorf("%q: no metric was found in %s", p.Title, target.Expr)
	}
}

// Panels stand beside each other and not on top of each other.
func TestDashboardPanelsHaveTheirPlaces(t *testing.T) {
	panels := shippedDashboard(t).Panels
	for i, a := range panels {
		if a.GridPos.X+a.GridPos.W > 24 || a.GridPos.W == 0 || a.GridPos.H == 0 {
			t.Errorf("%q does not fit", a.Title)
		}
		for _, b := range panels[:i] {
			if a.GridPos.X < b.GridPos.X+b.GridPos.W && b.GridPos.X < a.GridPos.X+a.GridPos.W &&
				a.GridPos.Y < b.GridPos.Y+b.GridPos.H && b.GridPos.Y < a.GridPos.Y+a.GridPos.H {
				t.Errorf("%q and %q overlap", a.Title, b.Title)
			}
		}
	}
}
