package handoff

import (
	"errors"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/types"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/scope"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

var (
	web      = v1alpha1.WorkloadReference{Kind: "Deployment", Name: "web"}
	notify   = v1alpha1.Handoff{Pods: v1alpha1.PodHandoffSync}
	restart  = v1alpha1.Handoff{Restart: []v1alpha1.WorkloadReference{web}}
	complete = v1alpha1.Handoff{Pods: v1alpha1.PodHandoffSync, Restart: []v1alpha1.WorkloadReference{web}}
)

const webPatch = "Deployment team-a/web"

func TestHandoffOfAnOperatorThatRunsWithoutIt(t *testing.T) {
	for what, c := range map[string]struct {
		spec *v1alpha1.Handoff
		want string
	}{
		"is reported where one is asked for":           {&notify, v1alpha1.ReasonHandoffDisabled},
		"for restarts as well":                         {&restart, v1alpha1.ReasonHandoffDisabled},
		"is no matter elsewhere":                       {nil, ""},
		"nor where a spec asks for nothing":            {&v1alpha1.Handoff{Pods: v1alpha1.PodHandoffNone}, ""},
		"nor where it says that in the shortest words": {&v1alpha1.Handoff{}, ""},
	} {
		t.Run(what, func(t *testing.T) {
			var h *Handoff
			last := TimeOf(&rotation.State{IssuedAt: time.Now()})
			token := &v1alpha1.GitHubUserToken{Spec: v1alpha1.GitHubUserTokenSpec{Handoff: c.spec}, Status: v1alpha1.GitHubUserTokenStatus{LastHandoffTime: last}}
			report := h.Sync(logr.Discard(), &scope.Scope{Token: token})
			switch found := report.Problem; {
			case c.want == "":
				if report != (Report{}) {
					t.Errorf("got %+v, want nothing, and no time of a last handoff", report)
				}
			case found == nil || found.Reason != c.want || !found.Stalled || !found.Aside || !strings.Contains(found.Message, "--enable-handoff"):
				t.Errorf("got %+v", found)
			case !report.RequeueAt.IsZero() || report.LastHandoff != last:
				t.Errorf("got %+v, want nothing to wait for, and the status as it was", report)
			}
			h.HandOver(logr.Discard(), token, &rotation.Pair{State: rotation.State{AccessToken: "1"}})
		})
	}
}

func TestHandoffOfARotation(t *testing.T) {
	for what, c := range map[string]struct {
		spec    v1alpha1.Handoff
		first   bool
		late    []string
		pending bool
		want    []string
		// says is what the Deployment is told after the token's name.
		says string
	}{
		"notifies pods":                      {spec: notify, want: []string{"Pod team-a/both", "Pod team-a/reader"}},
		"restarts workloads":                 {spec: restart, want: []string{webPatch}},
		"does both":                          {spec: complete, want: []string{webPatch, "Pod team-a/both", "Pod team-a/reader"}},
		"does nothing that is not asked for": {spec: v1alpha1.Handoff{Pods: v1alpha1.PodHandoffNone}},
		"restarts nothing for the first token of a resource": {spec: complete, first: true, want: []string{"Pod team-a/both", "Pod team-a/reader"}},
		"leaves out the pods that read a late output only":   {spec: notify, late: []string{"out"}, want: []string{"Pod team-a/both"}},
		"restarts in spite of an output that is refused":     {spec: restart, late: []string{"out"}, want: []string{webPatch}, says: " without out"},
		"restarts nothing before an output that may be written in a moment": {
			spec: complete, late: []string{"out"}, pending: true, want: []string{"Pod team-a/both"},
		},
	} {
		t.Run(what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, c.spec, runningPod("reader", "out"), runningPod("both", "octocat-token", "out"), runningPod("stranger", "x"))
				w.late, w.pending = c.late, c.pending
				if c.first {
					w.scope.Pair.State.Revision = 0
				}
				w.rotate()
				if slices.Contains(c.want, webPatch) {
					if got, want := w.api.annotations[webPatch][v1alpha1.AnnotationPrefixRestartedFor+"octocat"], w.name()+c.says; got != want {
						t.Errorf("the Deployment is told %q, want %q", got, want)
					}
				}
				w.wantPatches("the handoff", c.want...)
				if len(w.api.reviews) > 0 {
					t.Error("a rotation asks for permissions")
				}
			})
		})
	}
}

