package revokerequest

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/scope"
	"github.com/githubusertoken/github-user-token-operator/controllers/words"
	"github.com/githubusertoken/github-user-token-operator/internal/backoff"
	"github.com/githubusertoken/github-user-token-operator/internal/memory"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation/origin"
)

var now = time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)

func aToken() *v1alpha1.GitHubUserToken {
	return &v1alpha1.GitHubUserToken{ObjectMeta: metav1.ObjectMeta{Namespace: "team-a", Name: "octocat", UID: "uid", Annotations: map[string]string{}}}
}

func aPair() *rotation.Pair {
	return &rotation.Pair{
		Owner: rotation.Owner{Namespace: "team-a", Name: "octocat", UID: "uid"}, Controlled: true,
		State: rotation.State{
			Owner: "uid", App: "GitHub.com/Iv23li", AccessToken: "access", RefreshToken: "refresh",
			User: &rotation.User{Login: "octocat", ID: 583231}, Login: &origin.Login{First: "first", At: now},
		},
	}
}

func TestRevocationRequestIsForOneAccountAndOneLogin(t *testing.T) {
	told := reportOf("uid", aPair())
	if told.Account != "github.com/583231" || len(told.ID) != 20 || !told.Time.Time.Equal(now) || strings.Contains(told.ID, "first") {
		t.Fatalf("what is told of the login is %+v", told)
	}
	value := told.Account + " " + told.ID
	for name, c := range map[string]struct {
		value string
		pair  func(*rotation.Pair)
		asked bool
	}{
		"this login":                          {value, nil, true},
		"this login, refreshed since":         {value, func(p *rotation.Pair) { p.State.AccessToken, p.State.RefreshToken = "next", "next" }, true},
		"nothing":                             {"", nil, false},
		"another account":                     {"github.com/1 " + told.ID, nil, false},
		"an account of another host":          {"ghe.example.com/583231 " + told.ID, nil, false},
		"another login":                       {told.Account + " 0123456789", nil, false},
		"no login":                            {told.Account + " ", nil, false},
		"an account alone":                    {told.Account, nil, false},
		"with more after it":                  {value + " ", nil, false},
		"a later login":                       {value, func(p *rotation.Pair) { p.State.Login = &origin.Login{First: "later"} }, false},
		"a later login that is pasted":        {value, func(p *rotation.Pair) { p.State.Login = &origin.Login{First: "pasted"}; p.State.User = nil }, false},
		"a pair of nobody known":              {value, func(p *rotation.Pair) { p.State.User = nil }, false},
		"a pair of somebody else's":           {value, func(p *rotation.Pair) { p.State.User.ID = 1 }, false},
		"a pair that is not proven":           {value, func(p *rotation.Pair) { p.State.Owner = "former" }, false},
		"a Secret of somebody else":           {value, func(p *rotation.Pair) { p.Controlled = false }, false},
		"the pair of a resource that is gone": {value, func(p *rotation.Pair) { p.Owner.UID, p.State.Owner = "other", "other" }, false},
	} {
		token, pair := aToken(), aPair()
		token.Annotations[v1alpha1.AnnotationRevocationRequested] = c.value
		// What others may have written into the status does not count.
		token.Status.Login = &v1alpha1.LoginReport{Account: told.Account, ID: told.ID}
		if c.pair != nil {
			c.pair(pair)
		}
		if got := IsAsked(token, pair); got != c.asked {
			t.Errorf("%s: %t", name, got)
		}
	}
	if again := reportOf("another", aPair()); again != nil {
		t.Errorf("it is told of a resource that it is not of: %+v", again)
	}
}

