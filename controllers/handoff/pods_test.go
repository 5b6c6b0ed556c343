package handoff

import (
	"errors"
	"fmt"
	"maps"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/fair"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

func newTestNotifier(api *apiServer, pods ...corev1.Pod) *podNotifier {
	return newPodNotifier(api, rotation.SystemClock(), &permissions{client: api}, map[string]*podCache{metav1.NamespaceAll: settledCache(pods...)}, fair.NewSemaphore(maxPatches))
}

func changed(pod corev1.Pod, change func(*corev1.Pod)) corev1.Pod {
	change(&pod)
	return pod
}

func TestHandoffPodsThatAreNotified(t *testing.T) {
	const text = "T without late"
	for what, c := range map[string]struct {
		pod corev1.Pod
		// want is what the pod is told; empty when it is left alone.
		want string
	}{
		"one that mounts the pair":             {runningPod("p", "pair"), "T"},
		"one that mounts an output":            {runningPod("p", "unrelated", "out"), "T"},
		"one that mounts both, once":           {runningPod("p", "out", "pair"), "T"},
		"one that mounts a late output too":    {runningPod("p", "late", "out"), text},
		"not one that mounts a late one alone": {runningPod("p", "late"), ""},
		"not one that mounts something else":   {runningPod("p", "unrelated"), ""},
		"one that is pending on a node":        {changed(runningPod("p", "out"), func(p *corev1.Pod) { p.Status.Phase = corev1.PodPending }), "T"},
		"not one that has no node yet":         {changed(runningPod("p", "out"), func(p *corev1.Pod) { p.Spec.NodeName = "" }), ""},
		"not one that has succeeded":           {changed(runningPod("p", "out"), func(p *corev1.Pod) { p.Status.Phase = corev1.PodSucceeded }), ""},
		"not one that has failed":              {changed(runningPod("p", "out"), func(p *corev1.Pod) { p.Status.Phase = corev1.PodFailed }), ""},
		"not one that is being deleted":        {changed(runningPod("p", "out"), func(p *corev1.Pod) { p.DeletionTimestamp = &metav1.Time{Time: time.Now()} }), ""},
		"not one of another namespace":         {changed(runningPod("p", "out"), func(p *corev1.Pod) { p.Namespace = "team-b" }), ""},
		"not one that was told of it already":  {changed(runningPod("p", "out"), func(p *corev1.Pod) { p.Annotations = map[string]string{v1alpha1.AnnotationRefreshedAt: "T"} }), ""},
		"one that was told of a former token":  {changed(runningPod("p", "out"), func(p *corev1.Pod) { p.Annotations = map[string]string{v1alpha1.AnnotationRefreshedAt: "S"} }), "T"},
		"one that knows of another late output": {changed(runningPod("p", "out"), func(p *corev1.Pod) {
			p.Annotations = map[string]string{v1alpha1.AnnotationRefreshedAt: "T without out"}
		}), "T"},
	} {
		t.Run(what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				api := newAPIServer()
				n, began := newTestNotifier(api, c.pod), time.Now()
				if err := n.notify(t.Context(), "team-a", []string{"pair", "out"}, announcement{"T", []string{"late"}}); err != nil {
					t.Error(err)
				}
				want := map[string]map[string]string{}
				if c.want != "" {
					want["Pod team-a/p"] = map[string]string{v1alpha1.AnnotationRefreshedAt: c.want}
				}
				if !maps.EqualFunc(api.annotations, want, maps.Equal) || len(api.patches) != len(want) {
					t.Errorf("patched %v with %v, want %v", api.patches, api.annotations, want)
				}
				if c.want != "" && api.uids[0] != "p" {
					t.Error("another pod of that name would be patched as well")
				}
				if took := time.Since(began); took != kubeletHeadStart {
					t.Errorf("the kubelet had %s to hear of the Secret first", took)
				}
			})
		})
	}
}

