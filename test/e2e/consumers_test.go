//go:build e2e

package e2e

import (
	"fmt"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
)

// TestE2EOneResourceFeedsAllConsumers has one GitHubUserToken feed a program that calls the API, git, and a
// program that knows no more than its environment, over several rotations.
func TestE2EOneResourceFeedsAllConsumers(t *testing.T) {
	t.Parallel()
	const namespace = "consumers"
	times := min(rotations, 10)
	newNamespace(t, namespace, "privileged") // git comes from the machine's /usr
	k := login(t, namespace, func(spec *v1alpha1.GitHubUserTokenSpec) {
		spec.Outputs = []v1alpha1.Output{
			{Name: "octocat-access", Format: v1alpha1.OutputFormatOpaque},
			{Name: "octocat-git", Format: v1alpha1.OutputFormatGitCredentials},
		}
		spec.Handoff = &v1alpha1.Handoff{
			Pods:    v1alpha1.PodHandoffSync,
			Restart: []v1alpha1.WorkloadReference{{Kind: "Deployment", Name: "environment"}},
		}
	})
	deploy(t, job{
		namespace: namespace, name: "caller", secret: "octocat-access",
		args: []string{"call", "/github/access_token", "https://" + githubHost + "/api/v3/user"},
	})
	deploy(t, job{
		namespace: namespace, name: "cloner", secret: "octocat-git", debian: true,
		args: []string{"clone", "/github/.git-credentials", "https://" + githubHost + "/octocat/hello.git"},
	})
	deploy(t, job{
		namespace: namespace, name: "environment", env: "octocat-access",
		args: []string{"environment", "TOKEN"},
	})
	before := get(t, namespace, "environment", &appsv1.Deployment{}).Generation

	awaitAll := func(fingerprint string) {
		t.Helper()
		for _, consumer := range []struct{ pods, event string }{
			{"caller-", "ok"}, {"cloner-", "ok"}, {"environment-", "see"},
		} {
			eventually(t, deadline, "the new token reaches "+consumer.pods, func() error {
				told := reports.of(func(r report) bool {
					return strings.HasPrefix(r.Pod, consumer.pods) && r.Event == consumer.event && r.Fingerprint == fingerprint
				})
				if len(told) == 0 {
					return fmt.Errorf("of token %s nobody has told; %s", fingerprint, reports.lastOf(consumer.pods))
				}
				return nil
			})
		}
	}
	awaitAll(fingerprint(k.newest()))
	dead := map[string]bool{}
	for range times {
		r := k.rotate()
		dead[fingerprint(r.before)] = true
		awaitAll(fingerprint(r.after))
	}
	k.awaitReady(deadline)

	run(t, "-n", namespace, "rollout", "status", "deployment/environment", "--timeout=1m")
	if restarts := get(t, namespace, "environment", &appsv1.Deployment{}).Generation - before; restarts != int64(times) {
		t.Errorf("the Deployment was restarted %d times by %d rotations", restarts, times)
	}
	failed := map[string]int{} // by consumer and token
	calls, clones := 0, 0
	for _, told := range reports.of(func(r report) bool { return r.Event == "failed" }) {
		consumer, _, _ := strings.Cut(told.Pod, "-")
		if consumer != "caller" && consumer != "cloner" {
			continue // of another test
		}
		if !dead[told.Fingerprint] {
			t.Errorf("%s failed with a token that GitHub had not ended: %s", consumer, told.Detail)
		}
		failed[consumer+" "+told.Fingerprint]++
		if consumer == "cloner" {
			clones++
			continue
		}
		calls++
		if told.Detail != "Unauthorized" {
			t.Errorf("a call failed otherwise than by a dead token: %s", told.Detail)
		}
	}
	for which, count := range failed {
		if strings.HasPrefix(which, "caller") && count > 1 {
			t.Errorf("%d calls failed in one rotation", count)
		}
	}
	t.Logf("%d rotations: %d of the calls and %d of the clones met a dead token", times, calls, clones)
	checkLedger(t)
}

// TestE2EGitServerRefusesDeadTokens makes sure that a clone that succeeds says something.
func TestE2EGitServerRefusesDeadTokens(t *testing.T) {
	t.Parallel()
	newNamespace(t, "clones", "privileged")
	k := login(t, "clones", func(spec *v1alpha1.GitHubUserTokenSpec) {
		spec.Outputs = []v1alpha1.Output{{Name: "octocat-git", Format: v1alpha1.OutputFormatGitCredentials}}
	})
	deploy(t, job{
		namespace: "clones", name: "late", secret: "octocat-git", debian: true,
		args: []string{"clone", "/github/.git-credentials", "https://" + githubHost + "/octocat/hello.git"},
	})
	told := func(event, fingerprint string) func() error {
		return func() error {
			found := reports.of(func(r report) bool {
				return strings.HasPrefix(r.Pod, "late-") && r.Event == event && r.Fingerprint == fingerprint
			})
			if len(found) == 0 {
				return fmt.Errorf("no clone told %s", event)
			}
			return nil
		}
	}
	eventually(t, deadline, "a clone succeeds", told("ok", fingerprint(k.newest())))
	gh.Revoke(k.newest().AccessToken)
	eventually(t, deadline, "a clone is refused", told("failed", fingerprint(k.newest())))
}