func TestHandoffOfWhatHasNoTokenIsNone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, complete, runningPod("reader", "octocat-token"))
		w.handoff.HandOver(logr.Discard(), w.scope.Token, nil)
		w.handoff.HandOver(logr.Discard(), w.scope.Token, &rotation.Pair{})
		for what, change := range map[string]func(*scope.Scope){
			"there is no pair":                  func(s *scope.Scope) { s.Pair = nil },
			"the Secret is somebody else's":     func(s *scope.Scope) { s.Pair.Controlled = false },
			"there is no token":                 func(s *scope.Scope) { s.Pair.State.AccessToken = "" },
			"the pair was restored for another": func(s *scope.Scope) { s.Pair.State.Owner = "former" },
		} {
			s := *w.scope
			s.Pair = s.Pair.Clone()
			change(&s)
			last := TimeOf(&rotation.State{IssuedAt: time.Now()})
			s.Token.Status.LastHandoffTime = last
			if report := w.handoff.Sync(logr.Discard(), &s); report != (Report{LastHandoff: last}) {
				t.Errorf("when %s: %+v", what, report)
			}
		}
		w.work.Wait()
		w.wantPatches("nothing")
		if w.store.Len() > 0 {
			t.Error("something is remembered")
		}
	})
}

func TestHandoffSyncFindsNothingLeftAfterARotation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, complete, runningPod("reader", "octocat-token"))
		w.sync()
		if len(w.api.reviews) != 2 {
			t.Errorf("the permissions were asked for by %v", w.api.reviews)
		}
		w.wantPatches("the first token", "Pod team-a/reader")
		for range 3 {
			w.rotate()
			w.wantPatches("a rotation", webPatch, "Pod team-a/reader")
			for range 3 {
				report := w.sync()
				if report.Problem != nil || !report.RequeueAt.IsZero() || !report.LastHandoff.Equal(TimeOf(&w.scope.Pair.State)) {
					t.Errorf("got %+v", report)
				}
				w.wantPatches("a reconcile")
			}
		}
	})
}

func TestHandoffSyncMakesUpForACrash(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, complete, runningPod("reader", "octocat-token"))
		w.sync()
		w.rotate()
		w.sync()
		w.takePatches()
		time.Sleep(6 * time.Hour)
		w.scope.Pair.State.Revision++ // A rotation whose process ends right after the commit.
		w.scope.Pair.State.IssuedAt = time.Now()
		w.handoff = w.operator(runningPod("reader", "octocat-token"))
		if report := w.sync(); report.LastHandoff.Equal(TimeOf(&w.scope.Pair.State)) {
			t.Error("the status says that the workloads know of a token of which they were not told")
		}
		w.wantPatches("the next process", webPatch, "Pod team-a/reader")
		w.sync()
		w.wantPatches("its next reconcile")

		pod := runningPod("reader", "octocat-token")
		pod.Annotations = w.api.annotations["Pod team-a/reader"]
		w.handoff = w.operator(pod)
		w.sync()
		w.wantPatches("a process that finds everything done")
	})
}

