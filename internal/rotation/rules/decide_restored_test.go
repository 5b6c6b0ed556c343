package rules

import (
	"testing"
	"time"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/problem"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

func TestDecideTakesUpARestoredPairOnlyWhenItIsProven(t *testing.T) {
	now := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	const app = "github.com/Iv23li"
	owner := rotation.Owner{Namespace: "team-a", Name: "octocat", UID: "new"}
	backup := func(change func(*rotation.Pair)) *rotation.Pair {
		pair := &rotation.Pair{
			Ref: rotation.Ref{Namespace: "team-a", Name: "octocat"}, Orphan: true, UID: "secret", Version: "1",
			State: rotation.State{
				Owner: "old", OwnerName: "octocat", App: app, Revision: 3, AccessToken: "access", RefreshToken: "refresh",
				IssuedAt: now.Add(-time.Hour), ExpiresAt: now.Add(7 * time.Hour), Seeds: []rotation.SeedRecord{{Fingerprint: "seed"}},
			},
		}
		if change != nil {
			change(pair)
		}
		return pair
	}
	reclaimed := func(change func(*rotation.Pair)) *rotation.Pair {
		return backup(func(pair *rotation.Pair) {
			pair.Orphan, pair.Controlled, pair.Owner = false, true, owner
			if change != nil {
				change(pair)
			}
		})
	}
	for _, test := range []struct {
		name   string
		reason string
		pair   *rotation.Pair
		input  func(*Input)
		want   rotation.Action
		stops  string
	}{
		{
			name: "a Secret without an owner is taken hold of", pair: backup(nil), want: rotation.ActionReclaim,
			reason: "backup tools take owner references off",
		},
		{
			name: "a Secret of a former resource is taken hold of", want: rotation.ActionReclaim,
			pair: backup(func(p *rotation.Pair) {
				p.Orphan, p.Owner = false, rotation.Owner{Namespace: "team-a", Name: "octocat", UID: "old"}
			}),
			reason: "kubectl get -o yaml keeps owner references, and no two resources have one name",
		},
		{
			name: "the very Secret that was retained is trusted", want: rotation.ActionAdopt,
			pair:   backup(func(p *rotation.Pair) { p.State.Retained, p.State.RetainedAs = true, "secret" }),
			reason: "nobody has used its pair since",
		},
		{
			name: "a copy of a Secret that was retained is not", want: rotation.ActionReclaim,
			pair:   backup(func(p *rotation.Pair) { p.State.Retained, p.State.RetainedAs = true, "former" }),
			reason: "the pair may have been taken up and exchanged since it was copied",
		},
		{
			name: "also while Kubernetes deletes it", want: rotation.ActionReclaim,
			pair: backup(func(p *rotation.Pair) {
				p.Orphan, p.Owner, p.Deleting = false, rotation.Owner{Namespace: "team-a", Name: "octocat", UID: "old"}, true
			}),
			reason: "the garbage collector deletes what belongs to a resource that is gone",
		},
		{
			name: "one of another controller is not touched", want: rotation.ActionBlocked, stops: v1alpha1.ReasonSecretNotOwned,
			pair: backup(func(p *rotation.Pair) { p.Orphan = false }), reason: "it is somebody else's",
		},
		{
			name: "one of another name is not touched", want: rotation.ActionBlocked, stops: v1alpha1.ReasonSecretNotOwned,
			pair: backup(func(p *rotation.Pair) { p.State.OwnerName = "hubot" }), reason: "its resource may come back as well",
		},
		{
			name: "one of another App is not touched", want: rotation.ActionBlocked, stops: v1alpha1.ReasonSecretNotOwned,
			pair: backup(func(p *rotation.Pair) { p.State.App = "github.com/other" }), reason: "its tokens mean nothing here",
		},
		{name: "GitHub is asked first", pair: reclaimed(nil), want: rotation.ActionProve, reason: "a living access token proves the pair"},
		{
			name: "and not again too soon", pair: reclaimed(nil), want: rotation.ActionWait, stops: v1alpha1.ReasonGitHubUnavailable,
			input: func(in *Input) {
				in.Failure = &problem.Problem{Reason: v1alpha1.ReasonGitHubUnavailable, RetryAt: now.Add(time.Minute)}
			}, reason: "GitHub did not answer",
		},
		{
			name: "a proven pair is taken up", pair: reclaimed(nil), want: rotation.ActionAdopt,
			input: func(in *Input) { in.Proof = ProofAlive }, reason: "nobody can have exchanged its refresh token",
		},
		{
			name: "a dead access token proves nothing", pair: reclaimed(nil), want: rotation.ActionBlocked, stops: v1alpha1.ReasonPairUnproven,
			input: func(in *Input) { in.Proof = ProofDead }, reason: "the pair was exchanged since, or it was revoked",
		},
		{
			name: "an expired access token is not asked about", want: rotation.ActionBlocked, stops: v1alpha1.ReasonPairUnproven,
			pair: reclaimed(func(p *rotation.Pair) { p.State.ExpiresAt = now }), reason: "it is dead either way",
		},
		{
			name: "a person's word is enough", want: rotation.ActionAdopt,
			pair:  reclaimed(func(p *rotation.Pair) { p.State.ExpiresAt = now }),
			input: func(in *Input) { in.Vouched = true }, reason: "they know where the backup comes from",
		},
		{
			name: "an intent from before the backup is not resolved", want: rotation.ActionProve,
			pair:   reclaimed(func(p *rotation.Pair) { p.Intent = &rotation.Intent{ID: "old", Spends: "refresh"} }),
			reason: "that would send a token that may be spent",
		},
		{
			name: "a new login wins", pair: reclaimed(nil), want: rotation.ActionImport,
			input: func(in *Input) { in.Seed = "another" }, reason: "it needs no proof",
		},
		{
			name: "nothing is asked while suspended", pair: reclaimed(nil), want: rotation.ActionBlocked, stops: v1alpha1.ReasonSuspended,
			input: func(in *Input) { in.Suspended = true }, reason: "a person wants quiet",
		},
		{
			name: "a pair of this very resource needs no proof", want: rotation.ActionNone,
			pair: reclaimed(func(p *rotation.Pair) { p.State.Owner = "new" }), reason: "it was never away",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			in := Input{Owner: owner, App: app, Pair: test.pair, Now: now}
			if test.input != nil {
				test.input(&in)
			}
			decision := Decide(in)
			if decision.Action != test.want || reasonOf(decision) != test.stops {
				t.Errorf("Decide says action %d, reason %q; want %d, %q: %s", decision.Action, reasonOf(decision), test.want, test.stops, test.reason)
			}
			if decision.Action.Exchanges() && decision.Spends == in.Pair.State.RefreshToken {
				t.Error("the refresh token of an unproven pair would be spent")
			}
		})
	}
}
