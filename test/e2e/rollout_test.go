//go:build e2e

package e2e

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
)

// TestE2ERolloutOfAVersionThatCannotWorkStopsAtItsFirstPod tries what a broken version may lack. Of the replicas that work
// none goes, and they go on with their work.
func TestE2ERolloutOfAVersionThatCannotWorkStopsAtItsFirstPod(t *testing.T) {
	newNamespace(t, "rollout", "restricted")
	k := login(t, "rollout", nil)
	for what, patch := range map[string]string{
		"without permissions":        `[{"op": "replace", "path": "/spec/template/spec/serviceAccountName", "value": "default"}]`,
		"without room in its outbox": `[{"op": "replace", "path": "/spec/template/spec/volumes/0/emptyDir/sizeLimit", "value": "1Mi"}]`,
		// A kubelet looks at no volume that nothing mounts.
		"with a Secret that is not there": `[{"op": "add", "path": "/spec/template/spec/volumes/-", "value": {"name": "x", "secret": {"secretName": "nowhere"}}},
			{"op": "add", "path": "/spec/template/spec/containers/0/volumeMounts/-", "value": {"name": "x", "mountPath": "/x"}}]`,
	} {
		t.Run(what, func(t *testing.T) {
			before := map[string]bool{}
			for _, pod := range operatorPods(t) {
				before[pod.Name] = true
			}
			run(t, "-n", operatorNamespace, "patch", "deployment", operatorName, "--type=json", "-p", patch)
			t.Cleanup(func() { undoRollout(t) })
			broken := ""
			eventually(t, deadline, "the broken version has a pod", func() error {
				for _, pod := range operatorPods(t) {
					if !before[pod.Name] && pod.Spec.NodeName != "" {
						broken = pod.Name
						return nil
					}
				}
				return errors.New("there is none")
			})
			if !strings.Contains(what, "Secret") { // Its process never starts.
				eventually(t, deadline, "it says what it lacks", func() error {
					log, err := kubectl(t.Context(), "-n", operatorNamespace, "logs", broken)
					if err == nil && !strings.Contains(log, "Not ready") {
						err = errors.New(log)
					}
					return err
				})
			}
			// A kubelet asks each five seconds. In this time a version that works is rolled out whole.
			for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(time.Second) {
				ready := 0
				for _, pod := range operatorPods(t) {
					switch isReady := podReady(&pod); {
					case isReady && before[pod.Name]:
						ready++
					case isReady:
						t.Fatalf("%s of the broken version is ready", pod.Name)
					}
				}
				if ready != len(before) {
					t.Fatalf("%d of %d replicas that work are ready", ready, len(before))
				}
			}
			if deployment := get(t, operatorNamespace, operatorName, &appsv1.Deployment{}); deployment.Status.UpdatedReplicas != 1 {
				t.Errorf("the broken version has %d pods", deployment.Status.UpdatedReplicas)
			}
			k.rotate()
		})
	}
	k.awaitReady(deadline)
	checkLedger(t)
}

// TestE2EOperatorRunsAsWhoeverThePlatformSays runs the pods with a user and a group of the namespace's own, as OpenShift
// writes them into pods that name none. The outbox is theirs.
func TestE2EOperatorRunsAsWhoeverThePlatformSays(t *testing.T) {
	const user = 1000640000
	newNamespace(t, "platform", "restricted")
	k := login(t, "platform", nil)
	run(t, "-n", operatorNamespace, "patch", "deployment", operatorName, "--type=merge", "-p",
		fmt.Sprintf(`{"spec":{"template":{"spec":{"securityContext":{"runAsUser":%d,"fsGroup":%d}}}}}`, user, user))
	t.Cleanup(func() { undoRollout(t) })
	awaitOperator(t)
	for _, pod := range operatorPods(t) {
		if ran := pod.Status.ContainerStatuses[0].User; ran == nil || ran.Linux == nil || ran.Linux.UID != user {
			t.Errorf("%s runs as %+v", pod.Name, ran)
		}
	}
	k.rotate()
	k.awaitReady(takeover)
	checkLedger(t)
}

// undoRollout goes back to the former version, for a test's cleanup.
func undoRollout(t *testing.T) {
	t.Helper()
	for _, args := range [][]string{{"undo"}, {"status", "--timeout=3m"}} {
		if _, err := kubectl(context.Background(), append([]string{"-n", operatorNamespace, "rollout", args[0], "deployment/" + operatorName}, args[1:]...)...); err != nil {
			t.Error(err)
		}
	}
}

// operatorName is what the Deployment is called.
const operatorName = "github-user-token-operator"

func podReady(pod *corev1.Pod) bool {
	for _, condition := range pod.Status.Conditions {
		if condition.Type == corev1.PodReady {
			return condition.Status == corev1.ConditionTrue
		}
	}
	return false
}
