package deviceflow

import (
	"context"
	"errors"
	"time"

	"github.com/go-logr/logr"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/retry"
	"github.com/githubusertoken/github-user-token-operator/controllers/words"
	"github.com/githubusertoken/github-user-token-operator/internal/backoff"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// requestTimeout bounds the request for a code, and its being stored.
const requestTimeout = 20 * time.Second

var (
	// afterConflict is the wait after something newer than the cache shows was met.
	afterConflict = backoff.Backoff{First: time.Second, Max: retry.Max}
	// afterStore is the wait after a code could not be stored.
	afterStore = backoff.Backoff{First: 2 * time.Second, Max: retry.Max}
)

// request requests a code from GitHub and stores it. The reconcile that follows shows it.
func (f *Flow) request(log logr.Logger, token *v1alpha1.GitHubUserToken, job rotation.Job, next plan) {
	ctx, cancel := f.options.Clock.WithTimeout(context.Background(), requestTimeout)
	defer cancel()
	offer := next.series
	offer.OfferedAt = f.options.Clock.Now()
	authorization, err := f.options.GitHub.RequestDeviceCode(ctx, job.App)
	if err != nil {
		f.options.Pause(job.App, rotation.Result{Err: err})
		f.failed(token, atGitHub(err), retry.After(err))
		log.Info("GitHub gave out no device code", "why", words.Of(err))
		return
	}
	offer.UserCode, offer.VerificationURI = authorization.UserCode, authorization.VerificationURI
	offer.ExpiresAt, offer.Interval = authorization.ExpiresAt, authorization.Interval
	offer.DeviceCode = authorization.DeviceCode.Fingerprint()
	stored, err := f.options.Offers.Offer(ctx, job, offer, authorization.DeviceCode)
	switch {
	case err == nil:
		f.options.Remember(token.UID, stored)
		f.notes.Peek(token.UID, func(n *note) { n.given = givenCode{job.App.Key(), offer.DeviceCode} })
		deviceCodes.Inc()
		log.Info("A code is offered for a person to enter at GitHub", "expires", offer.ExpiresAt, "codes", offer.Codes)
	case errors.Is(err, rotation.ErrConflict), errors.Is(err, rotation.ErrExists), errors.Is(err, rotation.ErrNotFound):
		f.options.Doubt(token.UID)
		f.failed(token, nil, afterConflict)
		log.V(1).Info("A device code was not stored: the Secret was not as expected", "why", words.Of(err))
	default:
		f.failed(token, atStore(err), afterStore)
		log.Info("A device code could not be stored", "why", words.Of(err))
	}
}
