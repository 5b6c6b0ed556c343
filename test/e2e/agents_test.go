//go:build e2e

package e2e

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Of the token server.
const (
	serverName = "github-user-token-operator-token-server"
	serverHost = serverName + "." + operatorNamespace + ".svc"
	// serverCertificate is the Secret that config/components/token-server wants.
	serverCertificate = "token-server-certificate"
	serverAudience    = "github-user-token.example.com"
	agentsNamespace   = "agents"
	// agentsTeam is where the GitHubUserToken is.
	agentsTeam = "team-a"
	// releaseRate is how many tokens a second are asked for when that is measured.
	releaseRate = 500
	// mostRelease bounds the 99th percentile of the time that one takes then, on a machine that does everything else at once. It tells what
	// is broken, and is no promise.
	mostRelease = 10 * time.Second
)

// TestE2EAgentsHaveTheTokenThroughRotationsWithoutASecret applies the manifest of config/samples/more/agent.yaml as a platform does, with
// pods that work at GitHub by each client of the token server, through many rotations. Then it measures the token server under load, and
// takes the RoleBinding away. It runs alone.
func TestE2EAgentsHaveTheTokenThroughRotationsWithoutASecret(t *testing.T) {
	newNamespace(t, agentsTeam, "restricted")
	k := login(t, agentsTeam, nil)
	server := startTokenServer(t)
	binding, kinds := applyAgents(t)
	began := time.Now()
	for _, kind := range kinds {
		told.awaitCalls(t, kind.name, kind.pods, began)
	}
	t.Logf("%d pods work after %.1f s", agents, time.Since(began).Seconds())
	awaitForbidden(t)

	t.Run("no call of the client that tries again fails by a rotation", func(t *testing.T) {
		before, began := server.usage(t), time.Now()
		var died []time.Time
		for range agentRotations {
			r := k.rotate()
			died = append(died, r.died)
			for _, kind := range kinds {
				told.awaitCalls(t, kind.name, kind.pods, r.died)
			}
			time.Sleep(time.Second)
		}
		t.Logf("%d rotations with %d pods in %.0f s; the token server: %s", agentRotations, agents, time.Since(began).Seconds(), server.usage(t).since(before))
		for _, kind := range kinds {
			calls := told.judge(t, kind.name, died)
			t.Logf("%s, %d pods: %s", kind.client, kind.pods, calls)
			if calls.succeeded < agentRotations {
				t.Errorf("%s has made %d calls", kind.client, calls.succeeded)
			}
			if kind.triesAgain && calls.failed > 0 {
				t.Errorf("%d calls of %s failed", calls.failed, kind.client)
			}
		}
		k.awaitReady(deadline)
	})

	secrets := &corev1.SecretList{}
	if err := api.List(t.Context(), secrets, client.InNamespace(agentsNamespace)); err != nil || len(secrets.Items) > 0 {
		t.Errorf("the namespace of the agents has %d Secrets: %v", len(secrets.Items), err)
	}
	searchLogs(t)
	run(t, "-n", agentsNamespace, "delete", "deployments", "--all", "--cascade=foreground", "--timeout=2m")

	callers := server.callers(t, agents)
	t.Run("releases under load", func(t *testing.T) {
		before := server.usage(t)
		released := server.load(t, callers)
		used := server.usage(t).since(before)
		t.Logf("%d requests a second for %d s by %d callers: %s; the token server: %s", releaseRate, loadSeconds, len(callers), released, used)
		if len(released.others) > 0 {
			t.Errorf("some were not answered with a token: %v", released.others)
		}
		if len(released.took) == 0 || released.took.percentile(99) >= mostRelease {
			t.Errorf("%s, and p99 should be below %s", released, mostRelease)
		}
		eventually(t, deadline, "each release is in the log", func() error { return server.audited(len(released.took)) })
	})

	t.Run("waits end when the RoleBinding is taken away", func(t *testing.T) {
		waitsEnd(t, server, callers[0], binding)
	})
	searchLogs(t)
	checkLedger(t)
}

// waitsEnd has a caller wait for the next token at each replica, and takes away what allows it.
func waitsEnd(t *testing.T, server *tokenServer, caller string, binding *rbacv1.RoleBinding) {
	t.Helper()
	type end struct {
		status int
		at     time.Time
		err    error
	}
	ends := make(chan end, len(server.clients))
	for _, through := range server.clients {
		current := server.fingerprint(t, through, caller)
		go func() {
			status, _, err := ask(t.Context(), through, caller, "?wait=120&after="+current)
			ends <- end{status, time.Now(), err}
		}()
	}
	time.Sleep(3 * time.Second)
	server.fingerprint(t, server.clients[0], caller) // It is allowed just before, and that is remembered.
	if len(ends) > 0 {
		t.Fatalf("a wait has ended before: %+v", <-ends)
	}
	if err := api.Delete(t.Context(), binding); err != nil {
		t.Fatal(err)
	}
	taken := time.Now()
	for range server.clients {
		got := <-ends
		took := got.at.Sub(taken)
		t.Logf("a wait ends with %d after %s", got.status, took.Round(time.Millisecond))
		if got.err != nil || got.status != http.StatusForbidden {
			t.Errorf("a wait ends with %d: %v", got.status, got.err)
		}
		if took > 11*time.Second { // The API server hears of it a moment later.
			t.Errorf("it took %s", took)
		}
	}
	eventually(t, max(time.Second, time.Until(taken.Add(11*time.Second))), "the next request is refused", func() error {
		status, _, err := ask(t.Context(), server.clients[0], caller, "?wait=0")
		if err == nil && status != http.StatusForbidden {
			return fmt.Errorf("the answer is %d", status)
		}
		return err
	})
}

// awaitForbidden waits until the pod whose ServiceAccount may have nothing has told that it got nothing.
func awaitForbidden(t *testing.T) {
	t.Helper()
	eventually(t, deadline, "a pod without a RoleBinding is refused", func() error {
		for _, calls := range told.of("stranger") {
			if calls.succeeded > 0 {
				t.Fatal("a pod without a RoleBinding has got a token")
			}
			for _, failed := range calls.failed {
				if strings.Contains(failed.detail, "the token server answered 403") {
					return nil
				}
				t.Fatalf("a pod without a RoleBinding is told: %s", failed.detail)
			}
		}
		return errors.New("it has told nothing")
	})
}

// pending makes pods that no node runs, for what they may show.
func pending(t *testing.T, name string) *corev1.Pod {
	t.Helper()
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: agentsNamespace, GenerateName: name},
		Spec: corev1.PodSpec{
			ServiceAccountName: "agent", SchedulerName: "nobody",
			Containers: []corev1.Container{{Name: "main", Image: agentImage}},
		},
	}
	create(t, pod)
	return pod
}
