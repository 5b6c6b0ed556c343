package install

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"helm.sh/helm/v4/pkg/chart/common"
	"helm.sh/helm/v4/pkg/chart/common/util"
	chart "helm.sh/helm/v4/pkg/chart/v2"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	"helm.sh/helm/v4/pkg/engine"
	"sigs.k8s.io/yaml"
)

const chartFolder = root + "/charts/github-user-token-operator"

// release is what a user says at helm install.
type release struct {
	Name      string
	Namespace string
	// Values is YAML.
	Values string
}

func (r release) withDefaults() release {
	if r.Name == "" {
		r.Name = "github-user-token-operator"
	}
	if r.Namespace == "" {
		r.Namespace = "github-user-token-system"
	}
	return r
}

func loadChart(t *testing.T) *chart.Chart {
	t.Helper()
	loaded, err := loader.LoadDir(chartFolder)
	if err != nil {
		t.Fatal(err)
	}
	return loaded
}

// template renders the chart, as helm template does, and returns the objects and the notes.
func template(t *testing.T, r release) (objects []object, notes string, err error) {
	t.Helper()
	r = r.withDefaults()
	var given map[string]any
	if err := yaml.Unmarshal([]byte(r.Values), &given); err != nil {
		t.Fatal(err)
	}
	loaded := loadChart(t)
	values, err := util.ToRenderValues(loaded, given, common.ReleaseOptions{Name: r.Name, Namespace: r.Namespace, Revision: 1, IsInstall: true}, nil)
	if err != nil {
		return nil, "", err
	}
	files, err := engine.Render(loaded, values)
	if err != nil {
		return nil, "", err
	}
	for path, content := range files {
		if strings.Contains(content, "<no value>") {
			t.Errorf("%s speaks of a value that is not there:\n%s", path, content)
		}
		switch {
		case strings.HasSuffix(path, "NOTES.txt"):
			notes = content
		case strings.HasSuffix(path, ".yaml"):
			objects = append(objects, parse(t, []byte(content))...)
		}
	}
	return objects, notes, nil
}

func mustTemplate(t *testing.T, r release) []object {
	t.Helper()
	objects, _, err := template(t, r)
	if err != nil {
		t.Fatal(err)
	}
	return objects
}

