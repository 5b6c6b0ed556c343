package client

import (
	"context"
	"fmt"
	"io"
	"sync"
	"time"

	"golang.org/x/oauth2"
)

const (
	// lead is how long before its replacement a token is asked for again, since clocks differ.
	lead = 5 * time.Second
	// restful is for how long a token is kept of which it is not known when it ends.
	restful = 5 * time.Minute
	// breath is the least time between two questions that nobody's refusal made necessary.
	breath = time.Second
)

// Source keeps the token of a Client until shortly before it is replaced or expires. Whoever asks while an answer is under way gets that
// answer. It is an oauth2.TokenSource, and safe for concurrent use.
type Source struct {
	client *Client
	base   context.Context

	mu      sync.Mutex
	current *Token
	// due is when the server is to be asked again, and since when this token came.
	due, since time.Time
	flight     *flight
	// held is until when the server is not asked, as it wished, and heldBy what it said.
	held   time.Time
	heldBy error
}

// flight is a question under way.
type flight struct {
	refused string
	done    chan struct{}
	token   *Token
	err     error
}

var _ oauth2.TokenSource = (*Source)(nil)

// NewSource makes a source whose questions end with the context.
func NewSource(ctx context.Context, client *Client) *Source {
	return &Source{client: client, base: ctx}
}

// Format implements fmt.Formatter: a source changes while it would be printed, and holds a token.
func (s *Source) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "client.Source") }

// Token implements oauth2.TokenSource. Its Expiry is when the token is to be asked for again, so that whoever keeps it does not keep it
// across a rotation.
func (s *Source) Token() (*oauth2.Token, error) {
	token, err := s.Current(s.base)
	if err != nil {
		return nil, err
	}
	expiry := token.Deadline()
	if !expiry.After(time.Now()) {
		expiry = token.ExpiresAt // It should have been replaced by now, and still is the one that works.
	}
	return &oauth2.Token{AccessToken: token.AccessToken.Reveal(), TokenType: "Bearer", Expiry: expiry}, nil
}

// Current is the token, from memory while it is good. When the server cannot be asked, the last token is given until it expires.
func (s *Source) Current(ctx context.Context) (*Token, error) { return s.get(ctx, "") }

// Refused is the token in place of one that GitHub has refused, which is named by its fingerprint. It waits until there is one, for some
// seconds.
func (s *Source) Refused(ctx context.Context, fingerprint string) (*Token, error) {
	return s.get(ctx, fingerprint)
}

// Follow waits for each next token and takes it over at once, until the context ends or the server says no. While the server is away it
// tries again. Without it, a rotation that comes before its time is noticed by GitHub's refusal.
func (s *Source) Follow(ctx context.Context) error {
	for failures := 0; ; {
		token, err := s.Current(ctx)
		if err == nil {
			token, err = s.client.Next(ctx, token.Fingerprint)
		}
		switch {
		case err == nil:
			failures = 0
			s.mu.Lock()
			s.take(token)
			s.mu.Unlock()
			continue
		case ctx.Err() != nil:
			return ctx.Err()
		case !IsTemporary(err):
			return err
		}
		if err := sleep(ctx, pause(failures, RetryAfter(err))); err != nil {
			return err
		}
		failures++
	}
}

func (s *Source) get(ctx context.Context, refused string) (*Token, error) {
	for {
		s.mu.Lock()
		if s.current != nil && s.current.Fingerprint != refused && time.Now().Before(s.due) && !s.current.isExpired(time.Now()) {
			token := s.current
			s.mu.Unlock()
			return token, nil
		}
		f := s.flight
		if f == nil && time.Now().Before(s.held) {
			err := s.heldBy
			s.mu.Unlock()
			return s.instead(refused, err)
		}
		if f == nil {
			f = &flight{refused: refused, done: make(chan struct{})}
			s.flight = f
			go s.fly(f)
		}
		s.mu.Unlock()
		select {
		case <-f.done:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		switch {
		case f.err == nil && f.token.Fingerprint != refused:
			return f.token, nil
		case f.refused == refused:
			return s.instead(refused, f.err)
		}
		// Somebody else's question was another one.
	}
}

// fly asks the server. It goes on when whoever asked gives up, as others may wait.
func (s *Source) fly(f *flight) {
	f.token, f.err = s.client.Token(s.base, Query{Stale: f.refused})
	s.mu.Lock()
	if s.flight = nil; f.err == nil {
		s.take(f.token)
	} else if IsTemporary(f.err) {
		s.held, s.heldBy = time.Now().Add(max(breath, RetryAfter(f.err))), f.err
	}
	s.mu.Unlock()
	close(f.done)
}

// take keeps a token. The lock is held.
func (s *Source) take(token *Token) {
	now := time.Now()
	if s.current == nil || s.current.Fingerprint != token.Fingerprint {
		s.since = now
	}
	s.current, s.due = token, now.Add(restful)
	if deadline := token.Deadline(); !deadline.IsZero() {
		s.due = deadline.Add(-lead)
	}
	if s.due.Before(now.Add(breath)) {
		s.due = now.Add(breath)
	}
}

// instead is what there is when the server did not answer with a token: the last one, if it may still work.
func (s *Source) instead(refused string, err error) (*Token, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if last := s.current; IsTemporary(err) && last != nil && last.Fingerprint != refused && !last.isExpired(time.Now()) {
		return last, nil
	}
	return nil, err
}

// isYoung reports whether the token is so new that GitHub may not know it everywhere.
func (s *Source) isYoung(fingerprint string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.current != nil && s.current.Fingerprint == fingerprint && time.Since(s.since) < young
}
