package leftovers

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/scope"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation/weblogin"
)

var (
	codeOwner = rotation.Owner{Namespace: "team-a", Name: "octocat", UID: "uid"}
	inPlace   = rotation.Ref{Namespace: "team-a", Name: "octocat"}
	errAway   = errors.New("the API server does not answer")
)

// codes is a cluster with Secrets of codes and one pair Secret.
type codes struct {
	held    []Code
	brought []rotation.Ref
	pair    *rotation.Pair
	err     error
	looks   int
	removed []rotation.Ref
}

func (c *codes) CodesFor(context.Context, types.NamespacedName) ([]Code, error) { return c.held, nil }

func (c *codes) LoginCodesFor(context.Context, rotation.Owner) ([]rotation.Ref, error) {
	return c.brought, nil
}

func (c *codes) Get(context.Context, rotation.Ref) (*rotation.Pair, error) {
	if c.looks++; c.err != nil {
		return nil, c.err
	}
	return c.pair, nil
}

func (c *codes) RemoveCode(_ context.Context, ref rotation.Ref) error {
	c.removed = append(c.removed, ref)
	return nil
}

func broughtFor(attempt string) rotation.Ref {
	return rotation.Ref{Namespace: codeOwner.Namespace, Name: v1alpha1.LoginCodeSecretName(attempt)}
}

// waits is a pair Secret whose attempt waits for its code.
func waits(now time.Time, attempt string) *rotation.Pair {
	return &rotation.Pair{Ref: inPlace, Owner: codeOwner, Controlled: true, State: rotation.State{Owner: codeOwner.UID, Web: &weblogin.Attempt{
		ID: attempt, Verifier: "verifier", BeganAt: now, ExpiresAt: now.Add(weblogin.Lifetime),
	}}}
}

func TestCodesAreSweptByOneLook(t *testing.T) {
	now := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	verifier := Code{Ref: codeOwner.CodeRef("verifier")}
	current, older := broughtFor("uid-2"), broughtFor("uid-1")
	for name, c := range map[string]struct {
		seen, live *rotation.Pair
		err        error
		at         time.Time
		want       []rotation.Ref
		looks      int
		fails      bool
	}{
		"what is older than the attempt that waits goes":        {seen: waits(now, "uid-2"), at: now, want: []rotation.Ref{older}, live: waits(now, "uid-2"), looks: 1},
		"what another process has begun stays":                  {seen: waits(now, "uid-1"), live: waits(now, "uid-2"), at: now, looks: 1},
		"all of an attempt whose time is over goes":             {seen: waits(now, "uid-2"), live: waits(now, "uid-2"), at: now.Add(weblogin.Lifetime), want: []rotation.Ref{older, current, verifier.Ref}, looks: 1},
		"all goes where the pair Secret is gone":                {err: rotation.ErrNotFound, at: now, want: []rotation.Ref{older, current, verifier.Ref}, looks: 1},
		"nothing goes while it is not known what is waited for": {err: errAway, at: now, looks: 1, fails: true},
	} {
		t.Run(name, func(t *testing.T) {
			w := &codes{held: []Code{verifier}, brought: []rotation.Ref{older, current}, pair: c.live, err: c.err}
			s := &scope.Scope{Owner: codeOwner, Ref: inPlace, Pair: c.seen, Now: c.at}
			if err := (Codes{Cache: w, API: w}).Sweep(t.Context(), s); (err != nil) != c.fails {
				t.Fatal(err)
			}
			if !slices.Equal(w.removed, c.want) || w.looks != c.looks {
				t.Errorf("removed are %v after %d looks, want %v", w.removed, w.looks, c.want)
			}
		})
	}
}

// A tenant brings as many codes as their quota lets them.
func TestCodesAreSweptSomeAtATime(t *testing.T) {
	now := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	w := &codes{pair: waits(now, "uid-2")}
	for i := range 1000 {
		w.brought = append(w.brought, broughtFor("uid-x"+strconv.Itoa(i)))
	}
	s := &scope.Scope{Owner: codeOwner, Ref: inPlace, Pair: waits(now, "uid-2"), Now: now}
	if err := (Codes{Cache: w, API: w}).Sweep(t.Context(), s); err != nil || len(w.removed) != maxSwept || w.looks != 1 {
		t.Errorf("%d are removed after %d looks: %v", len(w.removed), w.looks, err)
	}
	w.brought, w.removed = []rotation.Ref{broughtFor("uid-2")}, nil
	if err := (Codes{Cache: w, API: w}).Sweep(t.Context(), s); err != nil || len(w.removed) != 0 || w.looks != 1 {
		t.Errorf("%v are removed, and it was looked %d times: %v", w.removed, w.looks, err)
	}
}
