package restlimit

import (
	"errors"
	"time"

	"github.com/githubusertoken/github-user-token-operator/internal/github"
)

// answer is what GitHub's answer says of the credential that was sent.
type answer int

const (
	// unclear: nothing.
	unclear answer = iota
	// taken: GitHub knows it.
	taken
	// refused: GitHub does not know it, and has counted that.
	refused
	// tooMany: GitHub has counted too many requests of this address.
	tooMany
	// notSent: the request has not reached GitHub.
	notSent
)

// answers are those that say something, by their reasons.
var answers = map[github.Reason]answer{
	github.TokenInvalid: refused, github.IncorrectClientCredentials: refused,
	github.LoginAttemptsExceeded: tooMany, github.RateLimited: tooMany,
	// GitHub says these of an account, which it knows by the credential only.
	github.AccountSuspended: taken, github.BillingIssue: taken, github.UnverifiedEmail: taken,
	github.SingleSignOn: taken, github.AddressNotPermitted: taken,
	github.Timeout: unclear,
}

func answerOf(err error) answer {
	if err == nil {
		return taken
	}
	failed, ok := errors.AsType[*github.Error](err)
	if !ok {
		return unclear
	}
	if failed.Reason == github.RateLimited && failed.KnowsCredential {
		return taken
	}
	a, known := answers[failed.Reason]
	if !known && failed.Status == 0 {
		return notSent
	}
	return a
}

func isReason(err error, reason github.Reason) bool {
	failed, ok := errors.AsType[*github.Error](err)
	return ok && failed.Reason == reason
}

const (
	// leastPause is as GitHub's guide for secondary rate limits asks when no header says more.
	leastPause = time.Minute
	// mostPause is the longest period of GitHub's limits.
	mostPause = time.Hour
)

// pauseAfter is for how long a host is not to be sent what is not trusted, after GitHub has counted too many.
func pauseAfter(err error) time.Duration {
	pause := leastPause
	if failed, ok := errors.AsType[*github.Error](err); ok {
		pause = max(pause, min(failed.RetryAfter, mostPause))
	}
	return pause
}