func TestRevocationRequestGoesBeforeTheDeletionPolicy(t *testing.T) {
	told := reportOf("uid", aPair())
	value := told.Account + " " + told.ID
	open := func(p *rotation.Pair) { p.State.Login = p.State.Login.Asked(now) }
	for name, c := range map[string]struct {
		value  string
		pair   func(*rotation.Pair)
		policy v1alpha1.DeletionPolicy
	}{
		"nobody asks":               {"", nil, v1alpha1.DeletionPolicyRetain},
		"asked for":                 {value, nil, v1alpha1.DeletionPolicyRevoke},
		"taken down":                {"", open, v1alpha1.DeletionPolicyRevoke},
		"has ended":                 {value, func(p *rotation.Pair) { open(p); p.State.Login = p.State.Login.Ended("access", "refresh", true) }, v1alpha1.DeletionPolicyRetain},
		"asked for another account": {"github.com/1 " + told.ID, nil, v1alpha1.DeletionPolicyRetain},
		"of another resource":       {"", func(p *rotation.Pair) { open(p); p.Owner.UID = "other" }, v1alpha1.DeletionPolicyRetain},
	} {
		token, pair := aToken(), aPair()
		token.Spec.DeletionPolicy = v1alpha1.DeletionPolicyRetain
		token.Annotations[v1alpha1.AnnotationRevocationRequested] = c.value
		if c.pair != nil {
			c.pair(pair)
		}
		if got := Deletion(token, []*rotation.Pair{nil, pair}).Spec.DeletionPolicy; got != c.policy || token.Spec.DeletionPolicy != v1alpha1.DeletionPolicyRetain {
			t.Errorf("%s: %s", name, got)
		}
	}
}