// Both ways to install make the same objects. What only one of them has is named here.
func TestChartInstallsWhatKustomizeDoes(t *testing.T) {
	const prefixed = "other-github-user-token-operator"
	for name, c := range map[string]struct {
		release   release
		kustomize kustomization
		// built is used in place of kustomize.
		built func(*testing.T) []object
	}{
		"as shipped": {kustomize: kustomization{Resources: []string{"config/default"}}},
		"elsewhere and under another name": {
			release:   release{Name: prefixed, Namespace: "elsewhere"},
			kustomize: kustomization{Namespace: "elsewhere", NamePrefix: "other-", Resources: []string{"config/default"}},
		},
		"the handoff": {
			release:   release{Values: "handoff: {enabled: true}"},
			kustomize: kustomization{Resources: []string{"config/default"}, Components: []string{"config/components/handoff"}},
		},
		"a private CA": {
			release:   release{Values: "githubCA: {configMapName: github-ca}"},
			kustomize: kustomization{Resources: []string{"config/default"}, Components: []string{"config/components/github-ca"}},
		},
		"the webhook receiver": {
			release:   release{Values: "webhookReceiver: {enabled: true}"},
			kustomize: kustomization{Resources: []string{"config/default"}, Components: []string{"config/components/webhook-receiver"}},
		},
		"network policies": {
			release:   release{Values: "networkPolicy: {enabled: true}"},
			kustomize: kustomization{Resources: []string{"config/default"}, Components: []string{"config/network-policy"}},
		},
		"walls": {
			release:   release{Values: "walls: {enabled: true}"},
			kustomize: kustomization{Resources: []string{"config/default"}, Components: []string{"config/components/walls"}},
		},
		"deployments that share the cluster": {
			release:   release{Values: "sharding: {limitShare: 1/3, shards: [{name: shard1, limitShare: 1/3}, {name: shard2, limitShare: 1/3}], wall: {enabled: true}}"},
			kustomize: kustomization{Resources: []string{"config/sharded"}},
		},
		"the warning about spec.user": {
			release:   release{Values: "userWarning: {enabled: true}"},
			kustomize: kustomization{Resources: []string{"config/default"}, Components: []string{"config/components/user-warning"}},
		},
		"the login page": {
			release:   release{Values: "loginPage: {enabled: true, url: 'https://login.example.com'}"},
			kustomize: kustomization{Resources: []string{"config/default"}, Components: []string{"config/components/login-page"}},
		},
		"the token server": {
			release:   release{Values: "tokenServer: {enabled: true, audience: github-user-token.example.com}"},
			kustomize: kustomization{Resources: []string{"config/default"}, Components: []string{"config/components/token-server"}},
		},
		"the token server, watched by Prometheus": {
			release: release{Values: "{tokenServer: {enabled: true, audience: github-user-token.example.com}, serviceMonitor: {enabled: true}, prometheusRule: {enabled: true}}"},
			kustomize: kustomization{
				Resources: []string{"config/default"}, Components: []string{"config/prometheus", "config/components/token-server", "config/components/token-server-prometheus"},
			},
		},
		"the token server with a certificate": {
			release: release{Values: "tokenServer: {enabled: true, audience: github-user-token.example.com, tls: {certManager: {enabled: true}}}"},
			built: func(t *testing.T) []object {
				t.Helper()
				objects := build(t, kustomization{Resources: []string{"config/default"}, Components: []string{"config/components/token-server", "config/components/token-server-certificate"}})
				for _, o := range objects { // Only the chart knows where it is.
					if spec, _ := o["spec"].(map[string]any); o.kind() == "Certificate" && spec["dnsNames"] != nil {
						spec["dnsNames"] = []any{"github-user-token-operator-token-server.github-user-token-system.svc"}
					}
				}
				return objects
			},
		},
		"the login page, with My tokens": {
			release:   release{Values: "loginPage: {enabled: true, url: 'https://login.example.com', myTokens: {app: login-page}}"},
			kustomize: kustomization{Resources: []string{"config/default"}, Components: []string{"config/components/login-page", "config/components/my-tokens"}},
		},
		"the login page of further deployments as well": {
			release:   release{Values: "{loginPage: {enabled: true, url: 'https://login.example.com'}, sharding: {limitShare: 1/3, shards: [{name: shard1, limitShare: 1/3}, {name: shard2, limitShare: 1/3}], wall: {enabled: true}}}"},
			kustomize: kustomization{Resources: []string{"config/sharded"}, Components: []string{"config/components/login-page"}},
		},
		"Prometheus": {
			release:   release{Values: "{serviceMonitor: {enabled: true}, prometheusRule: {enabled: true}}"},
			kustomize: kustomization{Resources: []string{"config/default"}, Components: []string{"config/prometheus"}},
		},
		"Prometheus, which verifies the certificate": {
			release:   release{Values: "{serviceMonitor: {enabled: true}, prometheusRule: {enabled: true}, metrics: {certManager: {enabled: true}}}"},
			kustomize: kustomization{Resources: []string{"config/default"}, Components: []string{"config/prometheus", "config/components/metrics-certificate"}},
		},
		"the dashboard": {
			release:   release{Values: "dashboard: {enabled: true}"},
			kustomize: kustomization{Resources: []string{"config/default"}, Components: []string{"config/grafana"}},
		},
		"everything, elsewhere": {
			release: release{Name: prefixed, Namespace: "elsewhere", Values: "{handoff: {enabled: true}, githubCA: {configMapName: github-ca}, webhookReceiver: {enabled: true}, networkPolicy: {enabled: true}, serviceMonitor: {enabled: true}, prometheusRule: {enabled: true}, dashboard: {enabled: true}, walls: {enabled: true}, userWarning: {enabled: true}, loginPage: {enabled: true, url: 'https://login.example.com', myTokens: {app: login-page}}, tokenServer: {enabled: true, audience: github-user-token.example.com}}"},
			kustomize: kustomization{
				Namespace: "elsewhere", NamePrefix: "other-", Resources: []string{"config/default"},
				Components: []string{"config/components/handoff", "config/components/github-ca", "config/components/webhook-receiver", "config/network-policy", "config/prometheus", "config/grafana", "config/components/walls", "config/components/user-warning", "config/components/login-page", "config/components/my-tokens", "config/components/token-server", "config/components/token-server-prometheus"},
			},
		},
		"a few namespaces": {
			release:   release{Values: "{namespaces: [team-a], crds: {enabled: false}}"},
			kustomize: kustomization{Resources: []string{"config/namespaced"}},
		},
		"a few namespaces with the handoff": {
			release: release{Values: "{namespaces: [team-a], crds: {enabled: false}, handoff: {enabled: true}}"},
			built: func(t *testing.T) []object {
				t.Helper()
				return slices.Concat(
					build(t, kustomization{Resources: []string{"config/namespaced/operator"}, Components: []string{"config/components/handoff/flag"}}),
					build(t, kustomization{Namespace: "team-a", Resources: []string{"config/namespaced/watched"}, Components: []string{"config/components/handoff/role"}}),
				)
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			want := c.kustomize
			var wanted []object
			if c.built != nil {
				wanted = c.built(t)
			} else {
				wanted = build(t, want)
			}
			compare(t, normalized(wanted), normalized(mustTemplate(t, c.release)))
		})
	}
}

