package rotation

import (
	"testing"
	"time"

	"github.com/githubusertoken/github-user-token-operator/internal/backoff"
)

func TestPolicyDueAt(t *testing.T) {
	issued := time.Date(2026, 3, 4, 0, 0, 0, 0, time.UTC)
	eight := State{Owner: "uid", IssuedAt: issued, ExpiresAt: issued.Add(8 * time.Hour)}
	ending := func(after time.Duration) State {
		state := eight
		state.RefreshTokenExpiresAt = issued.Add(after)
		return state
	}
	jitter := func(share time.Duration) time.Duration {
		return time.Duration(float64(share) * backoff.Fraction("uid"))
	}
	for name, c := range map[string]struct {
		policy Policy
		state  State
		want   time.Time
	}{
		"a token that never expires is never due":                    {Policy{}, State{Owner: "uid", IssuedAt: issued}, time.Time{}},
		"a quarter of the lifetime before expiry, and a jitter":      {Policy{}, eight, issued.Add(6*time.Hour - jitter(12*time.Minute))},
		"as long before as the resource asks for":                    {Policy{RefreshBefore: time.Hour}, eight, issued.Add(7*time.Hour - jitter(6*time.Minute))},
		"not when that is the whole lifetime":                        {Policy{RefreshBefore: 8 * time.Hour}, eight, issued.Add(6*time.Hour - jitter(12*time.Minute))},
		"nor with a jitter that would reach back to the issue":       {Policy{RefreshBefore: 8*time.Hour - time.Minute}, eight, issued.Add(time.Minute - jitter(30*time.Second))},
		"a hold puts it off":                                         {Policy{HoldUntil: issued.Add(7 * time.Hour)}, eight, issued.Add(7 * time.Hour)},
		"a hold puts it off to a sixteenth of the lifetime at most":  {Policy{HoldUntil: issued.Add(9 * time.Hour)}, eight, issued.Add(7*time.Hour + 30*time.Minute)},
		"a hold that ends before is none":                            {Policy{HoldUntil: issued.Add(time.Hour)}, eight, issued.Add(6*time.Hour - jitter(12*time.Minute))},
		"a hold does not bring forward what is due later than that":  {Policy{RefreshBefore: 10 * time.Minute, HoldUntil: issued.Add(9 * time.Hour)}, eight, issued.Add(8*time.Hour - 10*time.Minute - jitter(time.Minute))},
		"a refresh token that lives longer makes no difference":      {Policy{}, ending(8 * time.Hour), issued.Add(6*time.Hour - jitter(12*time.Minute))},
		"one that ends first is used in its time":                    {Policy{}, ending(time.Hour), issued.Add(45*time.Minute - jitter(90*time.Second))},
		"also with a time of the resource's own":                     {Policy{RefreshBefore: 2 * time.Hour}, ending(time.Hour), issued.Add(45*time.Minute - jitter(90*time.Second))},
		"and however long it is held":                                {Policy{HoldUntil: issued.Add(7 * time.Hour)}, ending(time.Hour), issued.Add(time.Hour - 225*time.Second)},
		"another resource has another jitter, the same at each look": {Policy{}, State{Owner: "other", IssuedAt: issued, ExpiresAt: issued.Add(8 * time.Hour)}, issued.Add(6*time.Hour - time.Duration(float64(12*time.Minute)*backoff.Fraction("other")))},
	} {
		t.Run(name, func(t *testing.T) {
			for range 2 {
				if got := c.policy.DueAt(&c.state); !got.Equal(c.want) {
					t.Errorf("due at %v, want %v", got, c.want)
				}
			}
		})
	}
}
