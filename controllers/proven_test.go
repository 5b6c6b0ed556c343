package controllers

import (
	"context"
	"errors"
	"testing"

	"github.com/githubusertoken/github-user-token-operator/controllers/lifecycle"
	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/github"
)

// answering is a GitHub that gives one answer to every check.
type answering struct {
	lifecycle.GitHub

	check github.Check
	err   error
}

func (a answering) CheckToken(context.Context, github.App, credential.AccessToken) (github.Check, error) {
	return a.check, a.err
}

func TestLimitAppIsProvenByATokenThatItsSecretVouchesFor(t *testing.T) {
	secret := credential.NewClientSecret("secret")
	for name, c := range map[string]struct {
		answer answering
		secret credential.ClientSecret
		proven bool
	}{
		"the token is alive":             {answering{check: github.Check{Alive: true}}, secret, true},
		"asked without a client secret":  {answering{check: github.Check{Alive: true}}, credential.ClientSecret{}, false},
		"the token is not alive":         {answering{}, secret, false},
		"GitHub refuses the credentials": {answering{check: github.Check{Alive: true}, err: errors.New("refused")}, secret, false},
	} {
		t.Run(name, func(t *testing.T) {
			proven := ""
			app := github.App{Host: "github.com", ClientID: clientID, ClientSecret: c.secret}
			got, err := provingGitHub{c.answer, func(app string) { proven = app }}.CheckToken(t.Context(), app, credential.AccessToken{})
			if got.Alive != c.answer.check.Alive || !errors.Is(err, c.answer.err) {
				t.Errorf("the answer has become %+v, %v", got, err)
			}
			if want := map[bool]string{true: app.Key()}[c.proven]; proven != want {
				t.Errorf("%q is proven, want %q", proven, want)
			}
		})
	}
}
