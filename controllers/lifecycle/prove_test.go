package lifecycle

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-logr/logr"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/restlimit"
	"github.com/githubusertoken/github-user-token-operator/controllers/runner"
	"github.com/githubusertoken/github-user-token-operator/controllers/scope"
	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/github"
	"github.com/githubusertoken/github-user-token-operator/internal/ratelimit"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation/rules"
)

// tried is a GitHub that knows one token, and counts all others.
type tried struct {
	GitHub

	bad int
}

func (*tried) CheckHost(string) error { return nil }

func (g *tried) CheckToken(_ context.Context, _ github.App, token credential.AccessToken) (github.Check, error) {
	if !token.Matches("ghu_restored") {
		g.bad++
		return github.Check{}, nil
	}
	return github.Check{Alive: true}, nil
}

// A tenant can forge a pair that looks as if it came from a backup, and edit it again and again: GitHub is asked about each.
func TestRestoredPairsThatAreForgedAreAskedAboutInTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, gh := newWorld(t), &tried{}
		asking := restlimit.New(restlimit.Options{GitHub: gh, Limiter: ratelimit.New(ratelimit.Options{PerHour: restlimit.PerHour}), Memory: w.memory})
		v := &prover{
			github: asking, seeds: w.seeds, pairs: w.cluster, notes: w.notes, clock: w.clock,
			runner: runner.New(runner.Options{Limit: 1000, Go: func(_ types.UID, work func()) { work() }}),
		}
		prove := func(namespace string, n int, access string) Result {
			token := &v1alpha1.GitHubUserToken{
				ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: fmt.Sprint(n), UID: types.UID(fmt.Sprint(namespace, n))},
				Spec:       v1alpha1.GitHubUserTokenSpec{App: v1alpha1.App{Host: "github.com", ClientID: "Iv23li"}},
			}
			pair := &rotation.Pair{
				Ref: scope.PairRefOf(token), Owner: scope.OwnerOf(token), AccessToken: credential.NewAccessToken(access),
				State: rotation.State{Owner: "former", AccessToken: credential.NewAccessToken(access).Fingerprint()},
			}
			w.secrets[pair.Ref] = pair
			return v.prove(t.Context(), &scope.Scope{Token: token, Owner: pair.Owner, Ref: pair.Ref, Pair: pair, Now: time.Now(), Input: rules.Input{}})
		}
		var last Result
		for end, edit := time.Now().Add(time.Hour), 0; time.Now().Before(end); time.Sleep(30 * time.Second) {
			for n := range 100 {
				edit++
				last = prove("hostile", n, fmt.Sprint("ghu_forged", edit))
			}
		}
		if gh.bad > restlimit.PerHour || gh.bad < restlimit.PerHour/2 {
			t.Errorf("GitHub was asked about %d forged tokens in an hour, want %d at most", gh.bad, restlimit.PerHour)
		}
		if p := last.Problem; p == nil || p.Reason != v1alpha1.ReasonPairUnproven || p.RetryAt.IsZero() || !strings.Contains(p.Message, "Waiting for the turn of this namespace") {
			t.Errorf("who waits is told %+v", p)
		}
		prove("victim", 1, "ghu_restored")
		proof := rules.ProofDead
		w.notes.Peek("victim1", func(m *note) { proof = m.proof })
		if proof != rules.ProofAlive {
			t.Error("another namespace's pair is not asked about at once")
		}
	})
}

// full is a limiter that has no room for one more who waits.
type full struct{ restlimit.Limiter }

func (full) Acquire(string, ratelimit.Request) (bool, time.Time) {
	return false, time.Now().Add(time.Minute)
}
func (full) Waits(string, string) (time.Time, bool) { return time.Time{}, false }

func TestRestoredPairWithoutAPlaceInTheQueueIsToldToWaitForATurn(t *testing.T) {
	w := newWorld(t)
	asking := restlimit.New(restlimit.Options{GitHub: &tried{}, Limiter: full{}, Memory: w.memory})
	v := &prover{github: asking, seeds: w.seeds, pairs: w.cluster, notes: w.notes, clock: w.clock}
	token := tokenOf(uid)
	access := credential.NewAccessToken("ghu_restored")
	pair := &rotation.Pair{Ref: scope.PairRefOf(token), Owner: scope.OwnerOf(token), AccessToken: access, State: rotation.State{AccessToken: access.Fingerprint()}}
	w.secrets[pair.Ref] = pair
	v.proveNow(logr.Discard(), token, pair.Ref, github.App{Host: "github.com", ClientID: "Iv23li"})
	w.notes.Peek(token.UID, func(m *note) {
		if m.failure == nil {
			t.Fatal("nothing is told")
		}
		p := m.failure.problem
		in := p.RetryAt.Sub(w.clock.Now())
		if p.Reason != v1alpha1.ReasonPairUnproven || !strings.Contains(p.Message, "Waiting for the turn of this namespace") || in < 59*time.Second || in > time.Minute {
			t.Errorf("told is %+v, tried again in %s", p, in)
		}
	})
}
