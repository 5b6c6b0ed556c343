package observe

import (
	"regexp"
	"strings"
	"testing"
)

const runbookURL = "https://github.com/githubusertoken/github-user-token-operator/blob/main/docs/runbook.md#"

// An alert says what happened, how bad it is, where it is told what to do, and where it can be seen.
func TestAlertsLeadToTheRunbookAndToTheDashboard(t *testing.T) {
	runbook := string(read(t, "docs/runbook.md"))
	dashboard := string(read(t, "config/grafana/github-user-tokens.json"))
	anchors := map[string]bool{}
	for _, title := range regexp.MustCompile(`(?m)^#+ (.+)$`).FindAllStringSubmatch(runbook, -1) {
		anchors[strings.ReplaceAll(strings.ToLower(title[1]), " ", "-")] = true
	}
	// The name of a lease follows from the deployment's selector, and the one of before stays, with a holder of before.
	if of := regexp.MustCompile(`(?i)leases? github-user-token-operator\b`).FindString(runbook + string(read(t, "config/prometheus/prometheus_rule.yaml"))); of != "" {
		t.Errorf("%q is where somebody is sent, and it may be nobody's", of)
	}
	alerts := 0
	for _, group := range shippedRules(t).Groups {
		for _, rule := range group.Rules {
			alerts++
			for _, name := range []string{"summary", "description", "runbook_url", "dashboard_url"} {
				if rule.Annotations[name] == "" {
					t.Errorf("%s has no %s", rule.Alert, name)
				}
			}
			if severity := rule.Labels["severity"]; severity != "warning" && severity != "critical" {
				t.Errorf("%s has the severity %q", rule.Alert, severity)
			}
			anchor, ok := strings.CutPrefix(rule.Annotations["runbook_url"], runbookURL)
			if !ok || !anchors[anchor] || anchor != strings.ToLower(rule.Alert) {
				t.Errorf("%s leads to %s, which is no section of the runbook", rule.Alert, rule.Annotations["runbook_url"])
			}
			uid, ok := strings.CutPrefix(rule.Annotations["dashboard_url"], "/d/")
			uid, _, _ = strings.Cut(uid, "?")
			if !ok || !strings.Contains(dashboard, `"uid": "`+uid+`"`) {
				t.Errorf("%s leads to %s, which is no dashboard", rule.Alert, rule.Annotations["dashboard_url"])
			}
		}
	}
	if alerts < 20 {
		t.Errorf("%d alerts were found", alerts)
	}
}
