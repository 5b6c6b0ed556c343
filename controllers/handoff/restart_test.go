package handoff

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/fair"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

func newTestRestarter(api *apiServer) *restarter {
	return newRestarter(api, rotation.SystemClock(), &permissions{client: api}, fair.NewSemaphore(maxPatches))
}

func TestHandoffRestartsForSeveralTokensMakeOneRollout(t *testing.T) {
	web := workload{"Deployment", "team-a", "web"}
	type restart struct {
		after time.Duration
		of    workload
		token string
	}
	for what, c := range map[string]struct {
		restarts []restart
		patches  []string
		// last are the annotations of web at the end.
		last map[string]string
	}{
		"one waits for others": {
			[]restart{{0, web, "a"}}, []string{"1s Deployment team-a/web"}, map[string]string{"a": "1"},
		},
		"those of one second are sent together": {
			[]restart{{0, web, "a"}, {500 * time.Millisecond, web, "b"}, {999 * time.Millisecond, web, "c"}},
			[]string{"1s Deployment team-a/web"}, map[string]string{"a": "1", "b": "1", "c": "1"},
		},
		"one that comes later is sent later": {
			[]restart{{0, web, "a"}, {1001 * time.Millisecond, web, "b"}},
			[]string{"1s Deployment team-a/web", "2.001s Deployment team-a/web"}, map[string]string{"b": "1"},
		},
		"other workloads are sent by themselves": {
			[]restart{{0, web, "a"}, {1, workload{"StatefulSet", "team-a", "web"}, "a"}, {2, workload{"Deployment", "team-b", "web"}, "a"}, {3, workload{"Deployment", "team-a", "worker"}, "a"}},
			[]string{"1s Deployment team-a/web", "1s Deployment team-a/worker", "1s Deployment team-b/web", "1s StatefulSet team-a/web"}, map[string]string{"a": "1"},
		},
	} {
		t.Run(what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				api, began := newAPIServer(), time.Now()
				var mu sync.Mutex
				var sent []string
				api.answer = func(kind, name string) error {
					mu.Lock()
					defer mu.Unlock()
					sent = append(sent, time.Since(began).Truncate(time.Millisecond).String())
					return nil
				}
				r := newTestRestarter(api)
				var group sync.WaitGroup
				for _, restart := range c.restarts {
					group.Go(func() {
						time.Sleep(restart.after)
						if err := r.restart(t.Context(), restart.of, restart.token, "1"); err != nil {
							t.Error(err)
						}
					})
				}
				group.Wait()
				var got []string
				slices.Sort(sent)
				tries := slices.Sorted(slices.Values(api.patches))
				for i, patch := range tries {
					got = append(got, sent[i]+" "+patch)
				}
				if !slices.Equal(got, c.patches) {
					t.Errorf("sent %q, want %q", got, c.patches)
				}
				if last := api.annotations["Deployment team-a/web"]; !maps.Equal(last, c.last) {
					t.Errorf("the last patch of web has %v, want %v", last, c.last)
				}
				if len(r.pending) > 0 {
					t.Errorf("something is remembered of restarts that were made: %v", r.pending)
				}
			})
		})
	}
}

