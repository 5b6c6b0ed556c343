package test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/yaml"
)

// pods makes a pod that uses a Secret, which runs since a time, as a kubelet would say.
func pods(t *testing.T, ns, name, spec string, started time.Time) {
	t.Helper()
	apply(t, fmt.Sprintf(`
apiVersion: v1
kind: Pod
metadata: {namespace: %s, name: %s}
spec: %s
`, ns, name, spec))
	kubectl(t, "patch", "pod", name, "-n", ns, "--subresource=status", "--type=merge", "-p", fmt.Sprintf(
		`{"status":{"phase":"Running","containerStatuses":[{"name":"c","image":"i","imageID":"","ready":true,"restartCount":0,"state":{"running":{"startedAt":%q}}}]}}`,
		started.UTC().Format(time.RFC3339)))
}

func TestPluginStatusTellsWhoUsesTheTokenAndWhatToDo(t *testing.T) {
	t.Parallel()
	ns := namespace(t, "status")
	seeded(t, ns, "wanstrath")
	pods(t, ns, "reads", `{containers: [{name: c, image: i, env: [{name: T, valueFrom: {secretKeyRef: {name: wanstrath-token, key: access_token}}}]}]}`, time.Now().Add(-time.Hour))
	pods(t, ns, "mounts", `{volumes: [{name: v, secret: {secretName: wanstrath-git}}], containers: [{name: c, image: i, volumeMounts: [{name: v, mountPath: /v}]}]}`, time.Now().Add(time.Hour))

	said := ghut(t, limited, 0, "status", "wanstrath", "-n", ns)
	contains(t, said, "wanstrath in status: Ready (TokenValid)", "The token works until", "(in 7h 5", "wanstrath (id ", clientID+" at github.com",
		"wanstrath-git (GitCredentials)", "Pod/reads, wanstrath-token by env: HAS AN OLD TOKEN", "Pod/mounts, wanstrath-git by volume: has the newest token",
		"Restart the pod reads")

	// Who may not list pods is told so, and gets the rest.
	contains(t, ghut(t, viewer, 0, "status", "wanstrath", "-n", ns), "The token works until", `not known: a permission is missing: you may not list pods (API group "") in namespace status`)

	for output, decode := range map[string]func([]byte, any) error{"json": json.Unmarshal, "yaml": func(text []byte, into any) error { return yaml.Unmarshal(text, into) }} {
		var one struct {
			State     string
			Consumers []struct{ Pod, HasNewestToken string }
		}
		if err := decode([]byte(ghut(t, limited, 0, "status", "wanstrath", "-n", ns, "-o", output)), &one); err != nil || one.State != "Ready" || len(one.Consumers) != 2 {
			t.Errorf("-o %s tells %+v (%v)", output, one, err)
		}
		var several struct{ Items []struct{ Name string } }
		if err := decode([]byte(ghut(t, limited, 0, "status", "-n", ns, "-o", output)), &several); err != nil || len(several.Items) != 1 {
			t.Errorf("-o %s of all tells %+v (%v)", output, several, err)
		}
	}
	contains(t, ghut(t, limited, 0, "status", "-n", ns, "-o", "wide"), "NAME", "USED BY", "2 pods", "wanstrath-token")
	contains(t, ghut(t, limited, 0, "tree", "-n", ns), "App "+clientID+" at github.com", "└── GitHubUserToken status/wanstrath: Ready, account wanstrath",
		"Secret wanstrath-token (the pair)", "Pod reads, newest token: no")
	contains(t, ghut(t, limited, 1, "status", "nobody", "-n", ns), "there is no GitHubUserToken nobody in namespace status")
	contains(t, ghut(t, limited, 0, "status", "-n", "kube-public"), "There are no GitHubUserTokens here")

	// One that needs somebody beside one that is ready.
	apply(t, `
apiVersion: githubusertoken.dev/v1alpha1
kind: GitHubUserToken
metadata: {namespace: status, name: waiting}
spec: {app: {clientID: `+clientID+`}, refreshTokenRef: {name: no-seed}, secret: {name: waiting-token}}
---
apiVersion: githubusertoken.dev/v1alpha1
kind: GitHubUserToken
metadata: {namespace: status, name: stalled}
spec: {app: {ref: {name: nothing}}, login: {methods: [DeviceFlow]}, secret: {name: stalled-token}}
`)
	kubectl(t, "wait", "--for=condition=Stalled", "ghut/waiting", "ghut/stalled", "-n", ns, "--timeout=60s")
	contains(t, ghut(t, limited, 2, "status", "-n", ns), "waiting", "NeedsPerson", "RefreshTokenMissing", "stalled", "Stalled", "AppNotUsable")
	contains(t, ghut(t, limited, 2, "status", "waiting", "-n", ns), `Authorize the App again, and put the refresh token of that login into key "refresh_token" of the Secret no-seed`)
	contains(t, ghut(t, limited, 3, "status", "stalled", "-n", ns), "runbook.md#appnotusable")

	watching := begin(t, limited, "", "status", "wanstrath", "-n", ns, "--watch")
	defer func() { _ = watching.cmd.Process.Kill() }()
	for end := time.Now().Add(patience); !strings.Contains(watching.out.String(), "The token works"); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("--watch says nothing: %s", watching.err.String())
		}
	}
	ghut(t, limited, 0, "suspend", "wanstrath", "-n", ns)
	for end := time.Now().Add(patience); !strings.Contains(watching.out.String(), "It is suspended"); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("--watch does not say what has changed: %s", watching.out.String())
		}
	}
}

func TestPluginIsCompletedByKubectl(t *testing.T) {
	t.Parallel()
	ns := namespace(t, "complete")
	seeded(t, ns, "ghes")
	for args, want := range map[string]string{"ghut sta": "status", "ghut status -n " + ns + " gh": "ghes", "ghut credential-helper ghes ": "erase"} {
		words := strings.Split(args, " ")
		out := complete(t, viewer, words...)
		if !strings.Contains(out, want) {
			t.Errorf("kubectl completes %q with %q, want %s", args, out, want)
		}
	}
	contains(t, ghut(t, viewer, 0, "version"), "kubectl ghut  v0.0.0-test", "Kubernetes    v1.", "the operator: a permission is missing: you may not list deployments")
	contains(t, ghut(t, admin, 0, "version"), "operator      ", "github-user-token-operator")
}
