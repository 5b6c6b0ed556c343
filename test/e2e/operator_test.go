//go:build e2e

package e2e

import (
	"errors"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/githubusertoken/github-user-token-operator/internal/github/githubtest"
)

// takeover bounds the time until another replica has finished what a killed one has begun: the lease runs
// out, and an exchange that may be under way is waited for.
const takeover = 3 * time.Minute

func TestE2EOperatorRunsRestricted(t *testing.T) {
	awaitOperator(t)
	pods := operatorPods(t)
	if len(pods) != 2 {
		t.Errorf("%d replicas, not 2", len(pods))
	}
	for _, pod := range pods {
		if user := pod.Status.ContainerStatuses[0].User; user == nil || user.Linux == nil || user.Linux.UID != 65532 {
			t.Errorf("%s runs as %+v, not as 65532", pod.Name, user)
		}
		if got := pod.Status.ContainerStatuses[0].Image; got != operatorImage {
			t.Errorf("%s runs the image %s", pod.Name, got)
		}
	}
	err := api.Create(t.Context(), &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: operatorNamespace, Name: "root"},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "main", Image: workloadImage}}},
	})
	if err == nil || !strings.Contains(err.Error(), `violates PodSecurity "restricted`) {
		t.Errorf("a pod that is not restricted was not refused for that: %v", err)
	}
}

// TestE2EOperatorPodDeletedInMidRotation deletes the leader's pod when GitHub has ended the old token and its
// reply is still on the way.
func TestE2EOperatorPodDeletedInMidRotation(t *testing.T) {
	k, before, pod, held := heldRotation(t, "deleted", githubtest.Hold().AfterCommit())

	run(t, "-n", operatorNamespace, "delete", "pod", pod.Name, "--wait=false")
	awaitGone(t, pod)
	k.awaitRotation(held, before)
	awaitOperator(t)
	k.rotate()
	k.awaitReady(takeover)
	checkLedger(t)
}

// TestE2ELeaderKilledInMidRotation kills the leader's process when its request is on the way to GitHub, which
// never acts on it.
func TestE2ELeaderKilledInMidRotation(t *testing.T) {
	k, before, pod, held := heldRotation(t, "killed", githubtest.Hold())

	n, err := running.Node(pod.Spec.NodeName)
	if err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	if err := n.KillContainer(t.Context(), pod.Status.ContainerStatuses[0].ContainerID); err != nil {
		t.Fatal(err)
	}
	held.Remove()
	awaitTakeover(t, before)
	t.Logf("the rotation of a killed process was made after %.1f s", time.Since(begin).Seconds())
	k.awaitReady(deadline)
	awaitOperator(t)
	checkLedger(t)
}

// TestE2EFailover removes the leader's pod without any grace, as the loss of a node does, and asks the other
// replica for a rotation.
func TestE2EFailover(t *testing.T) {
	newNamespace(t, "failover", "restricted")
	k := login(t, "failover", nil)
	pod := leader(t)
	before := k.newest()
	begin := time.Now()
	run(t, "-n", operatorNamespace, "delete", "pod", pod.Name, "--grace-period=0", "--force")
	k.request()
	awaitTakeover(t, before)
	t.Logf("another replica rotated after %.1f s", time.Since(begin).Seconds())
	k.awaitReady(deadline)
	if now := leader(t); now.Name == pod.Name {
		t.Error("the leader is still the one that was removed")
	}
	awaitOperator(t)
	checkLedger(t)
}

// TestE2ENodeDrain drains the leader's node while GitHub's reply is on the way.
func TestE2ENodeDrain(t *testing.T) {
	k, before, pod, held := heldRotation(t, "drain", githubtest.Hold().AfterCommit())

	drained := make(chan error, 1)
	go func() {
		_, err := kubectl(t.Context(), "drain", pod.Spec.NodeName, "--ignore-daemonsets", "--delete-emptydir-data", "--timeout=4m")
		drained <- err
	}()
	t.Cleanup(func() {
		if _, err := kubectl(t.Context(), "uncordon", pod.Spec.NodeName); err != nil && t.Context().Err() == nil {
			t.Error(err)
		}
	})
	awaitGone(t, pod)
	k.awaitRotation(held, before)
	if err := <-drained; err != nil {
		t.Fatal(err)
	}
	awaitOperator(t)
	for _, moved := range operatorPods(t) {
		if moved.Spec.NodeName == pod.Spec.NodeName {
			t.Errorf("%s is on the drained node", moved.Name)
		}
	}
	k.rotate()
	k.awaitReady(takeover)
	run(t, "uncordon", pod.Spec.NodeName)
	checkLedger(t)
}

// heldRotation makes a namespace with a resource that is ready, and holds the exchange of its next rotation by a fault.
// It returns the resource, its pair before, the leader, and the fault.
func heldRotation(t *testing.T, namespace string, hold githubtest.Fault) (token, githubtest.Pair, corev1.Pod, *githubtest.Injection) {
	t.Helper()
	newNamespace(t, namespace, "restricted")
	k := login(t, namespace, nil)
	pod := leader(t)
	before := k.newest()
	held := inject(t, hold.ForRefreshToken(before.RefreshToken))
	k.request()
	await(t, held.Arrived(), "the exchange")
	return k, before, pod, held
}

// awaitGone waits until a pod is none of the operator's any more, or on its way out.
func awaitGone(t *testing.T, pod corev1.Pod) {
	t.Helper()
	eventually(t, deadline, pod.Name+" is on its way out", func() error {
		for _, other := range operatorPods(t) {
			if other.Name == pod.Name {
				return errors.New("it is not")
			}
		}
		return nil
	})
}

// awaitRotation lets a held exchange go on, and waits until it has brought another pair.
func (k token) awaitRotation(held *githubtest.Injection, before githubtest.Pair) {
	k.t.Helper()
	held.Release()
	k.awaitReady(deadline)
	if k.newest() == before {
		k.t.Error("there was no rotation")
	}
}

// awaitTakeover waits until another replica has exchanged the token of a pair.
func awaitTakeover(t *testing.T, before githubtest.Pair) {
	t.Helper()
	eventually(t, takeover, "another replica rotates", func() error {
		if gh.ExchangesOf(before.RefreshToken) == 0 {
			return errors.New("the token has not been exchanged")
		}
		return nil
	})
}

// inject plays a fault until the test ends.
func inject(t *testing.T, fault githubtest.Fault) *githubtest.Injection {
	t.Helper()
	injection := gh.Inject(fault)
	t.Cleanup(func() { injection.Remove(); injection.Release() })
	return injection
}

func await(t *testing.T, arrived <-chan struct{}, what string) {
	t.Helper()
	select {
	case <-arrived:
	case <-time.After(deadline):
		t.Fatalf("%s did not come within %s", what, deadline)
	}
}