func TestHandoffSyncNotifiesAgainWhenALateOutputIsWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, complete, runningPod("both", "out", "octocat-token"), runningPod("reader", "out"))
		w.sync()
		w.takePatches()
		w.late, w.pending = []string{"out"}, true
		w.rotate()
		if got, want := w.api.annotations["Pod team-a/both"][v1alpha1.AnnotationRefreshedAt], w.name()+" without out"; got != want {
			t.Errorf("the pod is told %q, want %q", got, want)
		}
		before, starts := w.scope.Token.Status.LastHandoffTime, w.starts
		for range 2 {
			if report := w.sync(); report.LastHandoff != before {
				t.Errorf("got %+v while the output is late", report)
			}
		}
		w.wantPatches("while the output is late", "Pod team-a/both")
		if w.starts != starts {
			t.Error("work was started that can do nothing yet, and whose end brings the next reconcile")
		}
		time.Sleep(time.Hour)
		w.late, w.pending = nil, false
		w.sync()
		w.wantPatches("when it is written", webPatch, "Pod team-a/both", "Pod team-a/reader")
		for what, key := range map[string]string{webPatch: v1alpha1.AnnotationPrefixRestartedFor + "octocat", "Pod team-a/both": v1alpha1.AnnotationRefreshedAt} {
			if got := w.api.annotations[what][key]; got != w.name() {
				t.Errorf("%s is told %q, want %q", what, got, w.name())
			}
		}
		if report := w.sync(); !report.LastHandoff.Equal(TimeOf(&w.scope.Pair.State)) {
			t.Errorf("got %+v after it was written", report)
		}
	})
}

func TestHandoffThatFailsIsTriedAgainLaterEachTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, restart)
		w.sync()
		w.api.answer = policySaysNo
		w.rotate()
		for i, pause := range []time.Duration{2 * time.Second, 4 * time.Second, 8 * time.Second} {
			failed := time.Now()
			var report Report
			for range 2 { // To look again is no try.
				report = w.sync()
				time.Sleep(time.Second / 2)
			}
			found := report.Problem
			if found == nil || found.Reason != v1alpha1.ReasonHandoffIncomplete || found.Stalled || !found.Aside || !strings.Contains(found.Message, "policy says no") {
				t.Fatalf("after %d failures: %+v", i+1, found)
			}
			if want := failed.Add(pause); !report.RequeueAt.Equal(want) || !found.RetryAt.Equal(want) {
				t.Errorf("after %d failures the next try is at %s and reported for %s, want %s", i+1, report.RequeueAt, found.RetryAt, want)
			}
			if tries := w.api.tried(); tries != i+1 {
				t.Errorf("%d tries, want %d", tries, i+1)
			}
			time.Sleep(time.Until(report.RequeueAt))
			if report := w.sync(); report.Problem == nil || !report.RequeueAt.IsZero() {
				t.Errorf("while it is tried again: %+v", report)
			}
		}
		w.api.answer = nil
		report := w.sync()
		time.Sleep(time.Until(report.RequeueAt))
		w.sync()
		if report := w.sync(); report.Problem != nil || !report.LastHandoff.Equal(TimeOf(&w.scope.Pair.State)) {
			t.Errorf("after a success: %+v", report)
		}
		w.wantPatches("in all", webPatch)
	})
}

func TestHandoffToPodsThatFailsIsTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, notify, runningPod("reader", "octocat-token"))
		w.sync()
		w.takePatches()
		w.api.answer = policySaysNo
		w.rotate()
		w.api.answer = nil
		time.Sleep(time.Until(w.sync().RequeueAt))
		w.sync()
		w.wantPatches("the next try", "Pod team-a/reader")
		if report := w.sync(); report.Problem != nil {
			t.Errorf("after a success: %+v", report.Problem)
		}
	})
}

func TestHandoffALackOfPermissionShowsAtOnceAndIsMadeUpFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		deployments := permission{kinds["Deployment"].GroupResource(), "team-a"}
		w := newWorld(t, restart)
		w.api.lacking[deployments] = true
		w.sync()
		report := w.sync()
		if found := report.Problem; found == nil || found.Reason != v1alpha1.ReasonHandoffForbidden || !found.Stalled || !found.RetryAt.IsZero() {
			t.Fatalf("got %+v", found)
		}
		if report.RequeueAt.IsZero() {
			t.Error("nothing tells when the permission is granted, and nobody looks again")
		}
		w.api.answer = policySaysNo
		w.rotate()
		if found := w.sync().Problem; found == nil || found.Reason != v1alpha1.ReasonHandoffForbidden {
			t.Errorf("after a rotation: %+v", found)
		}
		w.api.answer = nil
		delete(w.api.lacking, deployments)
		time.Sleep(time.Until(w.sync().RequeueAt))
		w.sync()
		w.wantPatches("when it is granted", webPatch)
		if report := w.sync(); report.Problem != nil {
			t.Errorf("the problem is still %+v", report.Problem)
		}
	})
}

