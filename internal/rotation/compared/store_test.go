package compared

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// admitting is a Store that stores what a webhook makes of a write.
type admitting struct {
	rotation.Store

	admit func(*rotation.Pair)
}

func (a admitting) Create(_ context.Context, pair *rotation.Pair) (*rotation.Pair, error) {
	stored := pair.Clone()
	stored.Controlled = true
	a.admit(stored)
	return stored, nil
}

func (a admitting) Update(_ context.Context, _, next *rotation.Pair) (*rotation.Pair, error) {
	stored := next.Clone()
	a.admit(stored)
	return stored, nil
}

func chain() *rotation.Pair {
	access, refresh := credential.NewAccessToken("ghu_a"), credential.NewRefreshToken("ghr_a")
	return &rotation.Pair{
		Ref: rotation.Ref{Namespace: "team-a", Name: "octocat"}, Owner: rotation.Owner{UID: "uid"}, Controlled: true,
		AccessToken: access, RefreshToken: refresh, Intent: &rotation.Intent{ID: "1"},
		State: rotation.State{AccessToken: access.Fingerprint(), RefreshToken: refresh.Fingerprint(), PendingSeed: "seed"},
	}
}

func TestAlteredWrites(t *testing.T) {
	for name, c := range map[string]struct {
		admit func(*rotation.Pair)
		named string
	}{
		"a label is added": {func(p *rotation.Pair) { p.Labels = map[string]string{"policies.example.com/seen": "true"} }, ""},
		"keys are added that are none of the pair's, or of an older version's": {func(p *rotation.Pair) {
			p.DeviceCode, p.SeedToken = credential.NewDeviceCode("junk"), credential.NewRefreshToken("junk")
		}, ""},
		"the access token is redacted":  {func(p *rotation.Pair) { p.AccessToken = credential.NewAccessToken("ghu_redacted") }, v1alpha1.KeyAccessToken},
		"the refresh token is redacted": {func(p *rotation.Pair) { p.RefreshToken = credential.NewRefreshToken("ghr_redacted") }, v1alpha1.KeyRefreshToken},
		"the refresh token is dropped":  {func(p *rotation.Pair) { p.RefreshToken = credential.RefreshToken{} }, v1alpha1.KeyRefreshToken},
		"the intent is dropped":         {func(p *rotation.Pair) { p.Intent = nil }, v1alpha1.AnnotationIntent},
		"the intent is changed":         {func(p *rotation.Pair) { p.Intent.Login = true }, v1alpha1.AnnotationIntent},
		"the state is changed":          {func(p *rotation.Pair) { p.State.PendingSeed = "" }, v1alpha1.AnnotationState},
		"the state is lost":             {func(p *rotation.Pair) { p.StateLost = true }, v1alpha1.AnnotationState},
		"the owner is taken away":       {func(p *rotation.Pair) { p.Controlled = false }, "the owner reference"},
		"another owner is put there":    {func(p *rotation.Pair) { p.Owner.UID = "other" }, "the owner reference"},
	} {
		t.Run(name, func(t *testing.T) {
			store := Store{admitting{admit: c.admit}}
			_, created := store.Create(t.Context(), chain())
			_, updated := store.Update(t.Context(), chain(), chain())
			for _, err := range []error{created, updated} {
				switch {
				case errors.Is(err, rotation.ErrAltered) != (c.named != ""):
					t.Errorf("the error is %v", err)
				case err == nil:
				case !strings.Contains(err.Error(), c.named) || !strings.Contains(err.Error(), "team-a/octocat"):
					t.Errorf("it is not said what was altered, and where: %v", err)
				case strings.Contains(err.Error(), "ghu_") || strings.Contains(err.Error(), "ghr_"):
					t.Error("a token is quoted")
				}
			}
		})
	}
}

func TestAlteredDataThatNobodyKnewOfAreOfNoConcern(t *testing.T) {
	metadata := chain().WithoutTokens()
	if err := Compare(metadata, metadata, chain()); err != nil {
		t.Error(err)
	}
	left := chain()
	left.SeedToken, left.DeviceCode = credential.NewRefreshToken("ghr_left"), credential.NewDeviceCode("left")
	if err := Compare(left, chain(), left); err != nil {
		t.Errorf("what was taken out and stays there: %v", err)
	}
	if err := Compare(chain(), left, chain()); !errors.Is(err, rotation.ErrAltered) {
		t.Errorf("what was to be kept and is gone: %v", err)
	}
}
