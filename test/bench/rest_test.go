package bench

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/hack/controlplane"
	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/test/suite"
)

const mib = 1 << 20

// resting stores resources of which some are due at times after it has returned, one after the other, and the others not for long. The
// operator does not run. change is made to all that are not due.
func resting(t *testing.T, n int, due []time.Duration, change func(*subject)) *field {
	t.Helper()
	f, err := newField(t.Context(), &the.left, n)
	check(t, err)
	check(t, f.login(t.Context(), f.subjects[:len(due)]))
	f.rest(f.subjects[len(due):]...)
	for _, s := range f.subjects[len(due):] {
		change(s)
	}
	// All of it is digested by then.
	now := time.Now().Add(8*time.Second + time.Duration(n)*2*time.Millisecond)
	for i, late := range due {
		f.subjects[i].holds(credential.NewAccessToken(junk("ghu_", 36)), f.subjects[i].spends, now.Add(late))
	}
	check(t, f.store(t.Context()))
	// The API server has watches, and the garbage collector looks for owners.
	for _, process := range []*controlplane.Process{the.stage.Plane.APIServer, the.stage.Plane.ControllerManager, the.stage.Plane.APIServer} {
		_, err := rests(t.Context(), process, 50*time.Millisecond)
		check(t, err)
	}
	time.Sleep(time.Until(now))
	check(t, the.audit.skip())
	return f
}

// A start among resources at rest writes nothing but the one refresh that is due.
func TestBenchRest(t *testing.T) {
	if !asked(t, "rest") {
		return
	}
	for _, n := range settings.sizes {
		f := resting(t, n, []time.Duration{0}, func(*subject) {})
		calls, used, began := newWatchdog(theOperator, f.subjects), takeUsage(), time.Now()
		profiled := make(chan error, 1)
		go func() {
			time.Sleep(300 * time.Millisecond) // It does not listen yet.
			profiled <- profile(t.Context(), fmt.Sprintf("start of %d", n), n/5, true)()
		}()
		ready, done, err := startOperator(t.Context())
		check(t, err)
		await(t, "the refresh that is due", calls, func() bool { return calls.reported == 1 })
		used = takeUsage().minus(usage{apiServer: used.apiServer, etcd: used.etcd})
		pid := the.stage.Operator.PID()
		own, mapped, _ := suite.MemoryOf(pid)
		peak, _ := suite.PeakMemory(pid)
		check(t, <-profiled)
		beside := calls.writes() - 3 // Those of the refresh that is due.
		if read := calls.count(func(verb, _ string) bool { return verb == "get" }); beside != 0 || read > 1 {
			t.Errorf("%d resources: a start took %v, and one refresh was due", n, calls.calls)
		}
		results.tell("start until ready", n, ready.Seconds(), "s", "")
		results.tell("start until the due refresh is stored", n, calls.subjects[f.subjects[0].key()].stored.Sub(began).Seconds(), "s", "")
		results.tell("start until settled", n, done.Seconds(), "s", "")
		results.tell("processor time of a start", n, used.operator.Seconds(), "s", fmt.Sprintf("API server %.1f s, etcd %.1f s", used.apiServer.Seconds(), used.etcd.Seconds()))
		results.tell("writes of a start", n, float64(beside), "writes", "beside the one refresh that is due")
		results.tell("own memory", n, float64(own)/mib, "MiB", fmt.Sprintf("%.1f KiB a resource; and %d MiB mapped", float64(own)/1024/float64(n), mapped/mib))
		results.tell("most memory of a start", n, float64(peak)/mib, "MiB", "own and mapped")
		alive(t, n)
		scrape(t, n)
		check(t, stopOperator(t.Context()))
		check(t, f.remove(t.Context()))
	}
}

// alive says how much of the operator's memory is in use, once its garbage is collected, and takes a profile of it.
func alive(t *testing.T, n int) {
	t.Helper()
	content, err := fetch(t.Context(), "http://"+the.debug+"/debug/pprof/heap?gc=1")
	check(t, err)
	if settings.profile != "" {
		check(t, os.WriteFile(filepath.Join(settings.profile, fmt.Sprintf("heap.of.%d.pprof", n)), content, 0o600))
	}
	text, err := fetch(t.Context(), "http://"+the.stage.MetricsAddress+"/metrics")
	check(t, err)
	bytes := metric(text, "go_memstats_heap_alloc_bytes")
	results.tell("of it alive", n, bytes/mib, "MiB", fmt.Sprintf("%.1f KiB a resource", bytes/1024/float64(n)))
}

// scrape reads the metrics, and says what that takes.
func scrape(t *testing.T, n int) {
	t.Helper()
	pid := the.stage.Operator.PID()
	own, mapped, known := suite.MemoryOf(pid)
	// The kernel begins anew with the most that there was.
	if err := os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", pid), []byte("5"), 0); err != nil || !known {
		return
	}
	text, err := fetch(t.Context(), "http://"+the.stage.MetricsAddress+"/metrics")
	check(t, err)
	peak, _ := suite.PeakMemory(pid)
	results.tell("memory of a scrape", n, float64(peak-own-mapped)/mib, "MiB", fmt.Sprintf("%.1f MB of text, %d lines", float64(len(text))/1e6, strings.Count(string(text), "\n")))
}

