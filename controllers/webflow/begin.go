package webflow

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/types"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/logins"
	"github.com/githubusertoken/github-user-token-operator/controllers/scope"
	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/github"
	"github.com/githubusertoken/github-user-token-operator/internal/memory"
	"github.com/githubusertoken/github-user-token-operator/internal/metapatch"
	"github.com/githubusertoken/github-user-token-operator/internal/problem"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation/weblogin"
)

// Options configure Logins. All that may not be nil must be set.
type Options struct {
	// Offers stores attempts. offer.Offers is one.
	Offers interface {
		Begin(ctx context.Context, job rotation.Job, attempt weblogin.Attempt, verifier credential.CodeVerifier) (*rotation.Pair, error)
	}
	// Verifiers has what Offers has stored, and Pairs writes pair Secrets.
	Verifiers interface {
		Verifier(ctx context.Context, owner rotation.Owner, name credential.Fingerprint) (credential.CodeVerifier, error)
	}
	Pairs interface {
		Update(ctx context.Context, current, next *rotation.Pair) (*rotation.Pair, error)
	}
	// ReadCode reads a key of a Secret of somebody else, live and at a pace; found is false when there is none.
	ReadCode func(ctx context.Context, secret types.NamespacedName, key string) (value string, found bool, err error)
	// CheckApp is why nothing may be asked of GitHub for an App; nil when it may.
	CheckApp func(app scope.App) *problem.Problem
	// ClientSecret reads the client secret of an App, or says why there is none. Without it GitHub redeems no code, so nobody is sent there.
	ClientSecret func(ctx context.Context, app scope.App) (credential.ClientSecret, *problem.Problem, error)
	Clock        rotation.Clock
	// Page is the base URL of the login page; empty when there is none.
	Page string
	// Memory is where the links of the login page are remembered.
	Memory *memory.Store
	// Random makes a text of letters and digits that nobody can guess, of 128 bits at least. May be nil: crypto/rand.Text.
	Random func() string
}

// Logins begins attempts, prepares the redemption of their codes, and makes links of the login page.
type Logins struct {
	options Options
	links   memory.Slot[link]
	expired memory.Slot[lapse]
}

// New makes Logins.
func New(options Options) *Logins {
	if options.Random == nil {
		options.Random = rand.Text
	}
	return &Logins{options, memory.NewSlot[link](options.Memory), memory.NewSlot[lapse](options.Memory)}
}

// Begin begins the attempt that is asked for. It returns the pair Secret as it is stored with it, or what stands in the way. Where that
// is the client secret, and people can log in without it, the request is refused: see refuse.
// Errors: those of offer.Offers.
func (l *Logins) Begin(ctx context.Context, s *scope.Scope) (*rotation.Pair, *problem.Problem, error) {
	if p := l.options.CheckApp(s.App); p != nil {
		return nil, p, nil
	}
	if p := scope.CheckRoom(s); p != nil {
		return nil, p, nil
	}
	if _, p, err := l.options.ClientSecret(ctx, s.App); p != nil || err != nil {
		if err == nil && s.Token.Spec.HasLoginMethod(v1alpha1.LoginMethodDeviceFlow) {
			refuse(s, s.App.Veil(p).Message)
		}
		return nil, p, err
	}
	verifier := credential.NewCodeVerifier(l.options.Random() + l.options.Random()) // RFC 7636 wants 43 characters.
	now := l.options.Clock.Now()
	attempt := weblogin.Attempt{
		ID:      weblogin.NewID(s.Owner.UID, strings.ToLower(l.options.Random())),
		Request: s.Input.Web.Request.ID, Callback: s.Input.Web.Request.Callback, App: s.App.Key(),
		State: l.options.Random(), Challenge: github.Challenge(verifier), Verifier: verifier.Fingerprint(),
		BeganAt: now, ExpiresAt: now.Add(weblogin.Lifetime),
	}
	spec := s.Token.Spec.Secret
	job := rotation.Job{
		Owner: s.Owner, Ref: s.Ref, App: s.App.App, Pair: s.Pair,
		Labels: spec.Labels, Annotations: metapatch.Annotations(spec.Labels, spec.Annotations),
	}
	stored, err := l.options.Offers.Begin(ctx, job, attempt, verifier)
	return stored, nil, err
}

// maxCode is how long a code may be. GitHub's have 20 characters.
const maxCode = 512

// Prepare puts into a job what redeems the code that was brought back. Where that cannot be a code of the attempt, the attempt ends,
// and it returns the pair Secret as it is stored then; nil otherwise. Errors: rotation.ErrNotFound when the code has gone, or why something could
// not be read or written.
func (l *Logins) Prepare(ctx context.Context, s *scope.Scope, job *rotation.Job) (ended *rotation.Pair, err error) {
	attempt := s.Pair.State.Web
	name := types.NamespacedName{Namespace: s.Owner.Namespace, Name: v1alpha1.LoginCodeSecretName(attempt.ID)}
	text, found, err := l.options.ReadCode(ctx, name, v1alpha1.KeyCode)
	switch {
	case err != nil:
		return nil, fmt.Errorf("read the code of a login: %w", err)
	case !found:
		return nil, rotation.ErrNotFound // The cache will show it in a moment.
	}
	code := credential.NewAuthorizationCode(strings.TrimSpace(text))
	switch {
	case code.IsZero() || len(text) > maxCode:
		return l.end(ctx, s, WhyMalformed)
	case s.Pair.State.HasHeardOf(code.Fingerprint()):
		return l.end(ctx, s, WhyUsed)
	}
	verifier, err := l.options.Verifiers.Verifier(ctx, s.Owner, attempt.Verifier)
	if errors.Is(err, rotation.ErrNotFound) {
		return l.end(ctx, s, WhyNoVerifier)
	}
	if err != nil {
		return nil, fmt.Errorf("read the verifier of a login: %w", err)
	}
	job.Code = github.Redemption{Code: code, Verifier: verifier, RedirectURI: attempt.Callback}
	job.Attempt, job.Decision.Spends = attempt.ID, code.Fingerprint()
	return nil, nil
}

// end ends an attempt of which nothing was sent.
func (l *Logins) end(ctx context.Context, s *scope.Scope, why string) (*rotation.Pair, error) {
	next := s.Pair.Clone()
	next.State.Web = next.State.Web.With(v1alpha1.WebLoginRejected, why)
	ended, err := l.options.Pairs.Update(ctx, s.Pair, next)
	if err != nil {
		return nil, fmt.Errorf("end a login: %w", err)
	}
	logins.CountAs(logins.Web, logins.CodeEnded)
	return ended, nil
}