func TestHandoffPodsThatCannotBeNotified(t *testing.T) {
	here := permission{podsResource, "team-a"}
	var forbidden *ForbiddenError
	for what, c := range map[string]struct {
		answer  func(kind, name string) error
		admit   func(map[string]string)
		lacking bool
		want    string
		// forbids: it is told as a lack of permission.
		forbids bool
	}{
		"one that is gone needs nothing": {answer: notThere},
		"one that was replaced needs nothing": {answer: func(_, name string) error {
			return apierrors.NewConflict(schema.GroupResource{Resource: "pods"}, name, errors.New("uid"))
		}},
		"a webhook that says it is gone is not believed":    {answer: webhookSays(404), want: `pod a: admission webhook "hook.example.com" denied the request: not found (and 1 more)`},
		"a webhook that says it was replaced is not either": {answer: webhookSays(409), want: `pod a: admission webhook "hook.example.com" denied the request: not found (and 1 more)`},
		"a webhook that takes the annotation off is noticed": {
			admit: func(annotations map[string]string) { delete(annotations, v1alpha1.AnnotationRefreshedAt) },
			want:  "pod a: an admission webhook or policy takes off the annotation " + v1alpha1.AnnotationRefreshedAt + " that the operator writes (and 1 more)",
		},
		"a policy that refuses is quoted, scrubbed": {answer: policySaysNo, want: `pod a: pods "web" is forbidden: policy says no to [REDACTED] (and 1 more)`},
		"a permission that was taken away is named": {answer: policySaysNo, lacking: true, want: "the operator may not patch pods in namespace team-a", forbids: true},
		"an outage is told":                         {answer: func(string, string) error { return errors.New("connection refused") }, want: "pod a: connection refused (and 1 more)"},
	} {
		t.Run(what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				api := newAPIServer()
				api.answer, api.admit = c.answer, c.admit
				api.lacking[here] = c.lacking
				n := newTestNotifier(api, runningPod("b", "pair"), runningPod("a", "pair"))
				err := n.notify(t.Context(), "team-a", []string{"pair"}, announcement{token: "T"})
				if text := fmt.Sprint(err); c.want == "" && err != nil || c.want != "" && text != c.want {
					t.Errorf("got %v, want %q", err, c.want)
				}
				if errors.As(err, &forbidden) != c.forbids {
					t.Errorf("a lack of permission: %t, want %t", !c.forbids, c.forbids)
				}
			})
		})
	}
}

func TestHandoffNotifiesALimitedNumberOfPodsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := newAPIServer()
		api.latency = time.Second
		var pods []corev1.Pod
		for i := range 3 * podWorkers {
			pods = append(pods, runningPod(fmt.Sprintf("p%d", i), "pair"))
		}
		n := newTestNotifier(api, pods...)
		if err := n.notify(t.Context(), "team-a", []string{"pair"}, announcement{token: "T"}); err != nil {
			t.Error(err)
		}
		if api.mostRunning != podWorkers || len(api.patches) != len(pods) {
			t.Errorf("%d were notified at once and %d in all", api.mostRunning, len(api.patches))
		}
		api.latency = time.Hour // What nobody answers ends with the handoff.
		ctx, cancel := n.clock.WithTimeout(t.Context(), timeout)
		defer cancel()
		err := n.notify(ctx, "team-a", []string{"pair"}, announcement{token: "U"})
		if err == nil || !strings.HasPrefix(err.Error(), "pod p0: ") || !strings.HasSuffix(err.Error(), fmt.Sprintf("(and %d more)", len(pods)-1)) {
			t.Errorf("got %v", err)
		}
	})
}

