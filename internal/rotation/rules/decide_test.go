package rules

import (
	"slices"
	"testing"
	"time"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/problem"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation/weblogin"
)

// reasonOf is the reason that a decision gives; empty when nothing stands in the way.
func reasonOf(decision rotation.Decision) string {
	if decision.Problem == nil {
		return ""
	}
	return decision.Problem.Reason
}

// TestDecide has a row or more for each rule, and rows in which two rules have something to say, which pin the
// order.
func TestDecide(t *testing.T) {
	now := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	const app, other = "github.com/Iv23li", "github.com/Iv00other"
	owner := rotation.Owner{Namespace: "team-a", Name: "octocat", UID: "uid"}
	me, peer := rotation.Holder{Outbox: "mine", Process: "2"}, rotation.Holder{Outbox: "theirs", Process: "1"}
	// A healthy input: a pair of an hour ago, with seven to go, of this resource.
	healthy := func() Input {
		return Input{
			Owner: owner, App: app, Me: me, Now: now,
			Pair: &rotation.Pair{
				Ref: rotation.Ref{Namespace: "team-a", Name: "octocat-token"}, Owner: owner, UID: "secret", Version: "1", Controlled: true,
				State: rotation.State{
					Owner: "uid", OwnerName: "octocat", App: app, Revision: 3, AccessToken: "access", RefreshToken: "refresh",
					IssuedAt: now.Add(-time.Hour), ExpiresAt: now.Add(7 * time.Hour), Seeds: []rotation.SeedRecord{{Fingerprint: "seed"}},
				},
			},
		}
	}
	pair := func(change func(*rotation.Pair)) func(*Input) { return func(in *Input) { change(in.Pair) } }
	due := pair(func(p *rotation.Pair) {
		p.State.IssuedAt, p.State.ExpiresAt = now.Add(-7*time.Hour), now.Add(time.Hour)
	})
	expired := pair(func(p *rotation.Pair) {
		p.State.IssuedAt, p.State.ExpiresAt = now.Add(-9*time.Hour), now.Add(-time.Hour)
	})
	intent := func(spends credential.Fingerprint, holder rotation.Holder) func(*Input) {
		return pair(func(p *rotation.Pair) { p.Intent = &rotation.Intent{ID: "1", Holder: holder, Spends: spends, App: app} })
	}
	loginLeft := pair(func(p *rotation.Pair) {
		p.Intent = &rotation.Intent{ID: "1", Holder: me, Spends: "login", Login: true, App: app}
		p.State.PendingSeed = "login"
	})
	failed := func(in *Input) {
		in.Failure = &problem.Problem{Reason: v1alpha1.ReasonGitHubUnavailable, RetryAt: now.Add(time.Minute)}
	}
	failedBefore := func(in *Input) { // And it is time to try again.
		in.Failure = &problem.Problem{Reason: v1alpha1.ReasonAPIServerUnavailable, RetryAt: now}
	}
	tokenless := pair(func(p *rotation.Pair) { p.State.AccessToken = "" })
	verdict := pair(func(p *rotation.Pair) {
		p.State.Verdict = &rotation.Verdict{Reason: rotation.ReasonReplyLost, Fingerprint: "refresh"}
	})
	refused := func(of credential.Fingerprint, again time.Time) func(*Input) {
		return pair(func(p *rotation.Pair) {
			p.State.Verdict = &rotation.Verdict{Reason: rotation.ReasonRefreshTokenRejected, Fingerprint: of, AgainAt: again, Asked: "before"}
			if of != "refresh" {
				p.State.AccessToken, p.State.RefreshToken, p.State.ExpiresAt = "", "", time.Time{}
				p.State.Seeds = []rotation.SeedRecord{{Fingerprint: of, RefusedFor: app}}
			}
		})
	}
	seedRefused := pair(func(p *rotation.Pair) {
		p.State.SeedVerdict = &rotation.Verdict{Reason: rotation.ReasonRefreshTokenRejected, Fingerprint: "another", AgainAt: now}
		p.State.Seeds = append(p.State.Seeds, rotation.SeedRecord{Fingerprint: "another", RefusedFor: app})
	})
	absent := func(in *Input) { in.Pair = nil }
	seed := func(fingerprint credential.Fingerprint) func(*Input) {
		return func(in *Input) { in.Seed = fingerprint }
	}
	deleting := pair(func(p *rotation.Pair) { p.Deleting = true })
	suspend := func(in *Input) { in.Suspended = true }
	request := func(in *Input) { in.RefreshRequestedAt = "now" }
	newer := pair(func(p *rotation.Pair) { p.State.Format = rotation.StateFormat + 1 })
	misplace := func(in *Input) { in.Misplaced = true }
	edit := func(in *Input) { in.Edited = true }
	rolled := func(in *Input) { in.RolledBack = true }
	garble := pair(func(p *rotation.Pair) { p.State, p.StateLost = rotation.State{}, true })
	foreign := pair(func(p *rotation.Pair) { p.Controlled, p.Owner = false, rotation.Owner{} })

	asked := weblogin.Request{ID: "request-1", Callback: "http://127.0.0.1:8976/"}
	askWeb := func(in *Input) { in.Web.Request = asked }
	code := func(in *Input) { in.Web.HasCode = true }
	attempt := func(change func(*weblogin.Attempt)) func(*Input) {
		return pair(func(p *rotation.Pair) {
			p.State.Web = &weblogin.Attempt{
				ID: "uid-1", Request: asked.ID, Callback: asked.Callback, App: app, Verifier: "verifier", BeganAt: now.Add(-time.Minute), ExpiresAt: now.Add(9 * time.Minute),
			}
			if change != nil {
				change(p.State.Web)
			}
		})
	}
	redeeming := func(holder rotation.Holder) func(*Input) {
		return pair(func(p *rotation.Pair) {
			p.Intent = &rotation.Intent{ID: "1", Holder: holder, Spends: "code", Login: true, Attempt: "uid-1", App: app}
		})
	}
	var decided []string
	for _, test := range []struct {
		name   string
		given  []func(*Input)
		action rotation.Action
		cause  rotation.Cause
		reason string
		spends credential.Fingerprint
		at     time.Time
		rule   string
	}{
		{name: "a login by the web flow that is asked for is begun", given: []func(*Input){askWeb}, action: rotation.ActionOffer, rule: "web login"},
		{name: "also when there is no pair yet", given: []func(*Input){absent, askWeb}, action: rotation.ActionOffer, rule: "web login"},
		{name: "not again too soon after the attempt before", given: []func(*Input){askWeb, attempt(func(a *weblogin.Attempt) { a.Request, a.BeganAt = "another", now.Add(-time.Second) })}, action: rotation.ActionNone, rule: "due", at: healthy().Policy.DueAt(&healthy().Pair.State)},
		{name: "then it is, in the place of that one", given: []func(*Input){askWeb, attempt(func(a *weblogin.Attempt) { a.Request, a.BeganAt = "another", now.Add(-OfferPause) })}, action: rotation.ActionOffer, rule: "web login"},
		{name: "an attempt by a clock that was ahead is in nobody's way", given: []func(*Input){askWeb, attempt(func(a *weblogin.Attempt) { a.Request, a.BeganAt = "another", now.Add(time.Hour) })}, action: rotation.ActionOffer, rule: "web login"},
		{name: "one request is honoured once", given: []func(*Input){askWeb, attempt(nil)}, action: rotation.ActionNone, rule: "due", at: healthy().Policy.DueAt(&healthy().Pair.State)},
		{name: "the code of the attempt that waits is redeemed", given: []func(*Input){askWeb, attempt(nil), code}, action: rotation.ActionRedeem, cause: rotation.CauseWebFlow, rule: "web login"},
		{name: "not when it was sent before", given: []func(*Input){askWeb, attempt(func(a *weblogin.Attempt) { a.Sent = "code" }), code}, action: rotation.ActionNone, rule: "due", at: healthy().Policy.DueAt(&healthy().Pair.State)},
		{name: "nor when the attempt has ended", given: []func(*Input){askWeb, attempt(func(a *weblogin.Attempt) { a.Ended = v1alpha1.WebLoginLost }), code}, action: rotation.ActionNone, rule: "due", at: healthy().Policy.DueAt(&healthy().Pair.State)},
		{name: "nor when its time is over", given: []func(*Input){askWeb, attempt(func(a *weblogin.Attempt) { a.ExpiresAt = now }), code}, action: rotation.ActionNone, rule: "due", at: healthy().Policy.DueAt(&healthy().Pair.State)},
		{name: "nor when nobody knows how old it would be", given: []func(*Input){askWeb, attempt(func(a *weblogin.Attempt) { a.ExpiresAt = now.Add(time.Hour) }), code}, action: rotation.ActionNone, rule: "due", at: healthy().Policy.DueAt(&healthy().Pair.State)},
		{name: "nor when nobody asks for it any more", given: []func(*Input){attempt(nil), code}, action: rotation.ActionNone, rule: "due", at: healthy().Policy.DueAt(&healthy().Pair.State)},
		{name: "nor when it is of another App", given: []func(*Input){askWeb, attempt(func(a *weblogin.Attempt) { a.App = other }), code}, action: rotation.ActionNone, rule: "due", at: healthy().Policy.DueAt(&healthy().Pair.State)},
		{name: "nor while it is suspended", given: []func(*Input){askWeb, attempt(nil), code, suspend}, action: rotation.ActionBlocked, reason: v1alpha1.ReasonSuspended, rule: "suspended"},
		{name: "a new seed goes first", given: []func(*Input){askWeb, attempt(nil), code, seed("new")}, action: rotation.ActionImport, cause: rotation.CauseNewSeed, spends: "new", rule: "new seed"},
		{name: "a code that could not be redeemed waits", given: []func(*Input){askWeb, attempt(nil), code, failed}, action: rotation.ActionWait, cause: rotation.CauseWebFlow, reason: v1alpha1.ReasonGitHubUnavailable, rule: "web login", at: now.Add(time.Minute)},
		{name: "and the chain that is due goes first then", given: []func(*Input){askWeb, attempt(nil), code, due, failedBefore}, action: rotation.ActionRefresh, cause: rotation.CauseDue, spends: "refresh", rule: "due"},
		{name: "also where the login cannot be begun", given: []func(*Input){askWeb, due, failedBefore}, action: rotation.ActionRefresh, cause: rotation.CauseDue, spends: "refresh", rule: "due"},
		{name: "or a refresh is asked for", given: []func(*Input){askWeb, request, failedBefore}, action: rotation.ActionRefresh, cause: rotation.CauseRequested, spends: "refresh", rule: "requested"},
		{name: "or there is no access token", given: []func(*Input){askWeb, tokenless, failedBefore}, action: rotation.ActionRefresh, cause: rotation.CauseNoToken, spends: "refresh", rule: "without token"},
		{name: "a chain that is not due keeps no login from being tried again", given: []func(*Input){askWeb, failedBefore}, action: rotation.ActionOffer, rule: "web login"},
		{name: "a login that was asked for before the failure waits", given: []func(*Input){askWeb, failed}, action: rotation.ActionWait, reason: v1alpha1.ReasonGitHubUnavailable, rule: "web login", at: now.Add(time.Minute)},
		{name: "one that was asked for since does not", given: []func(*Input){askWeb, failed, func(in *Input) { in.Web.IsNew = true }}, action: rotation.ActionOffer, rule: "web login"},
		{name: "nor does one that is of no more use", given: []func(*Input){askWeb, attempt(nil), code, due, verdict, failedBefore}, action: rotation.ActionRedeem, cause: rotation.CauseWebFlow, rule: "web login"},
		{name: "the outcome of a code that was sent is not found out", given: []func(*Input){askWeb, attempt(func(a *weblogin.Attempt) { a.Sent = "code" }), code, redeeming(me)}, action: rotation.ActionGiveUp, rule: "intent left"},
		{name: "also when the seed holds the same text", given: []func(*Input){seed("code"), redeeming(me)}, action: rotation.ActionGiveUp, rule: "intent left"},
		{name: "and while somebody may be at work on it it is waited for", given: []func(*Input){redeeming(peer)}, action: rotation.ActionWait, reason: v1alpha1.ReasonOutcomeUnknown, rule: "intent left", at: now.Add(rotation.IntentTimeout)},
		{name: "a healthy pair is left alone until it is due", action: rotation.ActionNone, rule: "due", at: healthy().Policy.DueAt(&healthy().Pair.State)},

		{name: "what a newer version has written is left alone", given: []func(*Input){newer}, action: rotation.ActionBlocked, reason: v1alpha1.ReasonStateFormatTooNew, rule: "newer format"},
		{name: "also when only the intent is newer", given: []func(*Input){intent("refresh", me), pair(func(p *rotation.Pair) { p.Intent.Format = rotation.StateFormat + 1 })}, action: rotation.ActionBlocked, reason: v1alpha1.ReasonStateFormatTooNew, rule: "newer format"},
		{name: "before it is put back, moved, or exchanged", given: []func(*Input){newer, deleting, misplace, due, request}, action: rotation.ActionBlocked, reason: v1alpha1.ReasonStateFormatTooNew, rule: "newer format"},
		{name: "a state without a format is of the first one", given: []func(*Input){due, pair(func(p *rotation.Pair) { p.State.Format = 0 })}, action: rotation.ActionRefresh, cause: rotation.CauseDue, spends: "refresh", rule: "due"},

		{name: "a retained pair of this name, seed and App is adopted", given: []func(*Input){pair(func(p *rotation.Pair) {
			p.Controlled, p.Orphan, p.State.Owner, p.State.Retained, p.State.RetainedAs = false, true, "former", true, "secret"
		}), seed("seed")}, action: rotation.ActionAdopt, rule: "retained"},
		{name: "also when this very seed was still being imported", given: []func(*Input){pair(func(p *rotation.Pair) {
			p.Controlled, p.Orphan = false, true
			p.State = rotation.State{Owner: "former", OwnerName: "octocat", App: app, PendingSeed: "first", Retained: true, RetainedAs: "secret"}
		}), seed("first")}, action: rotation.ActionAdopt, rule: "retained"},
		{name: "one of another seed is somebody else's", given: []func(*Input){pair(func(p *rotation.Pair) {
			p.Controlled, p.Orphan, p.State.Owner, p.State.Retained, p.State.RetainedAs = false, true, "former", true, "secret"
		}), seed("another")}, action: rotation.ActionBlocked, reason: v1alpha1.ReasonSecretNotOwned, rule: "foreign Secret"},
		{name: "our own pair without its owner reference is adopted", given: []func(*Input){pair(func(p *rotation.Pair) { p.Controlled, p.Orphan = false, true })}, action: rotation.ActionAdopt, rule: "retained"},
		{name: "not again too soon after a failure", given: []func(*Input){pair(func(p *rotation.Pair) { p.Controlled, p.Orphan = false, true }), failed}, action: rotation.ActionWait, reason: v1alpha1.ReasonGitHubUnavailable, rule: "retained", at: now.Add(time.Minute)},
		{name: "a Secret of a former resource is taken hold of", given: []func(*Input){pair(func(p *rotation.Pair) { p.Controlled, p.Owner.UID, p.State.Owner = false, "former", "former" })}, action: rotation.ActionReclaim, rule: "reclaimable"},
		{name: "a Secret of somebody else is not touched", given: []func(*Input){foreign}, action: rotation.ActionBlocked, reason: v1alpha1.ReasonSecretNotOwned, rule: "foreign Secret"},
		{name: "whatever is asked for", given: []func(*Input){foreign, due, request, edit, misplace, deleting}, action: rotation.ActionBlocked, reason: v1alpha1.ReasonSecretNotOwned, rule: "foreign Secret"},

		{name: "a garbled state is computed anew", given: []func(*Input){garble}, action: rotation.ActionRecover, rule: "garbled state"},
		{name: "and so is one that was computed by a write of something else", given: []func(*Input){func(in *Input) {
			in.Pair.State.Incomplete, in.Pair.State.App = true, ""
		}}, action: rotation.ActionRecover, rule: "garbled state"},
		{name: "before the Secret is put back", given: []func(*Input){garble, deleting, misplace}, action: rotation.ActionRecover, rule: "garbled state"},
		{name: "that of somebody else is not", given: []func(*Input){garble, foreign}, action: rotation.ActionBlocked, reason: v1alpha1.ReasonSecretNotOwned, rule: "foreign Secret"},

		{name: "a pair under a former name moves", given: []func(*Input){misplace}, action: rotation.ActionMove, rule: "misplaced"},
		{name: "also while suspended or being deleted", given: []func(*Input){misplace, suspend, deleting}, action: rotation.ActionMove, rule: "misplaced"},
		{name: "not before its intent is settled", given: []func(*Input){misplace, intent("refresh", me)}, action: rotation.ActionResolve, cause: rotation.CauseIntent, spends: "refresh", rule: "intent left"},
		{name: "where there are two they become one before the intent of the former is resolved", given: []func(*Input){misplace, intent("refresh", me), func(in *Input) { in.Duplicate = true }}, action: rotation.ActionMove, rule: "misplaced"},
		{name: "but not while somebody may be at work on it", given: []func(*Input){misplace, intent("refresh", peer), func(in *Input) { in.Duplicate = true }}, action: rotation.ActionWait, reason: v1alpha1.ReasonOutcomeUnknown, rule: "intent left", at: now.Add(rotation.IntentTimeout)},
		{name: "while something is in the way the chain goes on", given: []func(*Input){misplace, due, func(in *Input) { in.MoveNotBefore = now.Add(time.Second) }}, action: rotation.ActionRefresh, cause: rotation.CauseDue, spends: "refresh", rule: "due"},
		{name: "but not where there are two, of which it may be the older", given: []func(*Input){misplace, due, func(in *Input) { in.Duplicate, in.MoveNotBefore = true, now.Add(time.Second) }}, action: rotation.ActionWait, reason: v1alpha1.ReasonExchanging, rule: "misplaced", at: now.Add(time.Second)},

		{name: "a deleted Secret is put back", given: []func(*Input){deleting}, action: rotation.ActionRestore, rule: "lost Secret"},
		{name: "while the API server refuses that the chain goes on where it is", given: []func(*Input){deleting, due, func(in *Input) { in.RestoreNotBefore = now.Add(time.Second) }}, action: rotation.ActionRefresh, cause: rotation.CauseDue, spends: "refresh", rule: "due"},
		{name: "but not beside a backup, which may be the newer", given: []func(*Input){deleting, due, func(in *Input) { in.Backup, in.RestoreNotBefore = true, now.Add(time.Second) }}, action: rotation.ActionRestore, rule: "lost Secret"},
		{name: "an older state is not trusted", given: []func(*Input){rolled, request}, action: rotation.ActionDisown, rule: "rolled back"},
		{name: "nor is it while suspended, or when it is due", given: []func(*Input){rolled, suspend, due}, action: rotation.ActionDisown, rule: "rolled back"},
		{name: "nor with an intent, or another login", given: []func(*Input){rolled, intent("refresh", me), seed("another")}, action: rotation.ActionDisown, rule: "rolled back"},
		{name: "not while somebody may be at work on it", given: []func(*Input){rolled, intent("refresh", peer)}, action: rotation.ActionWait, reason: v1alpha1.ReasonOutcomeUnknown, rule: "rolled back", at: now.Add(rotation.IntentTimeout)},
		{name: "not again too soon after that failed", given: []func(*Input){rolled, failed}, action: rotation.ActionWait, reason: v1alpha1.ReasonGitHubUnavailable, rule: "rolled back", at: now.Add(time.Minute)},
		{name: "that of somebody else is not touched, whatever it was", given: []func(*Input){rolled, foreign}, action: rotation.ActionBlocked, reason: v1alpha1.ReasonSecretNotOwned, rule: "foreign Secret"},
		{name: "a backup is put back", given: []func(*Input){absent, func(in *Input) { in.Backup = true }}, action: rotation.ActionRestore, rule: "lost Secret"},
		{name: "before anything is exchanged", given: []func(*Input){deleting, due, intent("refresh", me), edit}, action: rotation.ActionRestore, rule: "lost Secret"},

		{name: "a Secret that somebody has edited is looked at", given: []func(*Input){edit}, action: rotation.ActionTakeUp, rule: "edited"},
		{name: "before its token is sent", given: []func(*Input){edit, due, intent("refresh", me), suspend}, action: rotation.ActionTakeUp, rule: "edited"},
		{name: "later when it cannot be read", given: []func(*Input){edit, failed}, action: rotation.ActionWait, reason: v1alpha1.ReasonGitHubUnavailable, rule: "edited", at: now.Add(time.Minute)},

		{name: "a login whose person wants its end is revoked, whatever else is due", given: []func(*Input){func(in *Input) { in.RevocationAsked = true }, due, request, suspend}, action: rotation.ActionRevoke, rule: "revocation"},
		{name: "a suspended resource rests", given: []func(*Input){suspend, due, request}, action: rotation.ActionBlocked, reason: v1alpha1.ReasonSuspended, rule: "suspended"},
		{name: "with an intent, too", given: []func(*Input){suspend, intent("refresh", me)}, action: rotation.ActionBlocked, reason: v1alpha1.ReasonSuspended, rule: "suspended"},

		{name: "an intent of this process is resolved", given: []func(*Input){intent("refresh", me)}, action: rotation.ActionResolve, cause: rotation.CauseIntent, spends: "refresh", rule: "intent left"},
		{name: "one of an earlier life of this outbox too", given: []func(*Input){intent("refresh", rotation.Holder{Outbox: "mine", Process: "1"})}, action: rotation.ActionResolve, cause: rotation.CauseIntent, spends: "refresh", rule: "intent left"},
		{name: "another's is left alone while they may be at work", given: []func(*Input){intent("refresh", peer), func(in *Input) { in.IntentSeen = rotation.IntentTimeout - time.Second }}, action: rotation.ActionWait, reason: v1alpha1.ReasonOutcomeUnknown, rule: "intent left", at: now.Add(time.Second)},
		{name: "and resolved when they cannot be any more", given: []func(*Input){intent("refresh", peer), func(in *Input) { in.IntentSeen = rotation.IntentTimeout }}, action: rotation.ActionResolve, cause: rotation.CauseIntent, spends: "refresh", rule: "intent left"},
		{name: "not while this process is at work on it for a former resource", given: []func(*Input){intent("refresh", me), func(in *Input) { in.IntentAtWork, in.IntentSeen = true, time.Hour }}, action: rotation.ActionWait, reason: v1alpha1.ReasonOutcomeUnknown, rule: "intent left", at: now.Add(rotation.IntentTimeout)},
		{name: "nor one of an earlier life that is being replayed", given: []func(*Input){intent("refresh", rotation.Holder{Outbox: "mine", Process: "1"}), func(in *Input) { in.IntentAtWork = true }}, action: rotation.ActionWait, reason: v1alpha1.ReasonOutcomeUnknown, rule: "intent left", at: now.Add(rotation.IntentTimeout)},
		{name: "before a new login is imported", given: []func(*Input){intent("refresh", me), seed("another")}, action: rotation.ActionResolve, cause: rotation.CauseIntent, spends: "refresh", rule: "intent left"},
		{name: "not with another App", given: []func(*Input){intent("refresh", me), func(in *Input) { in.App = other }}, action: rotation.ActionBlocked, reason: v1alpha1.ReasonAppChanged, rule: "changed App", at: now.Add(7 * time.Hour)},
		{name: "not of a pair that is not proven", given: []func(*Input){intent("refresh", me), pair(func(p *rotation.Pair) { p.State.Owner = "former" })}, action: rotation.ActionProve, rule: "unproven pair"},
		{name: "not again too soon", given: []func(*Input){intent("refresh", me), failed}, action: rotation.ActionWait, reason: v1alpha1.ReasonGitHubUnavailable, rule: "intent left", spends: "refresh", cause: rotation.CauseIntent, at: now.Add(time.Minute)},

		{name: "a first login is imported", given: []func(*Input){absent, seed("seed")}, action: rotation.ActionImport, cause: rotation.CauseNewSeed, spends: "seed", rule: "new seed"},
		{name: "a new login wins over the chain", given: []func(*Input){seed("another")}, action: rotation.ActionImport, cause: rotation.CauseNewSeed, spends: "another", rule: "new seed"},
		{name: "and over a verdict, another App and an unproven pair", given: []func(*Input){seed("another"), verdict, pair(func(p *rotation.Pair) { p.State.Owner, p.State.App = "former", other })}, action: rotation.ActionImport, cause: rotation.CauseNewSeed, spends: "another", rule: "new seed"},
		{name: "one that is known is not", given: []func(*Input){seed("seed")}, action: rotation.ActionNone, rule: "due", at: healthy().Policy.DueAt(&healthy().Pair.State)},
		{name: "nor one that is the chain's own token", given: []func(*Input){seed("refresh")}, action: rotation.ActionNone, rule: "due", at: healthy().Policy.DueAt(&healthy().Pair.State)},
		{name: "one that was refused for this App is not", given: []func(*Input){seed("bad"), pair(func(p *rotation.Pair) {
			p.State.Seeds = append(p.State.Seeds, rotation.SeedRecord{Fingerprint: "bad", RefusedFor: app})
		})}, action: rotation.ActionNone, rule: "due", at: healthy().Policy.DueAt(&healthy().Pair.State)},
		{name: "one that was refused for another App is", given: []func(*Input){seed("bad"), pair(func(p *rotation.Pair) {
			p.State.Seeds = append(p.State.Seeds, rotation.SeedRecord{Fingerprint: "bad", RefusedFor: other})
		})}, action: rotation.ActionImport, cause: rotation.CauseNewSeed, spends: "bad", rule: "new seed"},
		{name: "an import that was begun goes on", given: []func(*Input){pair(func(p *rotation.Pair) { p.State.PendingSeed = "pending" })}, action: rotation.ActionImport, cause: rotation.CauseNewSeed, spends: "pending", rule: "new seed"},
		{name: "also where the seed holds another by now, which comes after it", given: []func(*Input){pair(func(p *rotation.Pair) { p.State.PendingSeed = "pending" }), seed("another")}, action: rotation.ActionImport, cause: rotation.CauseNewSeed, spends: "pending", rule: "new seed"},
		{name: "the outcome of a login is found out with the token in the seed", given: []func(*Input){loginLeft, seed("login")}, action: rotation.ActionResolve, cause: rotation.CauseIntent, spends: "login", rule: "intent left"},
		{name: "it is given up when the seed holds another", given: []func(*Input){loginLeft, seed("another")}, action: rotation.ActionGiveUp, rule: "intent left"},
		{name: "or none", given: []func(*Input){loginLeft}, action: rotation.ActionGiveUp, rule: "intent left"},
		{name: "not while somebody may be at work on it", given: []func(*Input){loginLeft, func(in *Input) { in.Pair.Intent.Holder = peer }}, action: rotation.ActionWait, reason: v1alpha1.ReasonOutcomeUnknown, rule: "intent left", at: now.Add(rotation.IntentTimeout)},
		{name: "nor at once after a failure", given: []func(*Input){loginLeft, failed}, action: rotation.ActionWait, reason: v1alpha1.ReasonGitHubUnavailable, rule: "intent left", at: now.Add(time.Minute)},
		{name: "an intent that is said to be a login's and spends the chain's token is the chain's", given: []func(*Input){intent("refresh", me), func(in *Input) { in.Pair.Intent.Login = true }}, action: rotation.ActionResolve, cause: rotation.CauseIntent, spends: "refresh", rule: "intent left"},

		{name: "without a seed there is nothing to work with", given: []func(*Input){absent}, action: rotation.ActionBlocked, reason: rotation.ReasonRefreshTokenMissing, rule: "no pair"},
		{name: "nor in a Secret without tokens", given: []func(*Input){pair(func(p *rotation.Pair) { p.State = rotation.State{Owner: "uid"} })}, action: rotation.ActionBlocked, reason: rotation.ReasonRefreshTokenMissing, rule: "no pair"},
		{name: "a chain of another App is not used", given: []func(*Input){due, func(in *Input) { in.App = other }}, action: rotation.ActionBlocked, reason: v1alpha1.ReasonAppChanged, rule: "changed App", at: now.Add(time.Hour)},
		{name: "nor for a verdict's sake", given: []func(*Input){verdict, func(in *Input) { in.App = other }}, action: rotation.ActionBlocked, reason: v1alpha1.ReasonAppChanged, rule: "changed App", at: now.Add(7 * time.Hour)},
		{name: "a token that was refused once is presented once more", given: []func(*Input){refused("refresh", now)}, action: rotation.ActionRefresh, cause: rotation.CauseAgain, spends: "refresh", rule: "refused once"},
		{name: "not before it is time", given: []func(*Input){refused("refresh", now.Add(time.Minute))}, action: rotation.ActionBlocked, reason: rotation.ReasonRefreshTokenRejected, rule: "condemned", at: now.Add(time.Minute)},
		{name: "earlier when a person asks", given: []func(*Input){refused("refresh", now.Add(time.Minute)), request}, action: rotation.ActionRefresh, cause: rotation.CauseAgain, spends: "refresh", rule: "refused once"},
		{name: "not when they had asked before it was refused", given: []func(*Input){refused("refresh", now.Add(time.Minute)), func(in *Input) { in.RefreshRequestedAt = "before" }}, action: rotation.ActionBlocked, reason: rotation.ReasonRefreshTokenRejected, rule: "condemned", at: now.Add(time.Minute)},
		{name: "and when the time was written by a clock that was ahead", given: []func(*Input){refused("refresh", now.Add(6*time.Hour))}, action: rotation.ActionRefresh, cause: rotation.CauseAgain, spends: "refresh", rule: "refused once"},
		{name: "not when another clock, or this one since it was asked, is a little later", given: []func(*Input){refused("refresh", now.Add(rotation.AgainAfter+time.Second))}, action: rotation.ActionBlocked, reason: rotation.ReasonRefreshTokenRejected, rule: "condemned", at: now.Add(rotation.AgainAfter + time.Second)},
		{name: "not after it was presented once more", given: []func(*Input){refused("refresh", time.Time{}), request}, action: rotation.ActionBlocked, reason: rotation.ReasonRefreshTokenRejected, rule: "condemned", at: now.Add(7 * time.Hour)},
		{name: "not while the last failure is too recent", given: []func(*Input){refused("refresh", now), failed}, action: rotation.ActionBlocked, reason: rotation.ReasonRefreshTokenRejected, rule: "condemned", at: now.Add(time.Minute)},
		{name: "not for another reason", given: []func(*Input){refused("refresh", now), pair(func(p *rotation.Pair) { p.State.Verdict.Reason = rotation.ReasonReplyLost })}, action: rotation.ActionBlocked, reason: rotation.ReasonReplyLost, rule: "condemned", at: now.Add(7 * time.Hour)},
		{name: "a first login that was refused once too", given: []func(*Input){refused("seed", now), seed("seed")}, action: rotation.ActionImport, cause: rotation.CauseAgain, spends: "seed", rule: "refused once"},
		{name: "not when the seed holds another", given: []func(*Input){refused("seed", now)}, action: rotation.ActionBlocked, reason: rotation.ReasonRefreshTokenRejected, rule: "condemned"},
		{name: "a login beside a chain too", given: []func(*Input){seedRefused, seed("another")}, action: rotation.ActionImport, cause: rotation.CauseAgain, spends: "another", rule: "refused once"},
		{name: "a condemned token waits for a person", given: []func(*Input){due, verdict, request}, action: rotation.ActionBlocked, reason: rotation.ReasonReplyLost, rule: "condemned", at: now.Add(time.Hour)},
		{name: "and is not looked at again for an access token that has expired", given: []func(*Input){expired, verdict}, action: rotation.ActionBlocked, reason: rotation.ReasonReplyLost, rule: "condemned"},
		{name: "nor is one of another App", given: []func(*Input){expired, pair(func(p *rotation.Pair) { p.State.App = other })}, action: rotation.ActionBlocked, reason: v1alpha1.ReasonAppChanged, rule: "changed App"},
		{name: "a token that never expires is left alone", given: []func(*Input){request, pair(func(p *rotation.Pair) { p.State.RefreshToken, p.State.ExpiresAt = "", time.Time{} })}, action: rotation.ActionNone, rule: "never expires"},

		{name: "a request is honoured", given: []func(*Input){request}, action: rotation.ActionRefresh, cause: rotation.CauseRequested, spends: "refresh", rule: "requested"},
		{name: "once", given: []func(*Input){request, pair(func(p *rotation.Pair) { p.State.RefreshRequestedAt = "now" })}, action: rotation.ActionNone, rule: "due", at: healthy().Policy.DueAt(&healthy().Pair.State)},
		{name: "before what is due", given: []func(*Input){request, due}, action: rotation.ActionRefresh, cause: rotation.CauseRequested, spends: "refresh", rule: "requested"},
		{name: "without an access token a pair is got", given: []func(*Input){tokenless}, action: rotation.ActionRefresh, cause: rotation.CauseNoToken, spends: "refresh", rule: "without token"},
		{name: "what is due is exchanged", given: []func(*Input){due}, action: rotation.ActionRefresh, cause: rotation.CauseDue, spends: "refresh", rule: "due"},
		{name: "not again too soon after a failed exchange", given: []func(*Input){due, failed}, action: rotation.ActionWait, reason: v1alpha1.ReasonGitHubUnavailable, rule: "due", spends: "refresh", cause: rotation.CauseDue, at: now.Add(time.Minute)},
		{name: "and then again", given: []func(*Input){due, failed, func(in *Input) { in.Failure.RetryAt = now }}, action: rotation.ActionRefresh, cause: rotation.CauseDue, spends: "refresh", rule: "due"},
		{name: "the monotonic clock counts when it says earlier", given: []func(*Input){func(in *Input) { in.ExpiresIn = new(time.Minute) }}, action: rotation.ActionRefresh, cause: rotation.CauseDue, spends: "refresh", rule: "due"},
		{name: "and not when it says later", given: []func(*Input){due, func(in *Input) { in.ExpiresIn = new(100 * time.Hour) }}, action: rotation.ActionRefresh, cause: rotation.CauseDue, spends: "refresh", rule: "due"},
		{name: "a token that GitHub has ended is replaced at once", given: []func(*Input){pair(func(p *rotation.Pair) { p.State.AccessTokenEnded = true })}, action: rotation.ActionRefresh, cause: rotation.CauseEnded, spends: "refresh", rule: "due"},
		{name: "once an hour at most", given: []func(*Input){pair(func(p *rotation.Pair) { p.State.AccessTokenEnded, p.State.RenewedAt = true, now.Add(-time.Minute) })}, action: rotation.ActionWait, reason: v1alpha1.ReasonAccessTokenEnded, rule: "due", at: now.Add(59 * time.Minute)},
	} {
		t.Run(test.name, func(t *testing.T) {
			in := healthy()
			for _, change := range test.given {
				change(&in)
			}
			got := Decide(in)
			decided = append(decided, got.Rule)
			if got.Action != test.action || got.Cause != test.cause || reasonOf(got) != test.reason || got.Spends != test.spends || got.Rule != test.rule {
				t.Errorf("got action %d for %q, reason %q, spending %q, by rule %q; want %d, %q, %q, %q, %q",
					got.Action, got.Cause, reasonOf(got), got.Spends, got.Rule, test.action, test.cause, test.reason, test.spends, test.rule)
			}
			if !got.At.Equal(test.at) {
				t.Errorf("looks again at %v, want %v", got.At, test.at)
			}
			if got.Action == rotation.ActionBlocked && got.Problem == nil || got.Action == rotation.ActionWait && (got.Problem == nil || got.At.IsZero()) {
				t.Errorf("nothing is done, and nothing is said: %+v", got)
			}
		})
	}
	t.Run("every rule decides in some row", func(t *testing.T) {
		for _, rule := range rules {
			if !slices.Contains(decided, rule.name) {
				t.Errorf("no row for the rule %q", rule.name)
			}
		}
	})
}

// The order is the product: a change of it is a change of what is safe.
func TestDecideRulesStandInTheirOrder(t *testing.T) {
	var names []string
	for _, rule := range rules {
		names = append(names, rule.name)
	}
	want := []string{
		"newer format", "retained", "reclaimable", "foreign Secret", "garbled state", "misplaced", "lost Secret", "edited", "rolled back", "revocation", "suspended",
		"intent left", "new seed", "web login", "no pair", "unproven pair", "changed App", "refused once", "condemned", "never expires", "requested", "without token", "due",
	}
	if !slices.Equal(names, want) {
		t.Errorf("the rules stand in the order %q", names)
	}
}
