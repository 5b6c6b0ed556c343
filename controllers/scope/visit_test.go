package scope

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation/origin"
)

func TestVisitEndsSoonAfterItsLoginAndNothingElseDoes(t *testing.T) {
	now := time.Date(2027, 2, 3, 12, 0, 0, 0, time.UTC)
	since := func(ago time.Duration) func(*Scope) {
		return func(s *Scope) { s.Pair.State.Login = &origin.Login{First: "first", At: now.Add(-ago)} }
	}
	for name, c := range map[string]struct {
		changes []func(*Scope)
		ends    time.Duration // from now on; none where it does not
		none    bool
	}{
		"logged in a moment ago":                  {changes: []func(*Scope){since(time.Second)}, ends: 3*time.Minute - time.Second},
		"logged in, and left":                     {changes: []func(*Scope){since(3 * time.Minute)}, ends: 0},
		"logged in at a time that is not known":   {changes: []func(*Scope){func(s *Scope) { s.Pair.State.Login = &origin.Login{First: "first"} }}, ends: 15 * time.Minute},
		"by a login that is not known":            {ends: 15 * time.Minute},
		"by a clock that was ahead":               {changes: []func(*Scope){since(-time.Hour)}, ends: 15 * time.Minute},
		"with a refresh token alone":              {changes: []func(*Scope){since(0), func(s *Scope) { s.Pair.State.AccessToken = "" }}, ends: 3 * time.Minute},
		"with an access token alone":              {changes: []func(*Scope){since(0), func(s *Scope) { s.Pair.State.RefreshToken = "" }}, ends: 3 * time.Minute},
		"without a token":                         {changes: []func(*Scope){since(time.Hour), func(s *Scope) { s.Pair.State.AccessToken, s.Pair.State.RefreshToken = "", "" }}, none: true},
		"without a Secret":                        {changes: []func(*Scope){func(s *Scope) { s.Pair = nil }}, none: true},
		"with a Secret of somebody else":          {changes: []func(*Scope){since(time.Hour), func(s *Scope) { s.Pair.Controlled = false }}, none: true},
		"a resource that is no visit":             {changes: []func(*Scope){since(time.Hour), func(s *Scope) { s.App.OfVisit = false }}, none: true},
		"a visit whose App may not be used (now)": {changes: []func(*Scope){since(time.Hour), func(s *Scope) { s.App.Visit = false }}, ends: -57 * time.Minute},
	} {
		s := &Scope{
			Token: &v1alpha1.GitHubUserToken{ObjectMeta: metav1.ObjectMeta{CreationTimestamp: metav1.NewTime(now.Add(-5 * time.Minute))}},
			App:   App{OfVisit: true, Visit: true}, Now: now,
			Pair: &rotation.Pair{Controlled: true, State: rotation.State{AccessToken: "access", RefreshToken: "refresh"}},
		}
		for _, change := range c.changes {
			change(s)
		}
		at := s.VisitEndsAt()
		if at.IsZero() != c.none || !c.none && !at.Equal(now.Add(c.ends)) {
			t.Errorf("%s: it ends at %s", name, at)
		}
		if left := !c.none && c.ends <= 0; s.IsLeftVisit() != left {
			t.Errorf("%s: it was left: %t", name, !left)
		}
	}
}
