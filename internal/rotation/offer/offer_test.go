package offer

import (
	"context"
	"errors"
	"testing"

	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/github"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation/weblogin"
)

var errNoReply = errors.New("the API server did not answer")

// shelf is a Store of one Secret and one verifier, whose writes answer as the fields say.
type shelf struct {
	rotation.Store

	pair                    *rotation.Pair
	verifier                credential.CodeVerifier
	storeErr, keepErr       error
	storesDespite, keepsToo bool
	steps                   []string
}

func (s *shelf) write(pair *rotation.Pair) (*rotation.Pair, error) {
	s.steps = append(s.steps, "state")
	if s.storeErr == nil || s.storesDespite {
		s.pair = pair
	}
	if s.storeErr != nil {
		return nil, s.storeErr
	}
	return pair, nil
}

func (s *shelf) Create(_ context.Context, pair *rotation.Pair) (*rotation.Pair, error) {
	return s.write(pair)
}

func (s *shelf) Update(_ context.Context, _, next *rotation.Pair) (*rotation.Pair, error) {
	return s.write(next)
}

func (s *shelf) Get(context.Context, rotation.Ref) (*rotation.Pair, error) {
	if s.pair == nil {
		return nil, rotation.ErrNotFound
	}
	return s.pair, nil
}

func (s *shelf) KeepVerifier(_ context.Context, _ rotation.Owner, verifier credential.CodeVerifier) error {
	s.steps = append(s.steps, "verifier")
	if s.keepErr == nil || s.keepsToo {
		s.verifier = verifier
	}
	return s.keepErr
}

func (s *shelf) Verifier(_ context.Context, _ rotation.Owner, name credential.Fingerprint) (credential.CodeVerifier, error) {
	if s.verifier.Fingerprint() != name {
		return credential.CodeVerifier{}, rotation.ErrNotFound
	}
	return s.verifier, nil
}

func TestWebLoginIsStoredBeforeItIsShown(t *testing.T) {
	verifier := credential.NewCodeVerifier("the verifier")
	attempt := weblogin.Attempt{ID: "uid-1", Verifier: verifier.Fingerprint()}
	owner := rotation.Owner{Namespace: "team-a", Name: "octocat", UID: "uid"}
	chain := &rotation.Pair{Owner: owner, Controlled: true, State: rotation.State{Owner: "uid", App: "github.com/other", AccessToken: "access", RefreshToken: "refresh"}}
	for name, c := range map[string]struct {
		shelf *shelf
		pair  *rotation.Pair
		app   string
		err   error
	}{
		"the first Secret":                           {&shelf{}, nil, "github.com/Iv23li", nil},
		"beside a chain":                             {&shelf{}, chain, "github.com/other", nil},
		"a state whose answer was lost":              {&shelf{storeErr: errNoReply, storesDespite: true}, chain, "github.com/other", nil},
		"a state of which nobody knows":              {&shelf{storeErr: errNoReply}, chain, "", errNoReply},
		"a Secret that has changed":                  {&shelf{storeErr: rotation.ErrConflict}, chain, "", rotation.ErrConflict},
		"a verifier whose answer was lost":           {&shelf{keepErr: errNoReply, keepsToo: true}, chain, "github.com/other", nil},
		"a verifier of which nobody knows":           {&shelf{keepErr: errNoReply}, chain, "", errNoReply},
		"a verifier that admission has altered":      {&shelf{keepErr: rotation.ErrAltered, keepsToo: true}, chain, "", rotation.ErrAltered},
		"a verifier that the API server has refused": {&shelf{keepErr: rotation.ErrDenied}, chain, "", rotation.ErrDenied},
	} {
		t.Run(name, func(t *testing.T) {
			offers := Offers{Store: c.shelf, Verifiers: c.shelf, Clock: rotation.SystemClock()}
			job := rotation.Job{Owner: owner, App: github.App{Host: "github.com", ClientID: "Iv23li"}, Pair: c.pair}
			stored, err := offers.Begin(t.Context(), job, attempt, verifier)
			if !errors.Is(err, c.err) {
				t.Fatal(err)
			}
			if c.shelf.steps[0] != "verifier" {
				t.Errorf("it was stored in the order %v", c.shelf.steps)
			}
			if c.err != nil {
				if stored != nil {
					t.Error("it is returned all the same")
				}
				return
			}
			if stored.State.Web.ID != attempt.ID || stored.State.App != c.app || c.shelf.verifier != verifier || stored.State.Owner != "uid" {
				t.Errorf("what is stored is %+v", stored.State)
			}
			if c.pair != nil && c.pair.State.Web != nil {
				t.Error("the Secret that the cache has was changed")
			}
		})
	}
}
