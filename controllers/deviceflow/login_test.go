package deviceflow

import (
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/scope"
	"github.com/githubusertoken/github-user-token-operator/controllers/words"
	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/problem"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation/rules"
)

const testUID = "8b1c7f2e-0000-4000-8000-000000000001"

// healthy is a resource with the device flow and a good pair, an eighth of whose life is over.
func healthy() *scope.Scope {
	token := &v1alpha1.GitHubUserToken{
		ObjectMeta: metav1.ObjectMeta{Namespace: "team-a", Name: "octocat", UID: testUID, Generation: 3},
		Spec: v1alpha1.GitHubUserTokenSpec{
			App:   v1alpha1.App{Host: "github.com", ClientID: "Iv23liEXAMPLE"},
			Login: &v1alpha1.Login{Methods: []v1alpha1.LoginMethod{v1alpha1.LoginMethodDeviceFlow}},
		},
	}
	owner := scope.OwnerOf(token)
	pair := &rotation.Pair{
		Ref: scope.PairRefOf(token), Owner: owner, UID: "secret", Version: "7", Controlled: true,
		State: rotation.State{
			Owner: testUID, App: testApp, RefreshCount: 4,
			AccessToken: credential.NewAccessToken("access").Fingerprint(), RefreshToken: credential.NewRefreshToken("refresh").Fingerprint(),
			IssuedAt: epoch.Add(-time.Hour), ExpiresAt: epoch.Add(7 * time.Hour), RefreshTokenExpiresAt: epoch.Add(4000 * time.Hour),
			User: &rotation.User{Login: "octocat", ID: 583231},
		},
	}
	return &scope.Scope{
		Token: token, Owner: owner, Ref: pair.Ref, Pair: pair, Now: epoch,
		Input: rules.Input{Owner: owner, App: testApp, Pair: pair, Now: epoch},
	}
}

// nobodyLoggedIn is a resource with nothing but the device flow.
func nobodyLoggedIn(s *scope.Scope) { s.Pair, s.Input.Pair = nil, nil }

func condemned(s *scope.Scope) {
	s.Pair.State.Verdict = &rotation.Verdict{Reason: v1alpha1.ReasonRefreshTokenRejected, Fingerprint: s.Pair.State.RefreshToken}
}

func pinned(login string, id int64) func(*scope.Scope) {
	return func(s *scope.Scope) { s.Token.Spec.User = &v1alpha1.UserSelector{Login: login, ID: id} }
}

func expired(s *scope.Scope) {
	s.Now = s.Pair.State.ExpiresAt
	s.Input.Now = s.Now
}

