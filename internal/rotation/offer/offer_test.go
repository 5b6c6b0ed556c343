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

func (s *shelf) KeepCode(ctx context.Context, owner rotation.Owner, code credential.DeviceCode) error {
	return s.KeepVerifier(ctx, owner, credential.NewCodeVerifier(code.Reveal()))
}

func (s *shelf) Code(ctx context.Context, owner rotation.Owner, name credential.Fingerprint) (credential.DeviceCode, error) {
	verifier, err := s.Verifier(ctx, owner, name)
	return credential.NewDeviceCode(verifier.Reveal()), err
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

func TestOfferIsStoredBeforeItIsShown(t *testing.T) {
	const secret = "what is secret of it"
	owner := rotation.Owner{Namespace: "team-a", Name: "octocat", UID: "uid"}
	chain := &rotation.Pair{Owner: owner, Controlled: true, State: rotation.State{Owner: "uid", App: "github.com/other", AccessToken: "access", RefreshToken: "refresh"}}
	for name, c := range map[string]struct {
		shelf shelf
		pair  *rotation.Pair
		app   string
		err   error
	}{
		"the first Secret":                         {shelf{}, nil, "github.com/Iv23li", nil},
		"another replica has made it":              {shelf{storeErr: rotation.ErrExists}, nil, "", rotation.ErrExists},
		"beside a chain":                           {shelf{}, chain, "github.com/other", nil},
		"a state whose answer was lost":            {shelf{storeErr: errNoReply, storesDespite: true}, chain, "github.com/other", nil},
		"a state of which nobody knows":            {shelf{storeErr: errNoReply}, chain, "", errNoReply},
		"a state that admission has altered":       {shelf{storeErr: rotation.ErrAltered}, chain, "", rotation.ErrAltered},
		"a Secret that has changed":                {shelf{storeErr: rotation.ErrConflict}, chain, "", rotation.ErrConflict},
		"a Secret that has gone":                   {shelf{storeErr: rotation.ErrNotFound}, chain, "", rotation.ErrNotFound},
		"a secret whose answer was lost":           {shelf{keepErr: errNoReply, keepsToo: true}, chain, "github.com/other", nil},
		"a secret that is there already":           {shelf{keepErr: rotation.ErrExists, keepsToo: true}, chain, "github.com/other", nil},
		"a secret of which nobody knows":           {shelf{keepErr: errNoReply}, chain, "", errNoReply},
		"a secret that admission has altered":      {shelf{keepErr: rotation.ErrAltered, keepsToo: true}, chain, "", rotation.ErrAltered},
		"a secret that the API server has refused": {shelf{keepErr: rotation.ErrDenied}, chain, "", rotation.ErrDenied},
	} {
		for kind, of := range map[string]struct {
			store func(Offers, context.Context, rotation.Job) (*rotation.Pair, error)
			named func(*rotation.State) bool
		}{
			"a device code": {
				func(o Offers, ctx context.Context, job rotation.Job) (*rotation.Pair, error) {
					code := credential.NewDeviceCode(secret)
					return o.Offer(ctx, job, rotation.DeviceAuthorization{UserCode: "WDJB-MJHT", DeviceCode: code.Fingerprint()}, code)
				},
				func(state *rotation.State) bool {
					return state.Device != nil && state.Device.DeviceCode == nameOf(secret)
				},
			},
			"a login in a browser": {
				func(o Offers, ctx context.Context, job rotation.Job) (*rotation.Pair, error) {
					return o.Begin(ctx, job, weblogin.Attempt{ID: "uid-1", Verifier: nameOf(secret)}, credential.NewCodeVerifier(secret))
				},
				func(state *rotation.State) bool { return state.Web != nil && state.Web.ID == "uid-1" },
			},
		} {
			t.Run(kind+", "+name, func(t *testing.T) {
				s := c.shelf
				offers := Offers{Store: &s, Secrets: &s, Clock: rotation.SystemClock()}
				job := rotation.Job{Owner: owner, App: github.App{Host: "github.com", ClientID: "Iv23li"}, Pair: c.pair}
				stored, err := of.store(offers, t.Context(), job)
				if !errors.Is(err, c.err) {
					t.Fatal(err)
				}
				if s.steps[0] != "verifier" {
					t.Errorf("it was stored in the order %v", s.steps)
				}
				if c.err != nil {
					if stored != nil {
						t.Error("it is returned all the same")
					}
					return
				}
				if !of.named(&stored.State) || stored.State.App != c.app || s.verifier.Reveal() != secret || stored.State.Owner != "uid" || !stored.DeviceCode.IsZero() {
					t.Errorf("what is stored is %+v", stored.State)
				}
				if c.pair != nil && of.named(&c.pair.State) {
					t.Error("the Secret that the cache has was changed")
				}
			})
		}
	}
}

func nameOf(secret string) credential.Fingerprint {
	return credential.NewCodeVerifier(secret).Fingerprint()
}