// Egress is a comment of config/network-policy, since ports differ.
func TestChartEgressIsThatOfKustomize(t *testing.T) {
	chart := mustTemplate(t, release{Values: "networkPolicy: {enabled: true, egress: {enabled: true}}"})
	content, err := os.ReadFile(filepath.Join(root, "config/network-policy/egress.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	want := normalized(parse(t, content))
	got := normalized(slices.DeleteFunc(chart, func(o object) bool { return o.name() != "github-user-token-operator-egress" }))
	compare(t, want, got)
}

// ofHelm are labels and annotations that say of which release an object is.
var ofHelm = []string{"helm.sh/chart", "helm.sh/resource-policy", "app.kubernetes.io/instance", "app.kubernetes.io/managed-by", "app.kubernetes.io/version"}

// normalized leaves out what the two ways may differ in: marks of the release, the Namespace, which helm makes by
// --create-namespace, the order of flags, and the image's tag.
func normalized(objects []object) map[string]object {
	byID := map[string]object{}
	for _, o := range objects {
		if o.kind() == "Namespace" {
			continue
		}
		strip(map[string]any(o))
		if o.kind() == "Deployment" {
			container := items(o, "spec", "template", "spec", "containers")[0].(map[string]any)
			slices.SortFunc(container["args"].([]any), func(a, b any) int { return strings.Compare(a.(string), b.(string)) })
			for _, list := range []string{"volumeMounts", "ports"} {
				slices.SortFunc(container[list].([]any), func(a, b any) int { return strings.Compare(text(a, "name"), text(b, "name")) })
			}
			slices.SortFunc(items(o, "spec", "template", "spec", "volumes"), func(a, b any) int { return strings.Compare(text(a, "name"), text(b, "name")) })
		}
		byID[o.id()] = o
	}
	return byID
}

func strip(value any) {
	switch v := value.(type) {
	case map[string]any:
		for key, inner := range v {
			if slices.Contains(ofHelm, key) {
				delete(v, key)
				continue
			}
			strip(inner)
			if m, ok := inner.(map[string]any); ok && len(m) == 0 && (key == "labels" || key == "annotations") {
				delete(v, key)
			}
		}
	case []any:
		for _, inner := range v {
			strip(inner)
		}
	}
}

func compare(t *testing.T, kustomize, helm map[string]object) {
	t.Helper()
	for id, want := range kustomize {
		got := helm[id]
		if got == nil {
			t.Errorf("the chart has no %s", id)
			continue
		}
		wantYAML, gotYAML := marshal(t, want), marshal(t, got)
		if wantYAML != gotYAML {
			t.Errorf("%s differs (- kustomize, + chart):\n%s", id, difference(wantYAML, gotYAML))
		}
	}
	for id := range helm {
		if kustomize[id] == nil {
			t.Errorf("only the chart has %s", id)
		}
	}
	if len(kustomize) == 0 {
		t.Error("there is nothing to compare")
	}
}

func marshal(t *testing.T, value any) string {
	t.Helper()
	// By way of JSON, so that numbers of both parsers are the same.
	content, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	content, err = yaml.JSONToYAML(content)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// difference is the lines that only one of two texts has.
func difference(a, b string) string {
	var out strings.Builder
	as, bs := strings.Split(a, "\n"), strings.Split(b, "\n")
	for _, line := range as {
		if !slices.Contains(bs, line) {
			out.WriteString("- " + line + "\n")
		}
	}
	for _, line := range bs {
		if !slices.Contains(as, line) {
			out.WriteString("+ " + line + "\n")
		}
	}
	if out.Len() == 0 {
		return a + "\n+++\n" + b
	}
	return out.String()
}

// Each reference of a release leads to an object of it, whatever the release is called.
func TestChartReleaseRefersToItsOwn(t *testing.T) {
	const all = "{handoff: {enabled: true}, webhookReceiver: {enabled: true, ingress: {enabled: true, host: a.example.com}}, networkPolicy: {enabled: true, egress: {enabled: true}}, walls: {enabled: true}, userWarning: {enabled: true}, serviceMonitor: {enabled: true}, prometheusRule: {enabled: true}, dashboard: {enabled: true}, metrics: {certManager: {enabled: true}}, loginPage: {enabled: true, url: 'https://login.example.com', ingress: {enabled: true}}, tokenServer: {enabled: true, audience: a, tls: {certManager: {enabled: true}}}"
	for name, r := range map[string]release{
		"a short name":       {Name: "x", Namespace: "elsewhere", Values: all + "}"},
		"the account's name": {Namespace: "elsewhere", Values: all + ", serviceAccount: {name: mine}}"},
		"a full name":        {Namespace: "elsewhere", Values: all + ", fullnameOverride: mine, nameOverride: ours}"},
		"a few namespaces":   {Name: "x", Namespace: "elsewhere", Values: "{namespaces: [team-a, team-b], handoff: {enabled: true}}"},
		"another Prometheus": {Name: "x", Namespace: "elsewhere", Values: "{serviceMonitor: {enabled: true, namespace: monitoring}, prometheusRule: {enabled: true, namespace: monitoring}, tokenServer: {enabled: true, audience: a}}"},
	} {
		t.Run(name, func(t *testing.T) {
			objects := mustTemplate(t, r)
			refersToWhatIsThere(t, objects)
			for _, o := range objects {
				eachString(o, []string{o.id()}, func(path []string, s string) {
					if strings.Contains(s, "github-user-token-system") {
						t.Errorf("%s is %s", strings.Join(path, "."), s)
					}
				})
			}
		})
	}
	// Two releases in one namespace share nothing.
	seen := map[string]bool{}
	for _, name := range []string{"one", "two"} {
		for _, o := range mustTemplate(t, release{Name: name, Values: all + ", crds: {enabled: false}}"}) {
			if seen[o.id()] {
				t.Errorf("two releases both have %s", o.id())
			}
			seen[o.id()] = true
		}
	}
}

// Each value changes what it says, and nothing that it does not.
func TestChartValuesShowInObjects(t *testing.T) {
	for values, want := range map[string]string{
		`image: {repository: example.com/x, tag: v1}`:                        "image: example.com/x:v1",
		`image: {tag: v1, digest: "sha256:` + strings.Repeat("a", 64) + `"}`: "operator@sha256:aaaa",
		`image: {pullSecrets: [{name: registry}], pullPolicy: Always}`:       "imagePullSecrets:\n      - name: registry",
		`replicas: 3`:                                        "replicas: 3",
		`commonLabels: {team: platform}`:                     "team: platform",
		`commonAnnotations: {team: platform}`:                "team: platform",
		`allowedHosts: [github.com, "*.ghe.com"]`:            "- --allowed-hosts=github.com,*.ghe.com",
		`allowedAddresses: [127.0.0.0/8]`:                    "- --allowed-addresses=127.0.0.0/8",
		`extraArgs: [--max-concurrent-exchanges=16]`:         "- --max-concurrent-exchanges=16",
		`extraEnv: [{name: HTTPS_PROXY, value: "http://p"}]`: "name: HTTPS_PROXY",
		`extraEnvFrom: [{secretRef: {name: s}}]`:             "envFrom:",
		`{extraVolumes: [{name: v, emptyDir: {}}], extraVolumeMounts: [{name: v, mountPath: /v}]}`:     "mountPath: /v",
		`extraContainers: [{name: beside, image: x}]`:                                                  "name: beside",
		`extraObjects: [{apiVersion: v1, kind: ConfigMap, metadata: {name: "{{ .Release.Name }}-x"}}]`: "name: github-user-token-operator-x",
		`extraObjects: ["{apiVersion: v1, kind: ConfigMap, metadata: {name: text}}"]`:                  "name: text",
		`resources: {limits: {memory: 1Gi}}`:                                                           "memory: 1Gi",
		`affinity: {nodeAffinity: {}}`:                                                                 "nodeAffinity",
		`topologySpreadConstraints: [{maxSkew: 2}]`:                                                    "maxSkew: 2",
		`nodeSelector: {disk: ssd}`:                                                                    "disk: ssd",
		`tolerations: [{key: taint}]`:                                                                  "key: taint",
		`priorityClassName: system-cluster-critical`:                                                   "priorityClassName: system-cluster-critical",
		`runtimeClassName: gvisor`:                                                                     "runtimeClassName: gvisor",
		`hostUsers: false`:                                                                             "hostUsers: false",
		`hostAliases: [{ip: 10.0.0.1, hostnames: [a]}]`:                                                "ip: 10.0.0.1",
		`dnsPolicy: Default`:                                                                           "dnsPolicy: Default",
		`dnsConfig: {nameservers: [10.0.0.2]}`:                                                         "10.0.0.2",
		`terminationGracePeriodSeconds: 120`:                                                           "terminationGracePeriodSeconds: 120",
		`podSecurityContext: {runAsUser: 1000}`:                                                        "runAsUser: 1000",
		`securityContext: {procMount: Default}`:                                                        "procMount: Default",
		`podLabels: {a: b}`:                                                                            "a: b",
		`podAnnotations: {a: b}`:                                                                       "a: b",
		`deploymentAnnotations: {a: b}`:                                                                "a: b",
		`outbox: {sizeLimit: 64Mi}`:                                                                    "sizeLimit: 64Mi",
		`serviceAccount: {create: false, name: mine}`:                                                  "serviceAccountName: mine",
		`serviceAccount: {labels: {a: b}, annotations: {c: d}}`:                                        "c: d",
		`metrics: {service: {labels: {a: b}, annotations: {c: d}}}`:                                    "c: d",
		`serviceMonitor: {enabled: true, interval: 15s, scrapeTimeout: 10s, relabelings: [{action: drop}], metricRelabelings: [{action: keep}]}`:                                       "interval: 15s",
		`serviceMonitor: {enabled: true, namespace: monitoring, labels: {release: p}, annotations: {a: b}, tlsConfig: {serverName: x}}`:                                                "matchNames:\n    - github-user-token-system",
		`metrics: {certManager: {enabled: true, issuerRef: {name: corporate, kind: ClusterIssuer}}}`:                                                                                   "kind: ClusterIssuer",
		`dashboard: {enabled: true, namespace: monitoring, labels: {dashboards: x}, annotations: {folder: tokens}}`:                                                                    "folder: tokens",
		`prometheusRule: {enabled: true, namespace: monitoring, labels: {release: p}, annotations: {a: b}}`:                                                                            "namespace: monitoring",
		`networkPolicy: {enabled: true, metricsFrom: [{podSelector: {}}]}`:                                                                                                             "podSelector: {}",
		`tokenServer: {enabled: true, audience: a, networkPolicy: {metricsFrom: [{podSelector: {}}]}}`:                                                                                 "podSelector: {}",
		`networkPolicy: {enabled: true, egress: {enabled: true, rules: [{ports: [{port: 8443}]}]}}`:                                                                                    "port: 8443",
		`podDisruptionBudget: {minAvailable: 1}`:                                                                                                                                       "minAvailable: 1",
		`podDisruptionBudget: {maxUnavailable: 50%}`:                                                                                                                                   "maxUnavailable: 50%",
		`githubCA: {configMapName: ca, key: root.pem}`:                                                                                                                                 "key: root.pem",
		`webhookReceiver: {enabled: true, secretName: s, secretKey: k, service: {annotations: {a: b}}}`:                                                                                "secretName: s",
		`webhookReceiver: {enabled: true, ingress: {enabled: true, className: nginx, host: a.example.com, path: /hook, pathType: Exact, tls: [{secretName: t}], annotations: {a: b}}}`: "ingressClassName: nginx",
		`webhookReceiver: {enabled: true, httpRoute: {enabled: true, parentRefs: [{name: gateway}], hostnames: [a.example.com], path: /hook, annotations: {a: b}}}`:                    "kind: HTTPRoute",
		`requireUser: true`:                                                                                                                                        "- --require-user",
		`scopedOutputs: {enabled: true}`:                                                                                                                           "- --enable-scoped-outputs",
		`loginPage: {url: "https://login.example.com/elsewhere"}`:                                                                                                  "- --login-page-url=https://login.example.com/elsewhere",
		`loginPage: {enabled: true, url: "https://login.example.com/ghut"}`:                                                                                        "- login-page\n        - --base-url=https://login.example.com/ghut\n",
		`loginPage: {enabled: true, url: "https://a.example.com", myTokens: {app: who}}`:                                                                           "- --my-tokens-app=ClusterGitHubApp/who\n",
		`loginPage: {enabled: true, url: "https://a.example.com", ingress: {enabled: true}, myTokens: {app: who}}`:                                                 "- --my-tokens-app=ClusterGitHubApp/who\n        - --my-tokens-visits-per-client=40\n",
		`loginPage: {enabled: true, url: "https://b.example.com", myTokens: {app: who}}`:                                                                           "  - expression: '''who'''\n    name: visitApp\n",
		`loginPage: {enabled: true, url: "https://a.example.com", replicas: 5}`:                                                                                    "replicas: 5",
		`loginPage: {enabled: true, url: "https://a.example.com", tls: {secretName: mine}}`:                                                                        "secretName: mine",
		`loginPage: {enabled: true, url: "https://a.example.com", resources: {limits: {memory: 1Gi}}}`:                                                             "memory: 1Gi",
		`loginPage: {enabled: true, url: "https://a.example.com", extraArgs: [--zap-log-level=debug]}`:                                                             "- --zap-log-level=debug",
		`loginPage: {enabled: true, url: "https://a.example.com", service: {type: LoadBalancer}}`:                                                                  "type: LoadBalancer",
		`loginPage: {enabled: true, url: "https://a.example.com", service: {annotations: {a: b}}}`:                                                                 "a: b",
		`loginPage: {enabled: true, url: "https://a.example.com:8443/x", ingress: {enabled: true, className: nginx, tls: [{secretName: t}], annotations: {a: b}}}`: "host: a.example.com\n    http:\n      paths:\n      - backend:\n          service:\n            name: github-user-token-operator-login-page\n            port:\n              name: https\n        path: /x\n",
		`loginPage: {enabled: true, url: "https://a.example.com", networkPolicy: {from: [{podSelector: {}}]}}`:                                                     "podSelector: {}",
		`loginPage: {enabled: true, url: "https://a.example.com", networkPolicy: {egress: [{ports: [{port: 8443}]}]}}`:                                             "egress:\n  - ports:\n    - port: 8443\n",
		`tokenServer: {enabled: true, audience: tokens.example.org}`:                                                                                               "- --audience=tokens.example.org",
		`tokenServer: {enabled: true, audience: a, replicas: 5}`:                                                                                                   "replicas: 5",
		`tokenServer: {enabled: true, audience: a, tls: {secretName: mine}}`:                                                                                       "secretName: mine",
		`tokenServer: {enabled: true, audience: a, tls: {certManager: {enabled: true, dnsNames: [tokens.example.org]}}}`:                                           "github-user-token-operator-token-server.github-user-token-system.svc\n  - tokens.example.org",
		`tokenServer: {enabled: true, audience: a, tls: {certManager: {enabled: true, issuerRef: {name: mine, kind: ClusterIssuer}}}}`:                             "issuerRef:\n    kind: ClusterIssuer\n    name: mine",
		`tokenServer: {enabled: true, audience: a, resources: {limits: {memory: 1Gi}}}`:                                                                            "memory: 1Gi",
		`tokenServer: {enabled: true, audience: a, extraArgs: [--zap-log-level=debug]}`:                                                                            "- --zap-log-level=debug",
		`{tokenServer: {enabled: true, audience: a, metrics: {tlsConfig: {serverName: tokens.example.org}}}, serviceMonitor: {enabled: true}}`:                     "serverName: tokens.example.org",
		`{tokenServer: {enabled: true, audience: a}, serviceMonitor: {enabled: true, interval: 17s}}`:                                                              "interval: 17s",
		`tokenServer: {enabled: true, audience: a, service: {type: LoadBalancer}}`:                                                                                 "type: LoadBalancer",
		`tokenServer: {enabled: true, audience: a, service: {annotations: {a: b}}}`:                                                                                "a: b",
		`tokenServer: {enabled: true, audience: a, networkPolicy: {from: [{podSelector: {}}]}}`:                                                                    "podSelector: {}",
		`tokenServer: {enabled: true, audience: a, networkPolicy: {egress: [{ports: [{port: 8443}]}]}}`:                                                            "egress:\n  - ports:\n    - port: 8443\n",
		`{loginPage: {enabled: true, url: "https://a.example.com"}, image: {digest: "sha256:` + strings.Repeat("b", 64) + `"}, replicas: 1}`:                       "name: login-page\n",
		`walls: {enabled: true, validationActions: [Warn, Audit]}`:                                                                                                 "validationActions:\n  - Warn\n  - Audit",
		`walls: {enabled: true, breakGlassGroups: [a, "b:c"]}`:                                                                                                     "expression: '[''a'', ''b:c'']'",
		`walls: {enabled: true, deletionPolicies: [Delete, Retain]}`:                                                                                               "deletionPolicies: Delete,Retain",
		`walls: {enabled: true, includeRefreshToken: false}`:                                                                                                       `includeRefreshToken: "false"`,
		`walls: {enabled: true, requestedBy: self}`:                                                                                                                "requestedBy: self",
		`walls: {enabled: true, hosts: [a, b]}`:                                                                                                                    "hosts: a,b",
		`walls: {enabled: true, clientIDs: [a, b]}`:                                                                                                                "clientIDs: a,b",
		`sharding: {wall: {enabled: true, groups: [a, "b:c"]}}`:                                                                                                    "expression: '[''a'', ''b:c'']'",
		`sharding: {wall: {enabled: true}, key: example.com/shard}`:                                                                                                "label example.com/shard says",
		`sharding: {limitShare: 50%, shards: [{name: one, limitShare: 50%}]}`:                                                                                      "- --watch-label-selector=sharding.fluxcd.io/key!=one",
		`sharding: {limitShare: 1/2, shards: [{name: one, limitShare: 50%}], key: example.com/shard}`:                                                              "- --watch-label-selector=example.com/shard=one\n        - --github-limit-share=50%",
		`crds: {keep: true}`: "helm.sh/resource-policy: keep",
	} {
		t.Run(values, func(t *testing.T) {
			var all strings.Builder
			for _, o := range mustTemplate(t, release{Values: values}) {
				all.WriteString(marshal(t, o))
			}
			if !strings.Contains(all.String(), want) {
				t.Errorf("nothing holds %q", want)
			}
		})
	}
	for values, unwanted := range map[string]string{
		`crds: {enabled: false}`:                                        "kind: CustomResourceDefinition",
		`crds: {keep: false}`:                                           "helm.sh/resource-policy",
		`rbac: {create: false}`:                                         "kind: ClusterRole",
		`rbac: {aggregate: false}`:                                      "aggregate-to-",
		`serviceAccount: {create: false, name: mine}`:                   "kind: ServiceAccount\nmetadata",
		`podDisruptionBudget: {enabled: false}`:                         "kind: PodDisruptionBudget",
		`flowControl: {enabled: false}`:                                 "kind: FlowSchema",
		`metrics: {enabled: false}`:                                     "metrics",
		`affinity: {}`:                                                  "podAntiAffinity",
		`topologySpreadConstraints: []`:                                 "topologySpreadConstraints",
		`namespaces: [team-a]`:                                          "kind: ClusterRole",
		`loginPage: {enabled: false, url: "https://login.example.com"}`: "--base-url",
		`tokenServer: {enabled: false, audience: a}`:                    "--audience",
		`tokenServer: {enabled: true, audience: a, networkPolicy: {enabled: false}}`:                              "kind: NetworkPolicy",
		`{tokenServer: {enabled: true, audience: a}, metrics: {enabled: false}}`:                                  "-token-server-metrics",
		`{metrics: {enabled: false}, tokenServer: {enabled: true, audience: a}}`:                                  "port: metrics",
		`{serviceMonitor: {enabled: true}, prometheusRule: {enabled: true}}`:                                      "-token-server",
		`{tokenServer: {enabled: true, audience: a}, rbac: {create: false}}`:                                      "kind: ClusterRole",
		`{tokenServer: {enabled: true, audience: a}, rbac: {aggregate: false}}`:                                   "aggregate-to-admin",
		`{tokenServer: {enabled: true, audience: a}, podDisruptionBudget: {enabled: false}}`:                      "kind: PodDisruptionBudget",
		`tokenServer: {enabled: true, audience: a, tls: {certManager: {enabled: true, issuerRef: {name: mine}}}}`: "kind: Issuer",
		`loginPage: {enabled: true, url: "https://login.example.com", networkPolicy: {enabled: false}}`:           "kind: NetworkPolicy",
		`{loginPage: {enabled: true, url: "https://login.example.com"}, rbac: {create: false}}`:                   "kind: ClusterRole",
		`{loginPage: {enabled: true, url: "https://login.example.com"}, podDisruptionBudget: {enabled: false}}`:   "kind: PodDisruptionBudget",
		`{}`: "null",
	} {
		t.Run("without "+unwanted, func(t *testing.T) {
			var all strings.Builder
			for _, o := range mustTemplate(t, release{Values: values}) {
				if o.kind() != "CustomResourceDefinition" || strings.Contains(values, "crds") {
					all.WriteString(marshal(t, o))
				}
			}
			if strings.Contains(all.String(), unwanted) {
				t.Errorf("%s: something holds %q", values, unwanted)
			}
		})
	}
}

// What is misspelt, or cannot work, is refused with a sentence.
func TestChartRefusesWhatItDoesNotKnow(t *testing.T) {
	for values, want := range map[string]string{
		`replica: 2`:       "replica",
		`image: {tagg: x}`: "tagg",
		`webhookReceiver: {ingress: {hosts: []}}`: "hosts",
		`image: {digest: abc}`:                    "digest",
		`replicas: two`:                           "replicas",
		`extraArgs: [max]`:                        "extraArgs",
		`namespaces: [Team]`:                      "namespaces",
		`serviceAccount: {create: false}`:         "serviceAccount.name is needed",
		`webhookReceiver: {enabled: true, ingress: {enabled: true}}`:                                        "host is needed",
		`webhookReceiver: {enabled: true, httpRoute: {enabled: true}}`:                                      "parentRefs is needed",
		`{namespaces: [team-a], serviceMonitor: {enabled: true}}`:                                           "wants metrics.enabled",
		`tokenServer: {enabled: true}`:                                                                      "tokenServer.audience is needed",
		`tokenServer: {enabled: true, audience: "a b"}`:                                                     "audience",
		`{tokenServer: {enabled: true, audience: a}, namespaces: [team-a]}`:                                 "wants no namespaces",
		`loginPage: {enabled: true}`:                                                                        "loginPage.url is needed",
		`loginPage: {url: "http://login.example.com"}`:                                                      "url",
		`{loginPage: {enabled: true, url: "https://login.example.com"}, namespaces: [team-a]}`:              "wants no namespaces",
		`metrics: {enabled: false, certManager: {enabled: true}}`:                                           "wants metrics.enabled",
		`{serviceMonitor: {enabled: true, namespace: monitoring}, metrics: {certManager: {enabled: true}}}`: "wants serviceMonitor.tlsConfig",
		`sharding: {shards: [{name: one, limitShare: 50%}]}`:                                                "give the main deployment its part",
		`sharding: {limitShare: 1/3, shards: [{name: a, limitShare: 99%}, {name: b, limitShare: 99%}]}`:     "more than 1 together: 1/3, 99%, 99%",
		`sharding: {limitShare: 1/3, shards: [{name: a, limitShare: 1/3}, {name: b, limitShare: 34%}]}`:     "more than 1 together",
		`sharding: {limitShare: 1/2, shards: [{name: a, limitShare: "1"}]}`:                                 "more than 1 together",
		`sharding: {limitShare: 1/2, shards: [{name: a, limitShare: 5/2}]}`:                                 "is 5/2, which is more than all",
		`sharding: {limitShare: 3/2, shards: [{name: a, limitShare: 1/2}]}`:                                 "is 3/2, which is more than all",
		`sharding: {limitShare: 7/7, shards: [{name: a, limitShare: 1/2}]}`:                                 "give the main deployment its part",
		`sharding: {limitShare: 1/2}`:                                                                       "no sharding.shards to have the rest",
	} {
		if _, _, err := template(t, release{Values: values}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want something about %q", values, err, want)
		}
	}
}

func TestChartNotesSayTheNextCommand(t *testing.T) {
	_, notes, err := template(t, release{Name: "x", Namespace: "elsewhere", Values: "{webhookReceiver: {enabled: true}, githubCA: {configMapName: ca}, crds: {enabled: false}}"})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"kubectl -n elsewhere rollout status deployment/x-github-user-token-operator\n",
		"kubectl -n elsewhere create secret generic github-webhook --from-file=webhook_secret=FILE",
		"kubectl -n elsewhere create configmap ca --from-file=ca.crt",
		"config/crd", "kind: GitHubUserToken", "helm -n elsewhere uninstall x",
	} {
		if !strings.Contains(notes, want) {
			t.Errorf("the notes do not hold %q:\n%s", want, notes)
		}
	}
}

// values.yaml, its schema and the templates speak of the same values, and each is explained.
func TestChartValuesAreUsedAndExplained(t *testing.T) {
	content, err := os.ReadFile(filepath.Join(chartFolder, "values.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var values map[string]any
	if err := yaml.Unmarshal(content, &values); err != nil {
		t.Fatal(err)
	}
	var schema map[string]any
	if err := json.Unmarshal(loadChart(t).Schema, &schema); err != nil {
		t.Fatal(err)
	}
	delete(at(schema, "properties").(map[string]any), "global") // Helm's own.

	var inValues, inSchema []string
	leaves(values, nil, func(path []string) { inValues = append(inValues, strings.Join(path, ".")) })
	properties(t, schema, nil, func(path []string) { inSchema = append(inSchema, strings.Join(path, ".")) })
	slices.Sort(inValues)
	slices.Sort(inSchema)
	if !slices.Equal(inValues, inSchema) {
		t.Errorf("values.yaml and the schema differ:\n%s", difference(strings.Join(inValues, "\n"), strings.Join(inSchema, "\n")))
	}

	var templates strings.Builder
	for _, file := range loadChart(t).Templates {
		templates.Write(file.Data)
	}
	for _, path := range inValues {
		last := path[strings.LastIndex(path, ".")+1:]
		used := regexp.MustCompile(`(\.` + regexp.QuoteMeta(last) + `\b|"` + regexp.QuoteMeta(last) + `")`)
		if !used.MatchString(templates.String()) {
			t.Errorf("no template uses %s", path)
		}
	}
	lines := strings.Split(string(content), "\n")
	key := regexp.MustCompile(`^ *([A-Za-z]+): *\S`)
	for i, line := range lines {
		if match := key.FindStringSubmatch(line); match != nil && !strings.HasPrefix(strings.TrimSpace(lines[i-1]), "#") {
			t.Errorf("values.yaml does not explain %s", match[1])
		}
	}
}

// leaves tells of each value that holds no others.
func leaves(value any, path []string, tell func([]string)) {
	m, _ := value.(map[string]any)
	if len(m) == 0 {
		tell(path)
		return
	}
	for key, inner := range m {
		leaves(inner, append(slices.Clone(path), key), tell)
	}
}

// properties tells of each property of a schema that has none of its own. An object says what it may hold, unless it is
// one of Kubernetes'.
func properties(t *testing.T, schema map[string]any, path []string, tell func([]string)) {
	t.Helper()
	if inner, ok := schema["properties"].(map[string]any); ok {
		if schema["additionalProperties"] != false {
			t.Errorf("the schema allows any property in %s", strings.Join(path, "."))
		}
		for key, value := range inner {
			properties(t, value.(map[string]any), append(slices.Clone(path), key), tell)
		}
		return
	}
	if schema["type"] == nil && schema["enum"] == nil {
		t.Errorf("the schema says no type of %s", strings.Join(path, "."))
	}
	if comment, _ := schema["$comment"].(string); schema["type"] == "object" && schema["additionalProperties"] == nil && !strings.HasPrefix(comment, "Kubernetes: ") {
		t.Errorf("the schema allows anything in %s", strings.Join(path, "."))
	}
	tell(path)
}
