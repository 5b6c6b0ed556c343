package gitops

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

// statuses is the folder of resources with the statuses that the controller computes. A test of the
// controllers writes them and fails when they are not up to date.
const statuses = "testdata/statuses"

// stage is a moment in the life of a resource, and what others must make of it.
type stage struct {
	name string
	// kstatus is Current, InProgress, Failed or Terminating.
	kstatus string
	// argo is the health that the script finds; empty where Argo CD runs no script.
	argo string
	// argoSays is what its message must say.
	argoSays string
	resource *unstructured.Unstructured
}

// computed are the stages whose statuses the controller computes, by the name of the file.
var computed = map[string]stage{
	"new-pending":                {kstatus: "InProgress", argo: "Progressing", argoSays: "No exchange"},
	"new-github-down":            {kstatus: "InProgress", argo: "Progressing", argoSays: "next try"},
	"new-committing":             {kstatus: "InProgress", argo: "Progressing", argoSays: "A new pair has been received"},
	"new-suspended":              {kstatus: "InProgress", argo: "Suspended", argoSays: "spec.suspend"},
	"new-code-offered":           {kstatus: "InProgress", argo: "Suspended", argoSays: "WDJB-MJHT"},
	"new-code-denied":            {kstatus: "Failed", argo: "Degraded", argoSays: "denied"},
	"new-web-login-pending":      {kstatus: "InProgress", argo: "Suspended", argoSays: "status.webLogin.authorizeURL"},
	"new-web-login-lost":         {kstatus: "Failed", argo: "Degraded", argoSays: "not sent again"},
	"new-login-link":             {kstatus: "InProgress", argo: "Suspended", argoSays: "status.authorization.loginURL"},
	"new-login-link-and-code":    {kstatus: "InProgress", argo: "Suspended", argoSays: "WDJB-MJHT"},
	"new-login-link-not-allowed": {kstatus: "Failed", argo: "Degraded", argoSays: "does not let this namespace ask octocat"},
	"new-login-link-used":        {kstatus: "InProgress", argo: "Suspended", argoSays: "Somebody has opened the link"},
	"new-device-flow-disabled":   {kstatus: "Failed", argo: "Degraded", argoSays: "device flow"},
	"new-host-not-allowed":       {kstatus: "Failed", argo: "Degraded", argoSays: "not allowed"},
	"new-seed-missing":           {kstatus: "Failed", argo: "Degraded", argoSays: "octocat-seed"},
	"new-secret-not-owned":       {kstatus: "Failed", argo: "Degraded", argoSays: "belongs to somebody else"},

	"ready":                                {kstatus: "Current", argo: "Healthy", argoSays: "works until"},
	"ready-never-expires":                  {kstatus: "Current", argo: "Healthy", argoSays: "does not expire"},
	"ready-ends-for-good":                  {kstatus: "Failed", argo: "Degraded", argoSays: "works until 2026-03-04T09:00:00Z"},
	"ready-refresh-before-too-long":        {kstatus: "Current", argo: "Healthy", argoSays: "choose a shorter one"},
	"ready-github-down":                    {kstatus: "InProgress", argo: "Healthy", argoSays: "works until"},
	"ready-outcome-unknown":                {kstatus: "InProgress", argo: "Healthy", argoSays: "works until"},
	"ready-committing":                     {kstatus: "InProgress", argo: "Degraded", argoSays: "no longer works"},
	"ready-committing-another-login":       {kstatus: "InProgress", argo: "Healthy", argoSays: "works until"},
	"ready-client-secret-wrong":            {kstatus: "Failed", argo: "Degraded", argoSays: "works until 2026-03-04T09:00:00Z"},
	"ready-rejected":                       {kstatus: "Failed", argo: "Degraded", argoSays: "works until 2026-03-04T09:00:00Z"},
	"ready-revoked":                        {kstatus: "Failed", argo: "Degraded", argoSays: "Authorize the App again"},
	"ready-access-token-ended":             {kstatus: "InProgress", argo: "Degraded", argoSays: "next try"},
	"ready-account-suspended":              {kstatus: "Failed", argo: "Degraded", argoSays: "GitHub has suspended the account"},
	"ready-account-suspended-github-down":  {kstatus: "InProgress", argo: "Degraded", argoSays: "GitHub has suspended the account"},
	"ready-access-token-ended-github-down": {kstatus: "InProgress", argo: "Degraded", argoSays: "an error of its own"},
	"ready-rejected-code-offered":          {kstatus: "InProgress", argo: "Degraded", argoSays: "WDJB-MJHT"},
	"ready-rejected-login-link":            {kstatus: "Failed", argo: "Degraded", argoSays: "status.authorization.loginURL"},
	"ready-rejected-code-denied":           {kstatus: "Failed", argo: "Degraded", argoSays: "denied"},
	"ready-suspended":                      {kstatus: "Current", argo: "Suspended", argoSays: "works until 2026-03-04T09:00:00Z"},
	"ready-suspended-rejected":             {kstatus: "Current", argo: "Degraded", argoSays: "Authorize the App again"},

	"ready-output-not-owned":  {kstatus: "Failed", argo: "Degraded", argoSays: "works until 2026-03-04T09:00:00Z"},
	"ready-output-refused":    {kstatus: "InProgress", argo: "Healthy", argoSays: "works until"},
	"ready-handoff-disabled":  {kstatus: "Failed", argo: "Degraded", argoSays: "--enable-handoff"},
	"ready-handoff-forbidden": {kstatus: "Failed", argo: "Degraded", argoSays: "config/components/handoff"},

	"ready-many-tokens":        {kstatus: "Current", argo: "Healthy", argoSays: "works until"},
	"ready-anybody-may-log-in": {kstatus: "Current", argo: "Healthy", argoSays: "works until"},
	"ready-user-required":      {kstatus: "Failed", argo: "Degraded", argoSays: "works until 2026-03-04T09:00:00Z"},

	"ready-state-format-too-new": {kstatus: "Failed", argo: "Degraded", argoSays: "Upgrade the operator"},

	"restored-being-proven": {kstatus: "InProgress", argo: "Degraded", argoSays: "next try"},
	"restored-unproven":     {kstatus: "Failed", argo: "Degraded", argoSays: "githubusertoken.dev/adopt"},

	"expired-github-down":           {kstatus: "InProgress", argo: "Degraded", argoSays: "expired at"},
	"expired-rejected":              {kstatus: "Failed", argo: "Degraded", argoSays: "Authorize the App again"},
	"expired-rejected-code-offered": {kstatus: "InProgress", argo: "Degraded", argoSays: "WDJB-MJHT"},
	"expired-suspended":             {kstatus: "InProgress", argo: "Suspended", argoSays: "expired at"},
}

