package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/hack/demo/stage"
	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/github"
	"github.com/githubusertoken/github-user-token-operator/internal/github/githubtest"
	"github.com/githubusertoken/github-user-token-operator/internal/ratelimit"
	"github.com/githubusertoken/github-user-token-operator/test/suite"
)

const (
	// recoveryApps are the Apps of the resources that are overdue.
	recoveryApps = 5
	// away is for how long GitHub was away.
	away = 2 * time.Hour
)

// recoveryClient is the client ID of one of the Apps.
func recoveryClient(i int) string { return fmt.Sprintf("%s%d", clientID, i%recoveryApps) }

// recoveryAppsOf are the Apps for the stand-in.
func recoveryAppsOf() (apps []stage.App) {
	for i := range recoveryApps {
		apps = append(apps, stage.App{ClientID: recoveryClient(i), Secret: credential.NewClientSecret(clientSecret)})
	}
	return apps
}

// GitHub was away, and much is overdue by up to two hours. Each is served once, each namespace in the order of expiry as fast as the
// limits of the Apps allow, and who waits is told when it will be its turn.
func TestBenchRecovery(t *testing.T) {
	if !asked(t, "recovery") {
		return
	}
	n := settings.recovery
	f := overdue(t, n)
	check(t, f.store(t.Context()))
	check(t, the.audit.skip())
	calls := newWatchdog(theOperator, f.subjects)
	outage(t, http.MethodPost)
	check(t, useOperator(t.Context(), settings.recoveryRate*3600/recoveryApps))
	tried := func() (tried int) {
		for _, cycle := range calls.subjects {
			if !cycle.fenced.IsZero() {
				tried++
			}
		}
		return tried
	}
	await(t, "some to be tried in vain", calls, func() bool { return tried() >= min(20, n/3) })
	// An operator that has run through it all knows of all of them. This one has just begun.
	suite.Eventually(t, time.Minute+time.Duration(n)*50*time.Millisecond, "all to wait", func() (bool, string) {
		waiting := f.waiting(t)
		return waiting == n, fmt.Sprintf("%d of %d", waiting, n)
	})
	check(t, the.audit.read(calls.saw))
	results.tell("recovery: writes while GitHub is away", n, float64(calls.writes())/float64(n), "each", fmt.Sprintf("%d were tried", tried()))

	began := time.Now()
	outage(t, http.MethodDelete)
	back := time.Now()
	before, served, told := tried(), []*subject(nil), ""
	// Who was tried in vain tells of that for a while.
	var last *subject
	for _, s := range slices.Backward(f.subjects) {
		if calls.subjects[s.key()].fenced.IsZero() {
			last = s
			break
		}
	}
	if last == nil {
		t.Fatal("all were tried in vain")
	}
	for end := time.Now().Add(10*time.Minute + 3*time.Duration(n)*time.Second/time.Duration(settings.recoveryRate)); len(served) < n; time.Sleep(time.Second) {
		if time.Now().After(end) {
			t.Fatalf("%d of %d have been served; the end of the operator's log:\n%s", len(served), n, the.stage.Operator.LogTail())
		}
		if served = f.served(t); told == "" && !slices.Contains(served, last) {
			told = toldWhen(t, last)
		}
	}
	took := time.Since(began)
	suite.Eventually(t, time.Minute, "the last status", func() (bool, string) {
		done := f.reported(t)
		return done == n, fmt.Sprintf("%d of %d", done, n)
	})
	check(t, the.audit.read(calls.saw))
	results.tell("recovery: refreshes", n, float64(n)/took.Seconds(), "a second", fmt.Sprintf("%d Apps have %d a second together", recoveryApps, settings.recoveryRate))
	results.tell("recovery: overtaken by one of the namespace and App that expires a minute later or more", n, float64(len(overtaken(served)))/float64(n), "of all", fmt.Sprintf("%d had been tried in vain", before))
	results.tell("recovery: writes", n, float64(calls.writes())/float64(n), "each", fmt.Sprintf("and %.1f reads, %d events", float64(calls.reads())/float64(n), calls.events()))
	if told == "" {
		t.Error("the last one was not told when it would be its turn")
	}
	t.Logf("the last one was told meanwhile: %s", told)
	// What goes at once has no order, and what was tried in vain comes back after a while of its own.
	late := slices.DeleteFunc(overtaken(withoutBurst(served)), func(s *subject) bool { return !calls.subjects[s.key()].fenced.After(back) })
	if len(late) > 0 {
		t.Errorf("%d were overtaken by some of their namespace and App that expire later, %s among them", len(late), late[0].key())
	}
	check(t, stopOperator(t.Context()))
	check(t, f.remove(t.Context()))
	check(t, useOperator(t.Context(), 0))
	check(t, stopOperator(t.Context()))
}

// outage has GitHub answer that it is not available, or ends that.
func outage(t *testing.T, method string) {
	t.Helper()
	text, err := json.Marshal(githubtest.FaultRequest{Preset: "unavailable", Count: -1})
	check(t, err)
	request, err := http.NewRequestWithContext(t.Context(), method, the.stage.GitHub.Admin()+"/faults", bytes.NewReader(text))
	check(t, err)
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	check(t, err)
	if check(t, response.Body.Close()); response.StatusCode >= 300 {
		t.Fatalf("%s of a fault: %s", method, response.Status)
	}
}