// A tenant with many pods and handoffs gets no more goroutines than its handoffs have workers, and its pods do not stand before
// everybody else's: those of others are told within the ten seconds of a handoff.
func TestHandoffPodsOfOneNamespaceHoldUpNobodyElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := newAPIServer()
		api.latency = time.Second
		pods := []corev1.Pod{changed(runningPod("victim", "pair"), func(p *corev1.Pod) { p.Namespace = "team-b" })}
		for i := range 500 {
			pods = append(pods, runningPod(fmt.Sprintf("p%d", i), "pair"))
		}
		n := newTestNotifier(api, pods...)
		before := runtime.NumGoroutine()
		const handoffs = 20
		for range handoffs {
			go func() {
				ctx, cancel := n.clock.WithTimeout(t.Context(), timeout)
				defer cancel()
				if n.notify(ctx, "team-a", []string{"pair"}, announcement{token: "T"}) == nil {
					t.Error("ten thousand patches of a second each were made in ten")
				}
			}()
		}
		time.Sleep(1500 * time.Millisecond)
		synctest.Wait()
		if most := handoffs * (podWorkers + 1); runtime.NumGoroutine()-before > most {
			t.Errorf("there are %d goroutines more, want %d at most", runtime.NumGoroutine()-before, most)
		}
		began := time.Now()
		if err := n.notify(t.Context(), "team-b", []string{"pair"}, announcement{token: "T"}); err != nil {
			t.Error(err)
		}
		if took := time.Since(began); took > 2500*time.Millisecond {
			t.Errorf("another namespace's pod was told after %s", took)
		}
		time.Sleep(time.Minute)
	})
}

func TestHandoffNotifiesSoManyPodsAtATimeAndGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var pods []corev1.Pod
		for i := range maxPods + 500 {
			pods = append(pods, runningPod(fmt.Sprintf("p%04d", i), "pair"))
		}
		w := newWorld(t, v1alpha1.Handoff{Pods: v1alpha1.PodHandoffSync}, pods...)
		n := newTestNotifier(w.api, pods...)
		err := n.notify(t.Context(), "team-a", []string{"pair"}, announcement{token: "T"})
		if want := "1000 pods are notified at a time, and 500 more mount a Secret that has changed"; fmt.Sprint(err) != want || len(w.api.patches) != maxPods {
			t.Errorf("%d were patched, and got %v, want %q", len(w.api.patches), err, want)
		}
		for i := range maxPods {
			pods[i].Annotations = map[string]string{v1alpha1.AnnotationRefreshedAt: "T"} // As the cache shows them then.
		}
		if err := n.notify(t.Context(), "team-a", []string{"pair"}, announcement{token: "T"}); err != nil || len(w.api.patches) != len(pods) {
			t.Errorf("%d were patched, and got %v", len(w.api.patches), err)
		}
	})
}

func TestHandoffWaitsForTheListOfPods(t *testing.T) {
	var forbidden *ForbiddenError
	for what, c := range map[string]struct {
		settled, forbidden time.Duration // After which it is so; never when zero.
		after              time.Duration
		want               func(error) bool
	}{
		"that comes in time":            {time.Second, 0, time.Second + podListPoll, func(err error) bool { return err == nil }},
		"and not for ever":              {time.Minute, 0, podListWait, func(err error) bool { return err != nil && !errors.As(err, &forbidden) }},
		"and not for what is forbidden": {0, time.Nanosecond, podListPoll, func(err error) bool { return errors.As(err, &forbidden) && forbidden.Verb == "list" }},
		"that is forbidden no more":     {time.Nanosecond, time.Nanosecond, podListPoll, func(err error) bool { return err == nil }},
	} {
		t.Run(what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cache := &podCache{clock: rotation.SystemClock(), settled: make(chan struct{})}
				if c.settled > 0 {
					time.AfterFunc(c.settled, func() { close(cache.settled) })
				}
				if c.forbidden > 0 {
					time.AfterFunc(c.forbidden, func() { cache.forbidden.Store(true) })
				}
				n := newPodNotifier(nil, cache.clock, nil, map[string]*podCache{"team-a": cache}, fair.NewSemaphore(maxPatches))
				began := time.Now()
				if err := n.listable(t.Context(), "team-a"); !c.want(err) {
					t.Errorf("got %v", err)
				}
				if took := time.Since(began); took > c.after {
					t.Errorf("it took %s, and %s is enough", took, c.after)
				}
				if err := n.listable(t.Context(), "team-b"); err == nil || !strings.Contains(err.Error(), "does not watch namespace team-b") {
					t.Errorf("of a namespace that is not watched: %v", err)
				}
				time.Sleep(time.Minute)
			})
		})
	}
}
