//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/github/githubtest"
)

// TestE2EWritesOfARotation counts what the operator writes, by the API server's audit log: the fence, the
// commit and the status, one for each output, and one for each pod that is told.
func TestE2EWritesOfARotation(t *testing.T) {
	t.Parallel()
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
	// begin asks for a rotation that is held when its fence has been written; finish lets it go on, and
	// returns when all has been written that belongs to it.
	begin := func() (finish func()) {
		t.Helper()
		count := get(t, namespace, "octocat", &v1alpha1.GitHubUserToken{}).Status.RefreshCount
		held := inject(t, githubtest.Hold().ForRefreshToken(k.newest().RefreshToken))
		k.request()
		await(t, held.Arrived(), "the exchange")
		return func() {
			t.Helper()
			held.Release()
			eventually(t, deadline, "the status tells of the rotation and every pod reads the token", func() error {
				if now := get(t, namespace, "octocat", &v1alpha1.GitHubUserToken{}).Status.RefreshCount; now != count+1 {
					return fmt.Errorf("status.refreshCount is %d, not %d", now, count+1)
				}
				if seen := reports.seenBy("written", fingerprint(k.newest())); len(seen) < pods {
					return fmt.Errorf("%d of %d pods", len(seen), pods)
				}
				return nil
			})
		}
	}
	// From one fence to another, so that what came with the resource's start is over.
	finish := begin()
	before := auditedWrites(t, namespace)
	for range times {
		finish()
		finish = begin()
	}
	after := auditedWrites(t, namespace)
	finish()

	got, events := 0, 0
	var listed []string
	for what, count := range after {
		if count -= before[what]; count == 0 {
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
	writes := map[string]int{}
	for _, write := range audited(t, namespace) {
		writes[strings.TrimSuffix(write.Verb+" "+write.ObjectRef.Resource+"/"+write.ObjectRef.Subresource, "/")]++
	}
	return writes
}

// lastPodTold is when the operator last wrote to a pod of a namespace.
func lastPodTold(t *testing.T, namespace string) time.Time {
	t.Helper()
	var last time.Time
	for _, write := range audited(t, namespace) {
		if write.ObjectRef.Resource == "pods" && write.StageTimestamp.After(last) {
			last = write.StageTimestamp
		}
	}
	return last
}

// auditEvent is what the API server writes down of a request.
type auditEvent struct {
	Verb           string
	StageTimestamp time.Time
	ObjectRef      struct{ Namespace, Resource, Subresource string }
}

// audited returns what the operator has written in a namespace so far.
func audited(t *testing.T, namespace string) []auditEvent {
	t.Helper()
	log, err := os.ReadFile(running.ControlPlane.AuditLogPath())
	if err != nil {
		t.Fatal(err)
	}
	var events []auditEvent
	mark := fmt.Sprintf("%q:%q", "namespace", namespace)
	for line := range strings.Lines(string(log)) {
		if !strings.HasSuffix(line, "\n") || !strings.Contains(line, mark) {
			continue // it is being written, or about others
		}
		var event auditEvent
		if err := json.Unmarshal([]byte(line), &event); err != nil {
			t.Fatal(err)
		}
		events = append(events, event)
	}
	return events
}
