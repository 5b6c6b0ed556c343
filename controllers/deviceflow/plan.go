package deviceflow

import (
	"fmt"
	"time"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/scope"
	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/problem"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// A series of codes ends when it has lasted for so long, or has come to so many codes. Then a person has to
// ask for another: a code that is offered for ever is one that somebody will be tricked into entering.
const (
	maxSeriesTime  = time.Hour
	maxSeriesCodes = 10
)

// pollSlowdown makes polls rarer the longer a code goes unused: after 15 minutes they are half a minute
// apart. Polls count as token requests of the App, which resources that have a token need as well.
const pollSlowdown = 30

// seen is what a plan depends on beside the note and the time.
type seen struct {
	// device is what the pair Secret holds; nil when it holds no code and never did.
	device *rotation.DeviceAuthorization
	// app is the key of the App that the resource asks for.
	app string
	// purpose names what the login is needed for: codes that are offered for the same purpose, and on the same
	// request, are one series.
	purpose string
	// asked is the value of the annotation refresh-requested-at, and generation that of the spec.
	asked      string
	generation int64
}

func seenOf(s *scope.Scope, why *login) seen {
	in := seen{
		app: s.Input.App, purpose: s.Input.App + " " + pinText(s.Token) + " " + why.need,
		asked: s.Input.RefreshRequestedAt, generation: s.Token.Generation,
	}
	if state := s.Stored(); state != nil {
		in.device = state.Device
	}
	return in
}

func pinText(token *v1alpha1.GitHubUserToken) string {
	if pin := token.Spec.User; pin != nil {
		return fmt.Sprintf("%s#%d", pin.Login, pin.ID)
	}
	return "anybody"
}

// code names the code that can be polled; empty when there is none.
func (in seen) code() credential.Fingerprint {
	if in.device == nil || in.device.App != in.app || in.device.Ended != "" {
		return ""
	}
	return in.device.DeviceCode
}

// isSameSeries reports whether the next code belongs to the series of the one that is stored.
func (in seen) isSameSeries() bool {
	return in.device != nil && in.device.For == in.purpose && in.device.Asked == in.asked
}

// series is what the next code inherits.
func (in seen) series(now time.Time) rotation.DeviceAuthorization {
	series := rotation.DeviceAuthorization{App: in.app, For: in.purpose, Asked: in.asked, Since: now, Codes: 1}
	if in.isSameSeries() {
		series.Since, series.Codes = in.device.Since, in.device.Codes+1
	}
	return series
}

// stage is how far a device flow is.
type stage int

const (
	// stageWanted: a code is to be requested.
	stageWanted stage = iota
	// stageOffered: a person can enter the code.
	stageOffered
	// stageEnded: no code is offered until a person asks for one.
	stageEnded
)

// plan is what is to be done about a device flow.
type plan struct {
	stage stage
	// code names the code that is stored; empty when it cannot be polled.
	code credential.Fingerprint
	// given reports that GitHub is known to have given it out.
	given bool
	// late is about how long the step waits for its turn; zero when nobody notices.
	late time.Duration
	// ended is the reason of Authorized=False at stageEnded.
	ended string
	// series is what the next code inherits.
	series rotation.DeviceAuthorization
	// wait is how long it is until the step is due; zero or less when it is.
	wait time.Duration
	// problem is why the last step failed; nil when it did not, or there is nothing to tell of it.
	problem *problem.Problem
}

// planNext says what is to be done, and what is to be remembered of that. It relies on what the Secret holds
// for all but the times of the next poll and try.
func planNext(in seen, n note, now time.Time, mono time.Duration) (plan, note) {
	next := plan{code: in.code(), series: in.series(now)}
	if n.code != next.code {
		n = note{code: next.code, next: mono, given: n.given}
		if next.code != "" {
			n.interval = in.device.Interval
			n.next += n.interval // When it was last polled is not known after a restart.
		}
	}
	if n.failures > 0 && (n.generation != in.generation || n.asked != in.asked) {
		n.next, n.failures, n.problem = min(n.next, mono+n.interval), 0, nil
	}
	// A person may enter the code until the end, so that there is one poll after it.
	offered := next.code != "" && !n.over && now.Before(in.device.ExpiresAt.Add(in.device.Interval))
	switch {
	case offered:
		next.stage = stageOffered
		n.interval = max(in.device.Interval, now.Sub(in.device.OfferedAt)/pollSlowdown)
	case in.isSameSeries() && in.device.Ended != "":
		next.stage, next.ended = stageEnded, in.device.Ended
	case in.isSameSeries() && (in.device.Codes >= maxSeriesCodes || now.Sub(in.device.Since) >= maxSeriesTime):
		next.stage, next.ended = stageEnded, v1alpha1.ReasonAuthorizationExpired
	default:
		next.stage = stageWanted
		if next.code != "" && !n.over {
			// It has expired by the clock. A clock that is wrong ends each code at once, so the next one waits as it
			// does when GitHub ends a code.
			n.over, n.next = true, mono+nextCode.After(in.device.Codes)
		}
		if !in.isSameSeries() && n.failures == 0 {
			n.next = min(n.next, mono) // The pauses are those of a series. A new one begins at once.
		}
	}
	next.wait, next.problem, next.late = n.next-mono, n.problem, n.late
	next.given = next.code != "" && n.given == givenCode{in.app, next.code}
	if next.stage == stageWanted && n.problem != nil && !n.problem.Stalled {
		next.problem = new(*n.problem)
		next.problem.RetryAt = now.Add(max(0, next.wait))
	}
	return next, n
}