func TestHandoffRestartFails(t *testing.T) {
	deployments := permission{kinds["Deployment"].GroupResource(), "team-a"}
	var forbidden *ForbiddenError
	for what, c := range map[string]struct {
		workload workload
		answer   func(kind, name string) error
		latency  time.Duration
		lacking  bool
		// check reports what is wrong with the error; empty when nothing is.
		check func(err error) string
		// after is how long it may take at most, and tries how many patches are sent.
		after time.Duration
		tries int
	}{
		"when there is no such workload": {
			answer: notThere, after: restartWindow, tries: 1,
			check: func(err error) string { return wrong(isMissing(err), "it counts as missing") },
		},
		"when there is no such kind": {
			answer: func(kind, _ string) error {
				return &meta.NoKindMatchError{GroupKind: schema.GroupKind{Kind: kind}}
			}, after: restartWindow, tries: 1,
			check: func(err error) string { return wrong(isMissing(err), "it counts as missing") },
		},
		"when a webhook says that there is no such workload": {
			answer: webhookSays(404), after: restartWindow, tries: 1,
			check: func(err error) string {
				return wrong(!isMissing(err) && strings.Contains(err.Error(), `Deployment web: admission webhook "hook.example.com" denied`), "it is told whose refusal it was")
			},
		},
		"when a policy refuses it, in words that hold no secret": {
			answer: policySaysNo, after: restartWindow, tries: 1,
			check: func(err error) string {
				text := err.Error()
				return wrong(!errors.As(err, &forbidden) && strings.Contains(text, "Deployment web: ") && strings.Contains(text, "policy says no") && !strings.Contains(text, "ghu_"), "it is told whose refusal it was")
			},
		},
		"when the permission was taken away": {
			answer: policySaysNo, lacking: true, after: restartWindow, tries: 1,
			check: func(err error) string {
				return wrong(errors.As(err, &forbidden) && forbidden.Resource == "deployments.apps", "the lack is named")
			},
		},
		"when nothing can have that name, without a request": {
			workload: workload{"Deployment", "team-a", "../../team-b/deployments/web"}, after: restartWindow,
			check: func(err error) string { return wrong(errors.Is(err, errInvalidName), "the name is named") },
		},
		"when nobody knows the kind, without a request": {
			workload: workload{"Job", "team-a", "web"}, after: restartWindow,
			check: func(err error) string { return wrong(errors.Is(err, errUnknownKind), "the kind is named") },
		},
		"when the API server does not answer in time": {
			latency: time.Hour, after: timeout, tries: 1,
			check: func(err error) string {
				return wrong(errors.Is(err, errTimedOut) && strings.Contains(err.Error(), "Deployment web: not done within 10s"), "it says how long it waited")
			},
		},
	} {
		t.Run(what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				api := newAPIServer()
				api.answer, api.latency = c.answer, c.latency
				api.lacking[deployments] = c.lacking
				if c.workload == (workload{}) {
					c.workload = workload{"Deployment", "team-a", "web"}
				}
				r := newTestRestarter(api)
				ctx, cancel := r.clock.WithTimeout(t.Context(), timeout)
				defer cancel()
				began := time.Now()
				err := r.restart(ctx, c.workload, "key", "value")
				if err == nil {
					t.Fatal("it succeeded")
				}
				if text := c.check(err); text != "" {
					t.Errorf("%s: got %v", text, err)
				}
				if took := time.Since(began); took > c.after {
					t.Errorf("it took %s", took)
				}
				time.Sleep(time.Minute) // A batch is sent whether or not somebody still waits for it.
				if tried := api.tried(); tried != c.tries {
					t.Errorf("%d patches were tried, want %d", tried, c.tries)
				}
			})
		})
	}
}

// wrong is what is not so.
func wrong(holds bool, what string) string {
	if holds {
		return ""
	}
	return "not so: " + what
}

func TestHandoffRestartsAllWorkloadsAndNamesThoseThatAreMissing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, v1alpha1.Handoff{Restart: []v1alpha1.WorkloadReference{
			{Kind: "Deployment", Name: "web"}, {Kind: "Deployment", Name: "gone"}, {Kind: "StatefulSet", Name: "db"},
		}})
		w.api.answer = func(kind, name string) error {
			if name == "gone" {
				return notThere(kind, name)
			}
			return nil
		}
		began := time.Now()
		missing, err := w.handoff.restarts.all(t.Context(), w.scope.Token, announcement{"T", []string{"out"}})
		if err != nil || !slices.Equal(missing, []string{"Deployment gone"}) {
			t.Errorf("missing %v, error %v", missing, err)
		}
		if took := time.Since(began); took != restartWindow {
			t.Errorf("they were not restarted beside each other: it took %s", took)
		}
		want := map[string]string{"restarted-for.githubusertoken.dev/octocat": "T without out"}
		for _, what := range []string{"Deployment team-a/web", "StatefulSet team-a/db"} {
			if got := w.api.annotations[what]; !maps.Equal(got, want) {
				t.Errorf("%s has %v, want %v", what, got, want)
			}
		}
	})
}