// What was stored under an older CRD may have any name.
func TestHandoffOfANameThatLeadsAstrayTouchesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const name = "../../team-b/deployments/web"
		w := newWorld(t, v1alpha1.Handoff{Restart: []v1alpha1.WorkloadReference{{Kind: "Deployment", Name: name}}})
		for what, do := range map[string]func(){"a rotation": func() { w.rotate() }, "the check of permissions": func() { w.sync() }} {
			w.handoff.notes.Drop("uid")
			do()
			found := w.sync().Problem
			if found == nil || found.Reason != v1alpha1.ReasonHandoffIncomplete || !found.Stalled || !strings.Contains(found.Message, strconv.Quote(name)) {
				t.Errorf("after %s: %+v", what, found)
			}
		}
		if len(w.api.tries) > 0 {
			t.Errorf("tried %q", w.api.tries)
		}
		w.scope.Token.Generation++ // A correction is tried at once.
		w.scope.Token.Spec.Handoff.Restart[0].Name = "web"
		if found := w.sync().Problem; found != nil {
			t.Errorf("the problem outlives the spec that it was about: %+v", found)
		}
	})
}

func TestHandoffTellsByAnEventOfAWorkloadThatDoesNotExist(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, restart)
		w.sync()
		w.api.answer = notThere
		w.rotate()
		if report := w.sync(); report.Problem != nil || !report.LastHandoff.Equal(TimeOf(&w.scope.Pair.State)) {
			t.Errorf("a workload that does not exist is a problem: %+v", report)
		}
		want := []string{"Warning HandoffTargetMissing spec.handoff.restart names Deployment web, which does not exist, so it was not restarted."}
		if !slices.Equal(w.events, want) {
			t.Errorf("the events are %q, want %q", w.events, want)
		}
	})
}

func TestHandoffThatTheRunnerHasNoRoomForIsStartedSoon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, restart)
		w.busy = errors.New("as many as allowed are running")
		if report := w.sync(); !report.RequeueAt.Equal(time.Now().Add(startPause)) || report.Problem != nil {
			t.Errorf("got %+v", report)
		}
	})
}

func TestHandoffThatIsAskedForNoMoreIsForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, restart)
		w.sync()
		w.rotate()
		w.sync()
		w.scope.Token.Spec.Handoff.Restart, w.scope.Token.Spec.Handoff.Pods = nil, v1alpha1.PodHandoffSync
		if report := w.sync(); report.LastHandoff != nil {
			t.Error("the status still has the time of a restart")
		}
		w.scope.Token.Spec.Handoff = nil
		if report := w.sync(); report != (Report{}) {
			t.Errorf("got %+v", report)
		}
		if w.store.Len() > 0 {
			t.Error("something is still remembered")
		}
	})
}

func TestHandoffIsOverInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, complete, runningPod("reader", "octocat-token"))
		w.sync()
		w.api.latency = time.Hour
		if took := w.rotate(); took != timeout {
			t.Errorf("a rotation was held up for %s", took)
		}
		if found := w.sync().Problem; found == nil || found.Stalled || !strings.Contains(found.Message, "and 1 more") {
			t.Errorf("got %+v", found)
		}
		time.Sleep(time.Minute)
	})
}

// The memory of a resource is under the lock of the store, which must not be held while others are asked.
func TestHandoffAsksOthersWithoutALock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, complete)
		peek := func() { w.store.Len() }
		w.handoff.options.LateOutputs = func(*v1alpha1.GitHubUserToken) []string { peek(); return nil }
		w.handoff.options.OutputsPending = func(types.UID) bool { peek(); return false }
		w.sync()
		w.rotate()
		w.sync()
	})
}
