package bench

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/hack/demo/stage"
	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/github"
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

// GitHub was away for two hours, and everything is overdue. Each namespace is served in the order of expiry, as fast as the limits
// of the Apps allow, and who waits is told so.
func TestBenchRecovery(t *testing.T) {
	if !asked(t, "recovery") {
		return
	}
	n, perHour := settings.recovery, settings.recoveryRate*3600/recoveryApps
	f, err := newField(t.Context(), &the.left, n)
	check(t, err)
	check(t, each(t.Context(), f.subjects, 8, func(ctx context.Context, s *subject) (err error) {
		s.spends, err = the.stage.GitHub.Login(ctx, s.useApp(recoveryClient), s.resource.Namespace+"-"+s.resource.Name)
		return err
	}))
	now := time.Now()
	for i, s := range f.subjects {
		s.holds(credential.NewAccessToken(junk("ghu_", 36)), s.spends, now.Add(-away*time.Duration(n-i)/time.Duration(n)))
	}
	check(t, f.store(t.Context()))
	check(t, the.audit.skip())

	the.stage.DenyEgress(true)
	check(t, useOperator(t.Context(), perHour))
	_, err = settled(t.Context())
	check(t, err)
	calls := newWatchdog(theOperator, f.subjects)
	check(t, the.audit.read(func(event suite.AuditEvent) { calls.saw(event) }))
	results.tell("statuses while GitHub is away", n, float64(calls.writes())/float64(n), "writes each", "")

	calls = newWatchdog(theOperator, f.subjects)
	began := time.Now()
	the.stage.DenyEgress(false)
	newest := f.subjects[n-1]
	told := ""
	await(t, "the recovery", calls, func() bool {
		if told == "" && calls.reported > n/3 && calls.subjects[newest.key()].fenced.IsZero() {
			told = toldOf(t, newest)
		}
		return calls.reported == n
	})
	served := slices.SortedFunc(slices.Values(f.subjects), func(a, b *subject) int {
		return calls.subjects[a.key()].fenced.Compare(calls.subjects[b.key()].fenced)
	})
	first, last := calls.subjects[served[0].key()].fenced, calls.subjects[served[n-1].key()].stored
	rate := float64(n) / last.Sub(first).Seconds()
	results.tell("recovery: first exchange after GitHub is back", n, first.Sub(began).Seconds(), "s", "")
	results.tell("recovery: refreshes", n, rate, "a second", fmt.Sprintf("%d Apps have %d a second together", recoveryApps, settings.recoveryRate))
	results.tell("recovery: overtaken by one of the namespace and App that expires a minute later or more", n, overtaken(served), "of all", "")
	results.tell("recovery: writes", n, float64(calls.writes())/float64(n), "each", fmt.Sprintf("and %.1f reads, %d events", float64(calls.reads())/float64(n), calls.events()))
	if told != "" {
		t.Logf("the last one was told meanwhile: %s", told)
	}
	check(t, stopOperator(t.Context()))
	check(t, f.remove(t.Context()))
	check(t, useOperator(t.Context(), 0))
	check(t, stopOperator(t.Context()))
}

// useApp gives a subject one of the Apps, by its number. It returns the App's client ID.
func (s *subject) useApp(of func(int) string) string {
	id := of(int(s.state.User.ID))
	s.resource.Spec.App.ClientID = id
	s.state.App = github.App{Host: the.stage.GitHub.Host(), ClientID: id}.Key()
	return id
}

// overtaken is the share of the subjects before which one was served that has the same namespace and App and expires a minute or
// more later.
func overtaken(served []*subject) float64 {
	latest, late := map[string]time.Time{}, 0
	for _, s := range served {
		queue := s.resource.Namespace + " " + s.state.App
		if latest[queue].Sub(s.due) >= time.Minute {
			late++
		}
		latest[queue] = slices.MaxFunc([]time.Time{latest[queue], s.due}, time.Time.Compare)
	}
	return float64(late) / float64(len(served))
}

// toldOf is what the status of a subject says of its refresh.
func toldOf(t *testing.T, s *subject) string {
	t.Helper()
	var now v1alpha1.GitHubUserToken
	check(t, the.admin.Get(t.Context(), s.key(), &now))
	text := ""
	for _, kind := range []string{v1alpha1.ConditionReady, v1alpha1.ConditionReconciling} {
		if c := meta.FindStatusCondition(now.Status.Conditions, kind); c != nil {
			text += fmt.Sprintf("%s %s: %s ", kind, cmp.Or(c.Reason, string(c.Status)), c.Message)
		}
	}
	return text
}
