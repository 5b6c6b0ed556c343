package retry

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/githubusertoken/github-user-token-operator/internal/github"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

func TestRetryAfter(t *testing.T) {
	for name, c := range map[string]struct {
		err  error
		want time.Duration
	}{
		"an error of nobody's":                               {errors.New("x"), 2 * time.Second},
		"a rate limit is waited out as GitHub asks":          {&github.Error{Reason: github.RateLimited, RetryAfter: time.Hour}, time.Hour},
		"a rate limit that says nothing":                     {&github.Error{Reason: github.RateLimited}, time.Minute},
		"a Retry-After without a rate limit is only a guess": {&github.Error{Class: github.Ambiguous, RetryAfter: time.Hour}, Max},
		"an outage that says when it ends":                   {&github.Error{Reason: github.ServerError, RetryAfter: 3 * time.Second}, 3 * time.Second},
		"an outage that says nothing":                        {&github.Error{Reason: github.ServerError}, 2 * time.Second},
		"a configuration":                                    {&github.Error{Class: github.Misconfigured}, 10 * time.Second},
		"a configuration, with a Retry-After":                {&github.Error{Class: github.Misconfigured, Reason: github.UnknownClient, RetryAfter: 24 * time.Hour}, Max},
	} {
		t.Run(name, func(t *testing.T) {
			if got := After(c.err).After(1); got != c.want {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}

// A quota that is lifted, or a Role that is put right, tells nobody.
func TestRetryRefusedWriteIsTriedAgainSoon(t *testing.T) {
	refused := fmt.Errorf("%w: exceeded quota", rotation.ErrDenied)
	if first, later := After(refused).After(1), After(refused).After(100); first != 2*time.Second || later != 30*time.Second {
		t.Errorf("it is tried again after %v, and later after %v", first, later)
	}
}

func TestRetryPause(t *testing.T) {
	for name, c := range map[string]struct {
		result rotation.Result
		want   time.Duration
	}{
		"a success": {rotation.Result{}, 0},
		"a success that was the last one for an hour": {rotation.Result{Pause: time.Hour}, time.Hour},
		"a rate limit":                                  {rotation.Result{Err: &github.Error{Reason: github.RateLimited, RetryAfter: time.Hour}}, time.Hour},
		"a rate limit that does not say when":           {rotation.Result{Err: &github.Error{Reason: github.RateLimited}, Pause: time.Hour}, time.Minute},
		"a failure whose reply asks for a pause":        {rotation.Result{Err: &github.Error{Reason: github.ServerError}, Pause: 24 * time.Hour}, Max},
		"another failure of one resource pauses nobody": {rotation.Result{Err: &github.Error{Class: github.Ambiguous, RetryAfter: time.Hour}}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			if got := Pause(c.result); got != c.want {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}
