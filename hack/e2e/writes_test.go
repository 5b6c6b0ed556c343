//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/github/githubtest"
)

// TestWritesOfARotation counts what the operator writes, by the API server's audit log: the fence, the
// commit and the status, one for each output, and one for each pod that is told.
func TestWritesOfARotation(t *testing.T) {
	const namespace, pods, times = "writes", 4, 5
	newNamespace(t, namespace, "restricted")
	k := login(t, namespace, func(spec *v1alpha1.GitHubUserTokenSpec) {
		spec.Outputs = []v1alpha1.Output{
			{Name: "octocat-access", Format: v1alpha1.OutputFormatOpaque},
			{Name: "octocat-git", Format: v1alpha1.OutputFormatGitCredentials},
			{Name: "octocat-registry", Format: v1alpha1.OutputFormatDockerConfigJSON},
		}
		spec.Handoff = &v1alpha1.Handoff{Pods: v1alpha1.PodHandoffSync}
	})
	deploy(t, job{
		namespace: namespace, name: "written", args: []string{"watch", "/github/access_token"},
		secret: "octocat-access", replicas: pods,
	})
	rotate := func() {
		t.Helper()
		r := k.rotate()
		eventually(t, deadline, "every pod reads the new token", func() error {
			if seen := reports.seenBy("written", fingerprint(r.after)); len(seen) < pods {
				return fmt.Errorf("%d of %d pods", len(seen), pods)
			}
			return nil
		})
		k.awaitReady(deadline)
	}
	// The first time is not counted: what came with the resource's start is over when a fence of a further
	// rotation has been written, and no sooner.
	fenced := func() (release func()) {
		t.Helper()
		held := inject(t, githubtest.Hold().ForRefreshToken(k.newest().RefreshToken))
		k.request()
		await(t, held.Arrived(), "the exchange")
		return held.Release
	}
	release := fenced()
	begin := auditedWrites(t, namespace)
	release()
	k.awaitReady(deadline)
	for range times - 1 {
		rotate()
	}
	release = fenced()
	end := auditedWrites(t, namespace)
	release()
	k.awaitReady(deadline)

	got, events := 0, 0
	var listed []string
	for what, count := range end {
		if count -= begin[what]; count == 0 {
			continue
		}
		listed = append(listed, fmt.Sprintf("%s: %d", what, count))
		if strings.Contains(what, "events") {
			events += count
		} else {
			got += count
		}
	}
	t.Logf("%d rotations with 3 outputs and %d pods: %d writes, and %d events; %s",
		times, pods, got, events, strings.Join(listed, ", "))
	if want := times * (3 + 3 + pods); got != want {
		t.Errorf("%d writes in %d rotations, not %d", got, times, want)
	}
	checkLedger(t)
}

// auditedWrites counts what the operator has written in a namespace so far, by verb and resource.
func auditedWrites(t *testing.T, namespace string) map[string]int {
	t.Helper()
	log, err := os.ReadFile(running.ControlPlane.AuditLogPath())
	if err != nil {
		t.Fatal(err)
	}
	writes := map[string]int{}
	for line := range strings.Lines(string(log)) {
		if !strings.HasSuffix(line, "\n") {
			continue // it is being written
		}
		var event struct {
			Verb      string
			ObjectRef struct{ Namespace, Resource, Subresource string }
		}
		if err := json.Unmarshal([]byte(line), &event); err != nil {
			t.Fatal(err)
		}
		if ref := event.ObjectRef; ref.Namespace == namespace {
			writes[strings.TrimSuffix(event.Verb+" "+ref.Resource+"/"+ref.Subresource, "/")]++
		}
	}
	return writes
}
