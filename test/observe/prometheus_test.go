//go:build observe

package observe

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/yaml"

	"github.com/githubusertoken/github-user-token-operator/hack/controlplane"
)

// faster is how many times faster than in life alerts fire in the live run; promtool has tried the times of life.
const faster = 150

// sooner divides a duration of a rule. What is left is a whole number of seconds, one at least.
func sooner(t *testing.T, text string) string {
	t.Helper()
	if text == "" {
		return ""
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%ds", max(1, int((d/faster).Seconds())))
}

// thresholds are times in the expressions of rules that the live run has no time for.
var thresholds = []struct{ from, to string }{
	{"(githubusertoken_next_refresh_timestamp_seconds) > 600", "(githubusertoken_next_refresh_timestamp_seconds) > 4"},
	{"githubusertoken_outbox_oldest_record_age_seconds) > 60", "githubusertoken_outbox_oldest_record_age_seconds) > 2"},
	// For how long a warning looks back when it gives way.
	{"[6m]", fmt.Sprintf("[%ds]", int((6 * time.Minute / faster).Seconds()))},
	{"> time() - 360", fmt.Sprintf("> time() - %d", int((6 * time.Minute / faster).Seconds()))},
}

// fastRules are the shipped rules for a run in which everything is faster.
func fastRules(t *testing.T) ruleGroups {
	t.Helper()
	rules := shippedRules(t)
	replaced := map[string]bool{}
	for g := range rules.Groups {
		rules.Groups[g].Interval = "1s"
		for i := range rules.Groups[g].Rules {
			rule := &rules.Groups[g].Rules[i]
			rule.For = sooner(t, rule.For)
			for _, threshold := range thresholds {
				if strings.Contains(rule.Expr, threshold.from) {
					replaced[threshold.from] = true
					rule.Expr = strings.ReplaceAll(rule.Expr, threshold.from, threshold.to)
				}
			}
		}
	}
	if len(replaced) != len(thresholds) {
		t.Fatalf("the rules have changed: of the thresholds only %v were found", slices.Collect(maps.Keys(replaced)))
	}
	return rules
}

// monitor is as much of a ServiceMonitor as Prometheus is told by its operator.
type monitor struct {
	Spec struct {
		Endpoints []struct {
			Scheme        string `json:"scheme"`
			HonorLabels   bool   `json:"honorLabels"`
			Authorization struct {
				Credentials struct{ Name, Key string } `json:"credentials"`
			} `json:"authorization"`
			TLSConfig struct {
				ServerName string `json:"serverName"`
				Insecure   bool   `json:"insecureSkipVerify"`
				CA         struct {
					Secret struct{ Name, Key string } `json:"secret"`
				} `json:"ca"`
			} `json:"tlsConfig"`
		} `json:"endpoints"`
	} `json:"spec"`
}

// server is a running Prometheus.
type server struct {
	t       *testing.T
	address string
	process *controlplane.Process
}

// scraped is what is scraped, as a ServiceMonitor says.
type scraped struct {
	monitor          monitor
	job, pod, target string
}

// config is what Prometheus' operator makes of it.
func (s scraped) config(tokenFile, authorityFile string) map[string]any {
	endpoint := s.monitor.Spec.Endpoints[0]
	verify := map[string]any{"ca_file": authorityFile, "server_name": endpoint.TLSConfig.ServerName}
	if endpoint.TLSConfig.Insecure {
		verify = map[string]any{"insecure_skip_verify": true}
	}
	return map[string]any{
		"job_name": s.job, "scheme": endpoint.Scheme, "honor_labels": endpoint.HonorLabels,
		"authorization": map[string]any{"credentials_file": tokenFile}, "tls_config": verify,
		"static_configs": []any{map[string]any{
			"targets": []string{s.target}, "labels": map[string]string{"namespace": "github-user-token-system", "pod": s.pod},
		}},
	}
}

// startPrometheus has a Prometheus scrape targets each second, as their ServiceMonitors say, and evaluate rules.
func startPrometheus(t *testing.T, targets []scraped, tokenFile, authorityFile string, rules ruleGroups) *server {
	t.Helper()
	path, err := exec.LookPath("prometheus")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write(t, filepath.Join(dir, "rules.yaml"), rules)
	var configs []any
	for _, target := range targets {
		configs = append(configs, target.config(tokenFile, authorityFile))
	}
	write(t, filepath.Join(dir, "prometheus.yaml"), map[string]any{
		"global":         map[string]any{"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
		"rule_files":     []string{"rules.yaml"},
		"scrape_configs": configs,
	})
	promtool(t, "check", "config", filepath.Join(dir, "prometheus.yaml"))
	address, release, err := controlplane.ReserveAddress()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(release)
	s := &server{t: t, address: "http://" + address}
	s.process = controlplane.NewProcess(controlplane.Program{
		Name: "Prometheus", Path: path, Dir: dir, LogPath: filepath.Join(dir, "prometheus.log"),
		Args: []string{
			"--config.file=" + filepath.Join(dir, "prometheus.yaml"), "--storage.tsdb.path=" + filepath.Join(dir, "data"),
			"--web.listen-address=" + address,
		},
		Ready: func(ctx context.Context) error { return s.get(ctx, "/-/ready", nil, nil) },
	})
	if err := s.process.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.process.Kill)
	return s
}

// get asks Prometheus' API.
func (s *server) get(ctx context.Context, path string, query url.Values, into any) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.address+path+"?"+query.Encode(), nil)
	if err != nil {
		return err
	}
	reply, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = reply.Body.Close() }()
	if reply.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(reply.Body, 1000))
		return fmt.Errorf("%s: %s: %s", path, reply.Status, text)
	}
	if into == nil {
		return nil
	}
	var answer struct {
		Data json.RawMessage `json:"data"`
	}
	if err := json.NewDecoder(reply.Body).Decode(&answer); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return json.Unmarshal(answer.Data, into)
}