// overdue are resources of all the Apps, in the order in which their tokens expire. Refreshes are due at times that differ in that by
// some minutes: the last of them just now, and the first two hours ago.
func overdue(t *testing.T, n int) *field {
	t.Helper()
	f, err := newField(t.Context(), &the.left, n)
	check(t, err)
	check(t, each(t.Context(), f.subjects, 8, func(ctx context.Context, s *subject) (err error) {
		s.spends, err = the.stage.GitHub.Login(ctx, s.useApp(recoveryClient), s.resource.Namespace+"-"+s.resource.Name)
		return err
	}))
	now, ahead := time.Now(), lifetime
	for _, s := range f.subjects {
		s.holds(credential.NewAccessToken(junk("ghu_", 36)), s.spends, now)
		ahead = min(ahead, s.state.ExpiresAt.Sub(now))
	}
	for i, s := range f.subjects {
		expiry := now.Add(ahead - away*time.Duration(n-1-i)/time.Duration(n))
		s.holds(credential.NewAccessToken(junk("ghu_", 36)), s.spends, now.Add(expiry.Sub(s.state.ExpiresAt)))
	}
	return f
}

// served are the subjects whose token GitHub has exchanged, in that order. None may be presented after that.
func (f *field) served(t *testing.T) (served []*subject) {
	t.Helper()
	of := map[string]*subject{}
	for _, s := range f.subjects {
		of[string(s.spends.Fingerprint())] = s
	}
	all, err := the.stage.GitHub.Presentations(t.Context())
	check(t, err)
	for _, p := range all {
		switch s := of[p.Fingerprint]; {
		case s == nil:
		case p.AfterSuccess:
			t.Fatalf("the token of %s was presented once more after it had been exchanged", s.key())
		case p.Outcome == githubtest.Committed:
			served = append(served, s)
		}
	}
	return served
}

// waiting is of how many subjects the status says that they wait, for GitHub or for their turn.
func (f *field) waiting(t *testing.T) (waiting int) {
	t.Helper()
	for _, now := range f.list(t) {
		if meta.IsStatusConditionTrue(now.Status.Conditions, v1alpha1.ConditionReconciling) {
			waiting++
		}
	}
	return waiting
}

// reported is of how many subjects the status tells of one more refresh.
func (f *field) reported(t *testing.T) (reported int) {
	t.Helper()
	counts := map[client.ObjectKey]int64{}
	for _, now := range f.list(t) {
		if meta.IsStatusConditionTrue(now.Status.Conditions, v1alpha1.ConditionReady) {
			counts[client.ObjectKeyFromObject(&now)] = now.Status.RefreshCount
		}
	}
	for _, s := range f.subjects {
		if counts[s.key()] == s.state.RefreshCount+1 {
			reported++
		}
	}
	return reported
}

// list are the resources of all namespaces that subjects are in.
func (f *field) list(t *testing.T) (found []v1alpha1.GitHubUserToken) {
	t.Helper()
	for i := range min(spaces, len(f.subjects)) {
		var all v1alpha1.GitHubUserTokenList
		check(t, the.admin.List(t.Context(), &all, client.InNamespace(f.namespace(i))))
		found = append(found, all.Items...)
	}
	return found
}

// useApp gives a subject one of the Apps, by its number. It returns the App's client ID.
func (s *subject) useApp(of func(int) string) string {
	id := of(int(s.state.User.ID))
	s.resource.Spec.App.ClientID = id
	s.state.App = github.App{Host: the.stage.GitHub.Host(), ClientID: id}.Key()
	return id
}

// overtaken are the subjects before which one was served that has the same namespace and App and expires a minute or more later.
func overtaken(served []*subject) (late []*subject) {
	latest := map[string]time.Time{}
	for _, s := range served {
		queue := s.resource.Namespace + " " + s.state.App
		expiry := s.state.ExpiresAt
		if latest[queue].Sub(expiry) >= time.Minute {
			late = append(late, s)
		}
		latest[queue] = slices.MaxFunc([]time.Time{latest[queue], expiry}, time.Time.Compare)
	}
	return late
}

// withoutBurst are the subjects without the first of each App, which need not wait for one another.
func withoutBurst(served []*subject) (waited []*subject) {
	first := map[string]int{}
	for _, s := range served {
		if first[s.state.App]++; first[s.state.App] > ratelimit.DefaultBurst {
			waited = append(waited, s)
		}
	}
	return waited
}

// toldWhen is what the status of a subject says of its turn at the rate limit; empty when it names no time.
func toldWhen(t *testing.T, s *subject) string {
	t.Helper()
	var now v1alpha1.GitHubUserToken
	check(t, the.admin.Get(t.Context(), s.key(), &now))
	c := meta.FindStatusCondition(now.Status.Conditions, v1alpha1.ConditionReconciling)
	if c == nil || c.Reason != v1alpha1.ReasonRateLimited || now.Status.NextRefreshTime == nil {
		return ""
	}
	return fmt.Sprintf("%s, at %s: %s", c.Reason, now.Status.NextRefreshTime.UTC().Format(time.TimeOnly), c.Message)
}
