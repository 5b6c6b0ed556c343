package client

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

const (
	// MostWait is for how long the server waits at most.
	MostWait = 5 * time.Minute
	// defaultWait is for how long it waits at most when it is not told.
	defaultWait = time.Minute
	// answerTime is what an answer may take beside the wait.
	answerTime = 20 * time.Second
	mostBody   = 256 << 10
)

// Client asks a token server for one token. It is safe for concurrent use.
type Client struct {
	options Options
	address *url.URL
	http    *http.Client
}

// New checks the options. It asks nothing yet.
func New(options Options) (*Client, error) {
	address, err := options.address()
	if err != nil {
		return nil, err
	}
	options.TokenFile = cmp.Or(options.TokenFile, DefaultTokenFile)
	options.Patience = cmp.Or(options.Patience, DefaultPatience)
	options.UserAgent = cmp.Or(options.UserAgent, "ghut-client")
	if options.transport == nil {
		options.transport = newTransport(options.CAFile)
	}
	return &Client{options: options, address: address, http: &http.Client{
		Transport:     options.transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}, nil
}

// Query says more of the token that is wanted.
type Query struct {
	// After is the fingerprint of a token that the caller has: the answer waits until there is another one, or the wait is over.
	After string
	// Stale is the fingerprint of a token that GitHub has refused: the answer is another one, or a temporary failure.
	Stale string
	// Wait is for how long the server waits at most, in whole seconds up to MostWait. Zero leaves it to the server.
	Wait time.Duration
}

func (q Query) encode(output string) string {
	values := url.Values{}
	for name, value := range map[string]string{"after": q.After, "stale": q.Stale, "output": output} {
		if value != "" {
			values.Set(name, value)
		}
	}
	if q.Wait > 0 {
		values.Set("wait", strconv.Itoa(q.seconds()))
	}
	return values.Encode()
}

func (q Query) seconds() int { return int(min(max(q.Wait, time.Second), MostWait) / time.Second) }

// Token gets the token, and tries temporary failures again for as long as the Patience of the options.
func (c *Client) Token(ctx context.Context, query Query) (*Token, error) {
	var last time.Time
	for n := 0; ; n++ {
		token, err := c.Ask(ctx, query)
		if err == nil || !IsTemporary(err) || ctx.Err() != nil {
			return token, err
		}
		now := time.Now()
		if n == 0 {
			last = now.Add(c.options.Patience)
		}
		wait := pause(n, RetryAfter(err))
		if deadline, ok := ctx.Deadline(); now.Add(wait).After(last) || ok && now.Add(wait).After(deadline) {
			return nil, err
		}
		if sleep(ctx, wait) != nil {
			return nil, err
		}
	}
}

// Next waits for the token that follows the one with the fingerprint, for as long as the context lets it. It returns with an error when
// the server could not be asked for as long as the Patience, or says no.
func (c *Client) Next(ctx context.Context, fingerprint string) (*Token, error) {
	for {
		asked := time.Now()
		token, err := c.Token(ctx, Query{After: fingerprint, Wait: MostWait - time.Minute})
		if err != nil || token.Fingerprint != fingerprint {
			return token, err
		}
		if time.Since(asked) < time.Second { // A server that does not wait is not asked without end.
			if err := sleep(ctx, time.Second); err != nil {
				return nil, err
			}
		}
	}
}

// Ask asks once.
func (c *Client) Ask(ctx context.Context, query Query) (*Token, error) {
	presented, err := readServiceAccountToken(c.options.TokenFile)
	if err != nil {
		return nil, err
	}
	token, err := c.askAs(ctx, query, presented)
	if hasCode(err, http.StatusUnauthorized) {
		// The kubelet may have replaced the file between the look and the answer.
		if again, readErr := readServiceAccountToken(c.options.TokenFile); readErr == nil && again != presented {
			return c.askAs(ctx, query, again)
		}
	}
	return token, err
}

func (c *Client) askAs(ctx context.Context, query Query, presented string) (*Token, error) {
	limit := answerTime
	if query.After != "" || query.Stale != "" {
		limit += defaultWait
		if query.Wait > 0 {
			limit = answerTime + time.Duration(query.seconds())*time.Second
		}
	}
	limited, cancel := context.WithTimeout(ctx, limit)
	defer cancel()

	address := *c.address
	address.RawQuery = query.encode(c.options.Output)
	request, err := http.NewRequestWithContext(limited, http.MethodGet, address.String(), http.NoBody)
	if err != nil {
		return nil, fmt.Errorf("the question to the token server cannot be made: %w", err)
	}
	request.Header.Set("Authorization", "Bearer "+presented)
	request.Header.Set("Accept", "application/json")
	request.Header.Set("User-Agent", c.options.UserAgent)
	response, err := c.http.Do(request)
	if err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, judge(err)
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(response.Body, mostBody+1))
	switch {
	case err != nil && ctx.Err() != nil:
		return nil, ctx.Err()
	case err != nil:
		return nil, &unreachable{errors.New("its answer broke off")}
	case len(body) > mostBody:
		return nil, fmt.Errorf("the answer is larger than %d bytes: is this the address of the token server?", mostBody)
	case response.StatusCode >= 300 && response.StatusCode < 400:
		return nil, fmt.Errorf("the answer is a redirect (%d), which is not followed: is this the address of the token server?", response.StatusCode)
	case response.StatusCode != http.StatusOK:
		return nil, refusal(response, body, time.Now())
	}
	if kind, _, err := mime.ParseMediaType(response.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		// A server that was told to stop as the time ended may close its answer with a 200 that says nothing.
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, errors.New("the answer is not JSON: is this the address of the token server?")
	}
	token, err := decode(body)
	if err == nil && query.Stale != "" && token.Fingerprint == query.Stale {
		return nil, errors.New("the token server gave the very token that GitHub has refused")
	}
	return token, err
}