// derived are the stages at which the controller has not computed a status yet, or does not any more.
var derived = []struct {
	stage
	from   string
	change func(object map[string]any)
}{
	{
		stage{name: "just applied, and the operator has not seen it", kstatus: "InProgress", argo: "Progressing", argoSays: "Waiting for the operator"}, "new-pending",
		func(object map[string]any) {
			object["status"] = map[string]any{"observedGeneration": int64(-1)} // As the CRD's default has it.
			object["metadata"].(map[string]any)["generation"] = int64(1)
		},
	},
	{
		stage{name: "a change that the operator has not seen", kstatus: "InProgress", argo: "Progressing", argoSays: "latest change"}, "ready",
		func(object map[string]any) { object["metadata"].(map[string]any)["generation"] = int64(4) },
	},
	{
		stage{name: "deleted, and the finalizer is at work", kstatus: "Terminating"}, "ready",
		func(object map[string]any) {
			object["metadata"].(map[string]any)["deletionTimestamp"] = "2026-03-04T02:00:00Z"
		},
	},
}

func stages(t *testing.T) []stage {
	t.Helper()
	var all []stage
	for _, name := range slices.Sorted(maps.Keys(computed)) {
		next := computed[name]
		next.name, next.resource = name, readResource(t, name)
		all = append(all, next)
	}
	for _, d := range derived {
		next := d.stage
		next.resource = readResource(t, d.from)
		d.change(next.resource.Object)
		all = append(all, next)
	}
	return all
}

func readResource(t *testing.T, name string) *unstructured.Unstructured {
	t.Helper()
	text, err := yaml.YAMLToJSON([]byte(readFile(t, filepath.Join(statuses, name+".yaml"))))
	if err != nil {
		t.Fatal(err)
	}
	resource := &unstructured.Unstructured{}
	if err := resource.UnmarshalJSON(text); err != nil {
		t.Fatal(err)
	}
	return resource
}

func TestGitOpsEveryStatusOfTheControllerIsTried(t *testing.T) {
	files, err := os.ReadDir(statuses)
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if _, ok := computed[strings.TrimSuffix(file.Name(), ".yaml")]; !ok {
			t.Errorf("nobody says what kstatus and Argo CD must make of %s", file.Name())
		}
	}
}