// After an upgrade that says something in other words every status is written anew, and what is due does not wait for that.
func TestBenchUpgrade(t *testing.T) {
	if !asked(t, "upgrade") {
		return
	}
	n := settings.upgrade
	var due []time.Duration
	for i := range min(20, n/2) {
		due = append(due, time.Second+time.Duration(n)*200*time.Microsecond+time.Duration(i)*time.Second)
	}
	f := resting(t, n, due, func(s *subject) {
		for i := range s.resource.Status.Conditions {
			message := &s.resource.Status.Conditions[i].Message
			*message = strings.ReplaceAll(*message, "works until", "is good until")
		}
	})
	calls := newWatchdog(theOperator, f.subjects)
	rewritten := map[client.ObjectKey]bool{}
	for _, s := range f.subjects[len(due):] {
		rewritten[s.key()] = true
	}
	var first, last time.Time
	written := 0
	check(t, the.stage.Operator.Start(t.Context()))
	patience := time.Now().Add(5*time.Minute + time.Duration(n)*50*time.Millisecond)
	for ; written < n-len(due) || calls.reported < len(due); time.Sleep(50 * time.Millisecond) {
		check(t, the.audit.read(func(event suite.AuditEvent) {
			calls.saw(event)
			if event.User.Username == theOperator && event.ObjectRef.Subresource == "status" && event.ResponseStatus.Code < 300 && rewritten[client.ObjectKey{Namespace: event.ObjectRef.Namespace, Name: event.ObjectRef.Name}] {
				if first.IsZero() {
					first = event.Completed
				}
				last = event.Completed
				written++
			}
		}))
		if time.Now().After(patience) {
			t.Fatalf("%d of %d statuses were written; the end of the operator's log:\n%s", written, n, the.stage.Operator.LogTail())
		}
	}
	var late suite.Durations
	for i := range due {
		s := f.subjects[i]
		if s.due.After(first) && s.due.Before(last) {
			late = append(late, calls.subjects[s.key()].fenced.Sub(s.due))
		}
	}
	results.tell("statuses rewritten after an upgrade", n, float64(written)/last.Sub(first).Seconds(), "a second", "")
	results.tell("due refresh meanwhile, until its fence, p50", n, late.Quantile(0.5).Seconds(), "s", fmt.Sprintf("%d were due; the last to begin did so after %.1f s", len(late), late.Quantile(1).Seconds()))
	check(t, stopOperator(t.Context()))
	check(t, f.remove(t.Context()))
}

// What is deleted all at once goes with a bounded number of calls.
func TestBenchDeletion(t *testing.T) {
	if !asked(t, "deletion") {
		return
	}
	n := settings.deletion
	f := resting(t, n, nil, func(*subject) {})
	_, _, err := startOperator(t.Context())
	check(t, err)
	calls, used, began := newWatchdog(theOperator, f.subjects), takeUsage(), time.Now()
	for i := range min(spaces, n) {
		check(t, the.admin.DeleteAllOf(t.Context(), &v1alpha1.GitHubUserToken{}, client.InNamespace(f.namespace(i))))
	}
	left := func(i int) bool {
		var some v1alpha1.GitHubUserTokenList
		check(t, the.admin.List(t.Context(), &some, client.InNamespace(f.namespace(i)), client.Limit(1)))
		return len(some.Items) > 0
	}
	gone := 0
	await(t, "all to be gone", calls, func() bool {
		for gone < min(spaces, n) && !left(gone) {
			gone++
		}
		return gone == min(spaces, n)
	})
	took := time.Since(began)
	used = takeUsage().minus(used)
	check(t, the.audit.read(calls.saw))
	per := func(count int) float64 { return float64(count) / float64(n) }
	results.tell("deleted all at once", n, float64(n)/took.Seconds(), "a second",
		fmt.Sprintf("%.1f writes and %.1f reads each; %.1f ms of the operator's, %.1f ms of the API server's processor time", per(calls.writes()), per(calls.reads()),
			ms(used.operator)/float64(n), ms(used.apiServer)/float64(n)))
	if per(calls.writes()) > mostDeletionWrites || per(calls.reads()) > mostDeletionReads {
		t.Errorf("%d deletions took %v", n, calls.calls)
	}
	t.Logf("%d deletions took %s and %v", n, took, calls.calls)
	check(t, stopOperator(t.Context()))
	check(t, f.remove(t.Context()))
}

// await reads the audit log until something holds.
func await(t *testing.T, what string, calls *watchdog, holds func() bool) {
	t.Helper()
	suite.Eventually(t, 10*time.Minute, what, func() (bool, string) {
		check(t, the.audit.read(calls.saw))
		return holds(), fmt.Sprintf("%v; the end of the operator's log:\n%s", calls.calls, the.stage.Operator.LogTail())
	})
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