func TestDeviceFlowLoginNeeded(t *testing.T) {
	blocked := &problem.Problem{Reason: "What status says otherwise"}
	access := string(credential.NewAccessToken("access").Fingerprint())
	refresh := string(credential.NewRefreshToken("refresh").Fingerprint())
	for name, c := range map[string]struct {
		change  func(*scope.Scope)
		blocked *problem.Problem
		// need is what is stored with a code; empty when no login is needed. A change of it begins all series anew
		// after an update of the operator.
		need    string
		cause   string
		without string // a reason
	}{
		"a good chain needs none":      {},
		"nobody has logged in yet":     {change: nobodyLoggedIn, blocked: blocked, need: "NoSeed", without: blocked.Reason},
		"a Secret without a token yet": {change: func(s *scope.Scope) { s.Pair.State = rotation.State{Owner: testUID, App: testApp} }, blocked: blocked, need: "NoSeed", without: blocked.Reason},
		"the seed cannot be used, so a code is the way": {
			change: func(s *scope.Scope) {
				nobodyLoggedIn(s)
				s.Seed.Problem = &problem.Problem{Message: "There is no Secret \"octocat-seed\"."}
			},
			blocked: blocked, need: "NoSeed", cause: "Or provide a refresh token instead. There is no Secret \"octocat-seed\".", without: blocked.Reason,
		},
		"GitHub refused the refresh token": {
			change: condemned, blocked: blocked, need: "Verdict/RefreshTokenRejected/" + refresh,
			cause: words.Verdict(v1alpha1.ReasonRefreshTokenRejected), without: blocked.Reason,
		},
		"the pair is another App's": {
			change: func(s *scope.Scope) { s.Pair.State.App = "github.com/another" }, blocked: blocked, need: "AppChanged",
			cause: words.Verdict(v1alpha1.ReasonAppChanged), without: blocked.Reason,
		},
		"the pair was restored from elsewhere and GitHub does not accept it": {
			change:  func(s *scope.Scope) { s.Pair.State.Owner, s.Input.Proof = "former", rules.ProofDead },
			blocked: blocked, need: "Unproven/" + access, cause: "restored from elsewhere", without: blocked.Reason,
		},
		"a restored pair may yet be proven": {change: func(s *scope.Scope) { s.Pair.State.Owner = "former" }},
		"who is suspended is left in peace": {change: func(s *scope.Scope) { condemned(s); s.Input.Suspended = true }, blocked: blocked},
		"a Secret of somebody else": {change: func(s *scope.Scope) {
			s.Pair.Controlled, s.Pair.State = false, rotation.State{}
		}, blocked: blocked},
		"an exchange is to be made later": {change: func(s *scope.Scope) { s.Pair.State.AccessTokenEnded, s.Pair.State.RenewedAt = true, epoch }, blocked: blocked},
		"an exchange is due":              {change: func(s *scope.Scope) { pinned("hubot", 0)(s); expired(s) }},
		"the pair belongs to another account": {
			change: pinned("hubot", 0), need: "AnotherUser", cause: "belongs to octocat (id 583231)", without: v1alpha1.ReasonWrongUser,
		},
		"or to another id":                        {change: pinned("", 1), need: "AnotherUser", cause: "octocat", without: v1alpha1.ReasonWrongUser},
		"or to an account that took the login":    {change: pinned("octocat", 1), need: "AnotherUser", cause: "octocat", without: v1alpha1.ReasonWrongUser},
		"a login in other letters is the account": {change: pinned("OctoCat", 583231)},
		"whose a pair is may not be known": {change: func(s *scope.Scope) {
			pinned("hubot", 0)(s)
			s.Pair.State.User = nil
		}},
		"the account can wait where something else is wrong": {change: pinned("hubot", 0), blocked: blocked},
		"the last access token has expired": {
			change: func(s *scope.Scope) { s.Pair.State.RefreshToken = ""; expired(s) },
			need:   "NoRefreshToken/" + access, cause: "has expired, and there is no refresh token", without: v1alpha1.ReasonRefreshTokenNotIssued,
		},
		"it lives on": {
			change: func(s *scope.Scope) { s.Pair.State.RefreshToken = "" },
			need:   "NoRefreshToken/" + access, cause: "ends at 2026-03-04T09:00:00Z, and there is no refresh token", without: v1alpha1.ReasonRefreshTokenNotIssued,
		},
		"nobody knows whether there was a refresh token": {
			change: func(s *scope.Scope) { s.Pair.State.RefreshToken, s.Pair.State.Incomplete = "", true },
			need:   "NoRefreshToken/" + access, cause: "ends at", without: v1alpha1.ReasonRefreshTokenMissing,
		},
		"it never dies":  {change: func(s *scope.Scope) { s.Pair.State.RefreshToken, s.Pair.State.ExpiresAt = "", time.Time{} }},
		"a lost Secret":  {change: func(s *scope.Scope) { nobodyLoggedIn(s); s.Input.Backup = true }},
		"a seed is here": {change: func(s *scope.Scope) { nobodyLoggedIn(s); s.Input.Seed = "seed" }},
	} {
		t.Run(name, func(t *testing.T) {
			s := healthy()
			if c.change != nil {
				c.change(s)
			}
			why := loginNeeded(s, rules.Decide(s.Input), c.blocked)
			if why == nil || c.need == "" {
				if why != nil || c.need != "" {
					t.Errorf("got %+v, want %q", why, c.need)
				}
				return
			}
			if why.need != c.need || !strings.Contains(why.cause, c.cause) || (c.cause == "" && why.cause != "") {
				t.Errorf("need %q, cause %q; want %q, %q", why.need, why.cause, c.need, c.cause)
			}
			if why.without == nil || why.without.Reason != c.without {
				t.Errorf("without a device flow %+v is shown", why.without)
			}
		})
	}
}

func TestDeviceFlowWrongUser(t *testing.T) {
	s := healthy()
	if WrongUser(s) != nil {
		t.Error("any account will do")
	}
	pinned("hubot", 0)(s)
	wrong := WrongUser(s)
	if wrong == nil || !wrong.Aside || !wrong.Stalled || !wrong.Unauthorized {
		t.Fatalf("got %+v", wrong)
	}
	for _, part := range []string{"octocat (id 583231)", "still refreshed", "correct spec.user", words.WhatToDo(s.Token)} {
		if !strings.Contains(wrong.Message, part) {
			t.Errorf("it does not say %q: %s", part, wrong.Message)
		}
	}
	s.Pair.Controlled = false
	if WrongUser(s) != nil {
		t.Error("it speaks of somebody else's Secret")
	}
}

// What is stored with a code must not change between versions: all series would begin anew.
func TestDeviceFlowPurpose(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*scope.Scope)
		want   string
	}{
		"anybody":        {func(*scope.Scope) {}, testApp + " anybody NoSeed"},
		"a login":        {pinned("octocat", 0), testApp + " octocat#0 NoSeed"},
		"login and id":   {pinned("octocat", 583231), testApp + " octocat#583231 NoSeed"},
		"the id of some": {pinned("", 583231), testApp + " #583231 NoSeed"},
	} {
		t.Run(name, func(t *testing.T) {
			s := healthy()
			c.change(s)
			if got := seenOf(s, &login{need: "NoSeed"}).purpose; got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}
