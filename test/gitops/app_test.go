package gitops

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

const (
	appScript = "../../docs/argocd/app-health.lua"
	// appStatuses is the folder of Apps with the statuses that the operator computes. A test of controllers/appstatus writes
	// them and fails when they are not up to date.
	appStatuses = "testdata/appstatuses"
)

// appStages are what others must make of an App, by the name of its file.
var appStages = map[string]struct{ kstatus, argo, argoSays string }{
	"all-is-well":                        {"Current", "Healthy", "can be used"},
	"of-the-cluster":                     {"Current", "Healthy", "can be used"},
	"without-a-client-secret":            {"Current", "Healthy", "device flow"},
	"an-outage-says-nothing":             {"Current", "Healthy", "Nothing is known against the App"},
	"a-turn-is-waited-for":               {"InProgress", "Progressing", "this App's turn"},
	"one-other-App-of-the-same":          {"Current", "Healthy", "shares its limit"},
	"several-of-the-same":                {"Current", "Healthy", "shares its limit"},
	"a-wrong-client-secret":              {"InProgress", "Degraded", "client secret"},
	"an-unknown-client-ID":               {"InProgress", "Degraded", "clientID"},
	"no-Secret":                          {"Failed", "Degraded", "There is none"},
	"a-host-that-is-not-allowed":         {"Failed", "Degraded", "--allowed-hosts"},
	"a-namespace-that-is-kept-from-it":   {"Failed", "Degraded", "not usable here"},
	"a-selector-that-is-none":            {"Failed", "Degraded", "malformed"},
	"no-known-namespace-for-the-secrets": {"Failed", "Degraded", "--cluster-resource-namespace"},
}

func TestGitOpsToolsSeeTheHealthOfApps(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(appStatuses, "*.yaml"))
	if err != nil || len(files) != len(appStages) {
		t.Fatalf("there are %d statuses of Apps, and it is known of %d what others must make of them (%v)", len(files), len(appStages), err)
	}
	script := readFile(t, appScript)
	for name, want := range appStages {
		t.Run(name, func(t *testing.T) {
			text, err := yaml.YAMLToJSON([]byte(readFile(t, filepath.Join(appStatuses, name+".yaml"))))
			if err != nil {
				t.Fatal(err)
			}
			app := &unstructured.Unstructured{}
			if err := app.UnmarshalJSON(text); err != nil {
				t.Fatal(err)
			}
			health := runHealthScript(t, script, app)
			if health.status != want.argo || !strings.Contains(health.message, want.argoSays) {
				t.Errorf("Argo CD says %+v, want %s, %q", health, want.argo, want.argoSays)
			}
			result, err := status.Compute(app)
			if err != nil || result.Status.String() != want.kstatus {
				t.Errorf("kstatus says %+v, %v, want %s", result, err, want.kstatus)
			}
			app.SetGeneration(4)
			if health := runHealthScript(t, script, app); health.status != "Progressing" {
				t.Errorf("of a change that the operator has not seen Argo CD says %+v", health)
			}
			if result, err := status.Compute(app); err != nil || result.Status.String() != "InProgress" {
				t.Errorf("of a change that the operator has not seen kstatus says %+v, %v", result, err)
			}
		})
	}
}