func TestRevocationRequestIsToldOfAsFarAsItHasCome(t *testing.T) {
	told := reportOf("uid", aPair())
	value := told.Account + " " + told.ID
	open := func(p *rotation.Pair) { p.State.Login = p.State.Login.Asked(now) }
	end := func(revoked bool) func(*rotation.Pair) {
		return func(p *rotation.Pair) { p.State.Login = p.State.Login.Asked(now).Ended("access", "refresh", revoked) }
	}
	for name, c := range map[string]struct {
		value string
		pair  func(*rotation.Pair)
		want  v1alpha1.LoginRevocation
	}{
		"nobody asks":                             {"", nil, ""},
		"another login is asked for":              {told.Account + " 0123456789", nil, ""},
		"asked for":                               {value, nil, v1alpha1.LoginRevocationAsked},
		"taken down":                              {value, open, v1alpha1.LoginRevocationRevoking},
		"taken down, and the wish is gone":        {"", open, v1alpha1.LoginRevocationRevoking},
		"GitHub has ended it":                     {value, end(true), v1alpha1.LoginRevocationRevoked},
		"GitHub could not be brought to":          {value, end(false), v1alpha1.LoginRevocationGivenUp},
		"it has ended, and a pair came late":      {value, func(p *rotation.Pair) { end(true)(p); p.State.AccessToken = "late" }, v1alpha1.LoginRevocationRevoking},
		"it has ended, and its tokens are gone":   {value, func(p *rotation.Pair) { end(true)(p); p.State.AccessToken, p.State.RefreshToken = "", "" }, v1alpha1.LoginRevocationRevoked},
		"its tokens were gone before it was over": {value, func(p *rotation.Pair) { open(p); p.State.AccessToken, p.State.RefreshToken = "", "" }, v1alpha1.LoginRevocationGivenUp},
	} {
		token, pair := aToken(), aPair()
		token.Annotations[v1alpha1.AnnotationRevocationRequested] = c.value
		if c.pair != nil {
			c.pair(pair)
		}
		if got := Report(&scope.Scope{Token: token, Pair: pair}); got == nil || got.Revocation != c.want || got.ID != told.ID {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// What is remembered of a revocation that has not succeeded is nothing to the login that has taken its place, which is not asked about.
func TestRevocationRequestIsForgottenWithItsLogin(t *testing.T) {
	store, clock := memory.NewStore(), &stopped{}
	for name, change := range map[string]func(*rotation.Pair){
		"replaced": func(p *rotation.Pair) { p.State.Login = (origin.Login{First: "later"}).Asked(now) },
		"ended":    func(p *rotation.Pair) { p.State.Login = p.State.Login.Ended("access", "refresh", true) },
	} {
		left := 0
		r := New(Options{Memory: store, Clock: clock, Leave: func(types.UID) { left++ }})
		pair := aPair()
		pair.State.Login = pair.State.Login.Asked(now)
		s := &scope.Scope{Token: aToken(), Pair: pair, Now: now}
		r.fail("uid", "first", "why", backoff.Backoff{First: time.Minute, Max: time.Minute})
		if r.Acknowledge(s); r.recall(s).failures != 1 || left != 0 {
			t.Errorf("%s: while it is open it was forgotten", name)
		}
		change(pair)
		if r.Acknowledge(s); r.recall(s).failures != 0 || left != 1 {
			t.Errorf("%s: it is remembered, or its turn was given up %d times", name, left)
		}
	}
}

// stopped is a clock that stands.
type stopped struct{ rotation.Clock }

func (stopped) Now() time.Time           { return now }
func (stopped) Monotonic() time.Duration { return 0 }

func TestRevocationRequestOfALoginThatWasReplacedIsToldOnce(t *testing.T) {
	pair := aPair()
	events := &counted{}
	r := New(Options{Memory: memory.NewStore(), Clock: &stopped{}, Leave: func(types.UID) {}, Events: events})
	s := &scope.Scope{Token: aToken(), Owner: rotation.Owner{UID: "uid"}, Pair: pair, Now: now}
	r.Acknowledge(s)
	if len(events.notes) != 0 {
		t.Fatalf("told is %q of a login that has replaced none", events.notes)
	}
	pair.State.Login.Unended = true
	r.Acknowledge(s)
	r.Acknowledge(s)
	if len(events.notes) != 1 || !strings.Contains(events.notes[0], "https://github.com/settings/apps/authorizations") {
		t.Errorf("told is %q", events.notes)
	}
	later := New(Options{Memory: memory.NewStore(), Clock: &stopped{}, Leave: func(types.UID) {}, Events: events})
	s.Now = now.Add(toldFor + time.Second)
	if later.Acknowledge(s); len(events.notes) != 1 {
		t.Errorf("told is %q of one of long ago", events.notes)
	}
}

// The tokens of a login that is to end may go before GitHub has ended them: by another login that somebody puts into the Secret, or by an empty one.
func TestRevocationRequestWhoseTokensAreGoneIsToldOnce(t *testing.T) {
	open := func(p *rotation.Pair) { p.State.Login = p.State.Login.Asked(now) }
	empty := func(p *rotation.Pair) { p.State.AccessToken, p.State.RefreshToken = "", "" }
	end := func(p *rotation.Pair) { p.State.Login = p.State.Login.Ended("access", "refresh", true) }
	for name, c := range map[string]struct {
		pair []func(*rotation.Pair)
		says string
	}{
		"nobody has asked":                      {[]func(*rotation.Pair){empty}, ""},
		"taken down":                            {[]func(*rotation.Pair){open}, ""},
		"taken down, and a refresh token left":  {[]func(*rotation.Pair){open, func(p *rotation.Pair) { p.State.AccessToken = "" }}, ""},
		"taken down, and an access token left":  {[]func(*rotation.Pair){open, func(p *rotation.Pair) { p.State.RefreshToken = "" }}, ""},
		"taken down, and they were taken out":   {[]func(*rotation.Pair){open, empty}, "were taken out of the pair Secret before GitHub had ended them"},
		"GitHub has ended them, and then":       {[]func(*rotation.Pair){open, end, empty}, ""},
		"they were taken out a long time ago":   {[]func(*rotation.Pair){func(p *rotation.Pair) { p.State.Login = p.State.Login.Asked(now.Add(-8 * 24 * time.Hour)) }, empty}, ""},
		"another login has taken its place":     {[]func(*rotation.Pair){func(p *rotation.Pair) { p.State.Login.Unended = true }}, "Another login has taken the place of one whose end was asked for"},
		"that one is to end, and was taken out": {[]func(*rotation.Pair){func(p *rotation.Pair) { p.State.Login.Unended = true }, open, empty}, "were taken out of the pair Secret"},
	} {
		events, pair := &counted{}, aPair()
		for _, change := range c.pair {
			change(pair)
		}
		r := New(Options{Memory: memory.NewStore(), Clock: &stopped{}, Leave: func(types.UID) {}, Events: events})
		s := &scope.Scope{Token: aToken(), Owner: rotation.Owner{UID: "uid"}, Pair: pair, Now: now}
		r.Acknowledge(s)
		r.Acknowledge(s)
		switch {
		case c.says == "" && len(events.notes) == 0:
		case c.says == "" || len(events.notes) != 1 || !strings.Contains(events.notes[0], c.says) || !strings.Contains(events.notes[0], "https://github.com/settings/apps/authorizations"):
			t.Errorf("%s: told is %q", name, events.notes)
		}
	}
}

// A visit of the login page ends for another reason than in the name of its account, and says so.
func TestRevocationOfALeftVisitIsWantedAndSaysWhy(t *testing.T) {
	visit := func() *scope.Scope {
		pair := aPair()
		pair.State.Login.At = now.Add(-time.Hour)
		return &scope.Scope{Token: aToken(), Owner: rotation.Owner{UID: "uid"}, App: scope.App{OfVisit: true}, Pair: pair, Now: now}
	}
	if s := visit(); !IsWanted(s) || Report(s).Revocation != v1alpha1.LoginRevocationAsked {
		t.Errorf("of a visit that was left it is said %+v", Report(s))
	}
	s := visit()
	if s.App.OfVisit = false; IsWanted(s) || Report(s).Revocation != "" {
		t.Errorf("of any other resource it is said %+v", Report(s))
	}
	for name, c := range map[string]struct {
		visit, known bool
		says, not    string
	}{
		"a visit":                         {true, true, "This is a visit of the login page", v1alpha1.AnnotationRevocationRequested},
		"a visit of nobody that is known": {true, false, "This is a visit of the login page", v1alpha1.AnnotationRevocationRequested},
		"in the name of an account":       {false, true, "in the name of octocat (id 583231), by the annotation " + v1alpha1.AnnotationRevocationRequested, "visit"},
	} {
		events, s := &counted{}, visit()
		if s.App.OfVisit = c.visit; !c.known {
			s.Pair.State.User = nil
		}
		r := New(Options{Memory: memory.NewStore(), Clock: &stopped{}, Leave: func(types.UID) {}, Events: events, Remember: func(types.UID, *rotation.Pair) {}, Amender: agreeing{}})
		if step, err := r.Advance(t.Context(), s); err != nil || !step.Again {
			t.Errorf("%s: %+v, %v", name, step, err)
		}
		if len(events.notes) != 1 || !strings.Contains(events.notes[0], c.says) || strings.Contains(events.notes[0], c.not) {
			t.Errorf("%s: told is %q", name, events.notes)
		}
		if p := revoking(s, "why", now); strings.HasPrefix(p.Message, words.VisitLeft) != c.visit || strings.HasPrefix(p.Message, words.RevocationAsked) == c.visit {
			t.Errorf("%s: meanwhile it is said %q", name, p.Message)
		}
	}
}

// agreeing writes down whatever it is asked to.
type agreeing struct{}

func (agreeing) AskRevocation(_ context.Context, _ rotation.Owner, seen *rotation.Pair) (*rotation.Pair, bool, error) {
	return seen, true, nil
}

func (agreeing) EndRevocation(_ context.Context, _ rotation.Owner, read *rotation.Pair, _ bool) (*rotation.Pair, bool, error) {
	return read, true, nil
}

// counted are the notes of events.
type counted struct{ notes []string }

func (c *counted) Eventf(_, _ runtime.Object, _, _, _, note string, args ...any) {
	c.notes = append(c.notes, fmt.Sprintf(note, args...))
}