// alerts are those that fire now, each as NAME/SEVERITY{labels}.
func (s *server) alerts() []string {
	s.t.Helper()
	var answer struct {
		Alerts []struct {
			Labels      map[string]string `json:"labels"`
			Annotations map[string]string `json:"annotations"`
			State       string            `json:"state"`
		} `json:"alerts"`
	}
	if err := s.get(s.t.Context(), "/api/v1/alerts", nil, &answer); err != nil {
		s.t.Fatal(err)
	}
	var firing []string
	for _, a := range answer.Alerts {
		if a.State != "firing" {
			continue
		}
		for _, text := range a.Annotations {
			if strings.Contains(text, "<error") {
				s.t.Errorf("%s says: %s", a.Labels["alertname"], text)
			}
		}
		name, severity := a.Labels["alertname"], a.Labels["severity"]
		delete(a.Labels, "alertname")
		delete(a.Labels, "severity")
		var labels []string
		for _, label := range slices.Sorted(maps.Keys(a.Labels)) {
			labels = append(labels, fmt.Sprintf("%s=%q", label, a.Labels[label]))
		}
		firing = append(firing, alert(name, severity, strings.Join(labels, ", ")))
	}
	slices.Sort(firing)
	return firing
}

// values are those of a query over the time since a beginning.
func (s *server) values(expr string, since time.Time) ([]float64, error) {
	var answer struct {
		Result []struct {
			Values [][2]any `json:"values"`
		} `json:"result"`
	}
	unix := func(at time.Time) string { return strconv.FormatInt(at.Unix(), 10) }
	query := url.Values{"query": {expr}, "start": {unix(since)}, "end": {unix(time.Now())}, "step": {"5"}}
	if err := s.get(s.t.Context(), "/api/v1/query_range", query, &answer); err != nil {
		return nil, err
	}
	var values []float64
	for _, series := range answer.Result {
		for _, pair := range series.Values {
			text, _ := pair[1].(string)
			value, err := strconv.ParseFloat(text, 64)
			if err != nil {
				return nil, err
			}
			values = append(values, value)
		}
	}
	return values, nil
}

// inGrafana is a query as Grafana sends it with all of each variable chosen.
func inGrafana(expr string) string {
	return regexp.MustCompile(`\$(job|instance|namespace|name)\b`).ReplaceAllString(strings.ReplaceAll(expr, "$__rate_interval", "20s"), ".+")
}

// rendered is an object that kustomize makes of config/ with components.
func rendered(t *testing.T, text, kind, name string, into any) {
	t.Helper()
	for part := range strings.SplitSeq(text, "\n---\n") {
		var object struct {
			Kind     string `json:"kind"`
			Metadata struct {
				Name string `json:"name"`
			} `json:"metadata"`
		}
		if err := yaml.Unmarshal([]byte(part), &object); err != nil {
			t.Fatal(err)
		}
		if object.Kind == kind && object.Metadata.Name == name {
			if err := yaml.Unmarshal([]byte(part), into); err != nil {
				t.Fatal(err)
			}
			return
		}
	}
	t.Fatalf("no %s %s is rendered", kind, name)
}
