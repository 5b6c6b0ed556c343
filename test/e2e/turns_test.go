//go:build e2e

package e2e

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
)

// killAfter is how many turns are made before the leader is killed.
const killAfter = 4

// TestE2ENoCallFailsWithTwoAuthorizationsInTurn has pods call GitHub without end and without a second try, some with the token in a file, which the
// kubelet refreshes by itself, and some with one that they have read once, which must work for the overlap.
func TestE2ENoCallFailsWithTwoAuthorizationsInTurn(t *testing.T) {
	t.Parallel()
	const namespace, overlap = "turns", turnsLifetime / 4
	newNamespace(t, namespace, "restricted")
	k := token{t: t, namespace: namespace, name: "octocat", user: namespace}
	for _, seed := range []string{"octocat-seed", "second-seed"} {
		create(t, &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: seed},
			StringData: map[string]string{"refresh_token": gh.Mint(turnsClientID, k.user).RefreshToken},
		})
	}
	create(t, octocat(namespace, func(spec *v1alpha1.GitHubUserTokenSpec) {
		spec.App.ClientID = turnsClientID
		spec.Rotation = &v1alpha1.Rotation{Strategy: v1alpha1.RotationAlternate, AlternateRefreshTokenRef: &v1alpha1.RefreshTokenReference{Name: "second-seed"}}
	}))
	eventually(t, deadline, "both authorizations are good", func() error {
		resource := get(t, namespace, "octocat", &v1alpha1.GitHubUserToken{})
		if !meta.IsStatusConditionTrue(resource.Status.Conditions, v1alpha1.ConditionReady) || !meta.IsStatusConditionTrue(resource.Status.Conditions, v1alpha1.ConditionAuthorized) {
			return fmt.Errorf("the conditions are %+v", resource.Status.Conditions)
		}
		return api.Get(t.Context(), types.NamespacedName{Namespace: namespace, Name: "octocat-token-alternate"}, &corev1.Secret{})
	})
	published := func() string {
		return string(get(t, namespace, "octocat-token", &corev1.Secret{}).Data[v1alpha1.KeyAccessToken])
	}
	url := "https://" + githubHost + "/api/v3/user"
	deploy(t, job{namespace: namespace, name: "turns-reader", args: []string{"each", "/github/access_token", url}, secret: "octocat-token", replicas: readers})
	began, current := time.Now(), published()
	for turn := 1; turn <= turns; turn++ {
		// It holds what is published now, and no more.
		name := fmt.Sprintf("turns-once-%d", turn)
		deploy(t, job{namespace: namespace, name: name, args: []string{"once", "TOKEN", url}, env: "octocat-token", replicas: 1})
		if turn == killAfter {
			killLeader(t)
		}
		k.request()
		eventually(t, overlap+2*deadline, "another token is published", func() error {
			if next := published(); next != current {
				current = next
				return nil
			}
			return errors.New("it is the one before")
		})
		replaced := time.Now()
		time.Sleep(time.Until(replaced.Add(overlap / 2))) // The overlap is the claim: nothing tells of its end.
		failedIn(t, name)
		run(t, "-n", namespace, "delete", "deployment", name, "--cascade=foreground", "--timeout=2m")
	}
	calls := failedIn(t, "turns-reader")
	t.Logf("two authorizations in turn: %d exchanges in %.0f s, %d pods, %d calls, none failed", turns, time.Since(began).Seconds(), readers, calls)
	if calls < readers*turns*100 {
		t.Errorf("there were %d calls only", calls)
	}
	spent := 0
	for _, presented := range gh.Presentations() {
		if presented.ClientID == turnsClientID {
			spent++
		}
	}
	if spent != 2+turns {
		t.Errorf("%d refresh tokens were presented, want those of two logins and %d", spent, turns)
	}
	checkLedger(t)
}

// failedIn fails the test if a call of a pod has failed, and counts those that have not.
func failedIn(t *testing.T, prefix string) (calls int) {
	t.Helper()
	for _, told := range reports.of(func(r report) bool { return strings.HasPrefix(r.Pod, prefix+"-") }) {
		switch told.Event {
		case "called":
			calls += told.Count
		case "failed":
			t.Errorf("a call of %s with token %s failed at %s: %s", told.Pod, told.Fingerprint, told.At.Format(time.TimeOnly), told.Detail)
		}
	}
	if calls == 0 {
		t.Errorf("%s has made no calls", prefix)
	}
	return calls
}

// killLeader kills the process that leads.
func killLeader(t *testing.T) {
	t.Helper()
	pod := leader(t)
	n, err := running.Node(pod.Spec.NodeName)
	if err != nil {
		t.Fatal(err)
	}
	if err := n.KillContainer(t.Context(), pod.Status.ContainerStatuses[0].ContainerID); err != nil {
		t.Fatal(err)
	}
}
