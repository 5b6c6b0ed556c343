package controllers

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/go-logr/logr"
	logf "sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/github"
	"github.com/githubusertoken/github-user-token-operator/internal/ratelimit"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// deviceTimeout bounds the request for a device code.
const deviceTimeout = 20 * time.Second

// deviceView is what a reconcile finds out about the device flow.
type deviceView struct {
	// offered is the code that a person can enter now; nil when there is none.
	offered *rotation.DeviceAuthorization
	// asking says that GitHub is being asked: there will be something to report when the flight has landed.
	asking bool
	// look is when to go on; zero when nothing is to be done.
	look time.Time
}

// consider has the resource looked at again no later than at a time.
func (d *deviceView) consider(at time.Time) {
	if d.look.IsZero() || at.Before(d.look) {
		d.look = at
	}
}

// authorize offers a person a code to enter at GitHub when the resource needs a login and may get it by the
// device flow. stop is what stands in the way otherwise. Each step is a short flight of its own, begun by a
// reconcile: ask for a code and store it, show it, ask whether it was entered.
func (r *Reconciler) authorize(ctx context.Context, v *view, decision rotation.Decision, stop *obstacle) (*obstacle, error) {
	why := loginNeeded(v, decision, stop)
	if why == nil {
		return stop, nil
	}
	if v.token.Spec.DeviceFlow == nil {
		return why.without, nil
	}
	if stop := r.checkHost(v); stop != nil {
		return stop, nil
	}
	stop, err := r.goThrough(ctx, v, why)
	if stop != nil {
		stop.beside = decision.Action == rotation.ActionNone
	}
	return stop, err
}

// goThrough takes the device flow one step further.
func (r *Reconciler) goThrough(ctx context.Context, v *view, why *login) (*obstacle, error) {
	now := r.devices.look(v, why)
	switch now.stage {
	case stageEnded:
		return needsAsking(v.token, now.ended), nil
	case stageOffered:
		v.device.offered = v.pair.State.Device
		offer := enterCode(v, why, now.trouble)
		return r.deviceFlight(ctx, v, now, offer, func(log logr.Logger, job rotation.Job) {
			r.pollCode(log, v.token, job)
		})
	default:
		waiting := now.trouble
		if waiting == nil {
			waiting = &obstacle{
				reason: v1alpha1.ReasonAuthorizationPending, unauthorized: true,
				message: "A code for a person to enter at GitHub is being asked for." + why.cause,
			}
		}
		return r.deviceFlight(ctx, v, now, waiting, func(log logr.Logger, job rotation.Job) {
			r.requestCode(log, v.token, job, now.series)
		})
	}
}

// deviceFlight begins a flight when its time has come and the limits allow it. Otherwise the resource is
// looked at again, and reports shown meanwhile.
func (r *Reconciler) deviceFlight(ctx context.Context, v *view, now deviceStep, shown *obstacle, fly func(logr.Logger, rotation.Job)) (*obstacle, error) {
	uid := v.token.UID
	if now.wait > 0 {
		v.device.consider(v.now.Add(now.wait))
		return shown, nil
	}
	job := rotation.Job{
		Owner: v.owner, Ref: v.ref, App: appOf(v.token), Policy: v.input.Policy,
		RefreshRequestedAt: v.input.RefreshRequestedAt, User: pinOf(v.token), Pair: v.pair,
		Decision: rotation.Decision{Cause: rotation.CauseDeviceFlow, Spends: now.code},
		Labels:   v.token.Spec.Secret.Labels, Annotations: extraAnnotations(v.token.Spec.Secret),
	}
	if r.Flights.Full() {
		v.device.consider(v.now.Add(time.Second))
		return shown, nil
	}
	request := ratelimit.Request{ID: string(uid), Namespace: v.token.Namespace, Yields: true}
	if ok, estimate := r.Limiter.Acquire(job.App.Key(), request); !ok {
		v.device.consider(estimate)
		return shown, nil
	}
	log, generation := logf.FromContext(ctx), v.token.Generation
	err := r.Flights.Start(uid, func() {
		defer r.recoverFlight(log, v.token, generation, job)
		fly(log, job)
	})
	if err != nil {
		v.device.consider(v.now.Add(time.Second))
		return shown, nil //nolint:nilerr // too many flights, or the end of this process: nothing to tell of
	}
	v.device.asking = true
	return nil, nil
}

// requestCode asks GitHub for a code and stores it. The reconcile that follows shows it.
func (r *Reconciler) requestCode(log logr.Logger, token *v1alpha1.GitHubUserToken, job rotation.Job, series rotation.DeviceAuthorization) {
	ctx, cancel := context.WithTimeout(context.Background(), deviceTimeout)
	defer cancel()
	asked := r.Clock.Now()
	authorization, err := r.GitHub.RequestDeviceCode(ctx, job.App)
	if err != nil {
		r.pauseFor(job.App, rotation.Result{Err: err})
		r.devices.failed(token, troubleAtGitHub(err), backoffOf(rotation.Result{Err: err}))
		log.Info("No device code could be got", "why", words(err))
		return
	}
	offer := series
	offer.UserCode, offer.VerificationURI = authorization.UserCode, authorization.VerificationURI
	offer.ExpiresAt, offer.Interval = authorization.ExpiresAt, authorization.Interval
	offer.DeviceCode, offer.OfferedAt = authorization.DeviceCode.Fingerprint(), asked
	stored, err := r.Rotator.Offer(ctx, job, offer, authorization.DeviceCode)
	switch {
	case err == nil:
		r.memories.remember(token.UID, stored)
		deviceCodes.Inc()
		log.Info("A code is offered for a person to enter at GitHub", "expires", offer.ExpiresAt, "codes", offer.Codes)
	case errors.Is(err, rotation.ErrConflict), errors.Is(err, rotation.ErrExists), errors.Is(err, rotation.ErrNotFound):
		r.memories.doubt(token.UID)
		r.devices.failed(token, nil, time.Second)
		log.V(1).Info("A device code was not stored: the Secret was not as expected", "why", words(err))
	default:
		r.devices.failed(token, troubleAtStore(err), 2*time.Second)
		log.Info("A device code could not be stored", "why", words(err))
	}
}

// pollCode asks GitHub once whether the code was entered.
func (r *Reconciler) pollCode(log logr.Logger, token *v1alpha1.GitHubUserToken, job rotation.Job) {
	result := r.Rotator.Poll(context.Background(), job)
	r.pauseFor(job.App, result)
	var failed *github.Error
	pending := errors.As(result.Err, &failed) && (failed.Reason == github.AuthorizationPending || failed.Reason == github.SlowDown)
	if !pending {
		log = log.WithValues("code", job.Decision.Spends.Short(), "outcome", result.Outcome)
	}
	switch result.Outcome {
	case rotation.Committed, rotation.Superseded, rotation.Discarded:
		r.devices.forget(token.UID)
		r.landed(log, token, token.Generation, job, result)
		if result.Outcome == rotation.Committed {
			r.publish(log, token, result.Pair)
			r.handOver(log, token, result.Pair)
		}
	case rotation.WrongUser:
		observe(result)
		r.rememberNewer(token.UID, result.Pair)
		log.Info("A code was entered by another account than spec.user")
	case rotation.Rejected:
		r.rememberNewer(token.UID, result.Pair)
		r.devices.over(token, job.Pair.State.Device.Codes, result.Reason != "")
		log.Info("The code is of no more use", "reason", result.Reason, "why", words(result.Err))
	case rotation.Stale:
		r.memories.doubt(token.UID)
		r.rememberNewer(token.UID, result.Pair)
		r.devices.failed(token, nil, time.Second)
	case rotation.Untouched, rotation.Unknown:
		r.rememberNewer(token.UID, result.Pair)
		if pending {
			slower := failed.RetryAfter
			if result.Pair != nil && result.Pair.State.Device != nil {
				slower = max(slower, result.Pair.State.Device.Interval) // A slow_down may leave it to us to know by how much.
			}
			r.devices.waits(token.UID, slower)
			return
		}
		r.devices.failed(token, troubleAtGitHub(result.Err), backoffOf(result))
		log.Info("GitHub could not be asked whether the code was entered", "why", words(result.Err))
	default:
		f := failureOf(result)
		r.devices.failed(token, &obstacle{reason: f.reason, message: f.message}, backoffOf(result))
		log.Info("GitHub was not asked whether the code was entered", "why", words(result.Err))
	}
}

// pauseFor stops all token requests of an App when GitHub has said that its rate limit is used up.
func (r *Reconciler) pauseFor(app github.App, result rotation.Result) {
	if pause := pauseOf(result); pause > 0 {
		r.Limiter.Pause(app.Key(), r.Clock.Now().Add(pause))
	}
}

func troubleAtGitHub(err error) *obstacle {
	var failed *github.Error
	if !errors.As(err, &failed) {
		return &obstacle{reason: v1alpha1.ReasonGitHubUnavailable, message: sentence(words(err))}
	}
	// An App without the device flow is for its owner to change, and no login comes before that.
	disabled := failed.Reason == github.DeviceFlowDisabled
	return &obstacle{reason: reasonOf(failed), message: sentence(failed.Error()), stalled: disabled, unauthorized: disabled}
}

func troubleAtStore(err error) *obstacle {
	if errors.Is(err, rotation.ErrTerminating) {
		return &obstacle{reason: v1alpha1.ReasonNamespaceTerminating, message: "The namespace is being deleted; nobody is asked to log in."}
	}
	return &obstacle{
		reason:  v1alpha1.ReasonAPIServerUnavailable,
		message: "No code is shown, because it could not be stored first: " + words(err) + ".",
	}
}

// login is why a person has to log in.
type login struct {
	// trouble names what brought it about: codes that are offered for the same trouble are one series.
	trouble string
	// cause says it to the person; empty, or a sentence after a blank.
	cause string
	// without is what stands in the way where there is no device flow.
	without *obstacle
}

// loginNeeded says why a person has to log in; nil when the resource has, or may yet get, a usable refresh
// token.
func loginNeeded(v *view, decision rotation.Decision, stop *obstacle) *login {
	state := v.stored()
	switch decision.Obstacle {
	case rotation.ObstacleNoSeed:
		if v.seed.problem != nil {
			return &login{trouble: "NoSeed", cause: " Or: " + v.seed.problem.message, without: stop}
		}
		return &login{trouble: "NoSeed", without: stop}
	case rotation.ObstacleVerdict:
		verdict := state.Verdict
		return &login{trouble: "Verdict/" + verdict.Reason + "/" + string(verdict.Fingerprint), cause: " " + verdictWords[verdict.Reason], without: stop}
	case rotation.ObstacleAppChanged:
		return &login{trouble: "AppChanged", cause: " " + verdictWords[v1alpha1.ReasonAppChanged], without: stop}
	case rotation.ObstacleUnproven:
		return &login{
			trouble: "Unproven/" + string(state.AccessToken), without: stop,
			cause: " The pair Secret was restored from elsewhere, and nothing proves that its pair is the current one.",
		}
	case rotation.ObstacleNone:
	default:
		return nil
	}
	switch {
	case stop != nil || state == nil || !state.HasToken():
		return nil
	case decision.Action != rotation.ActionNone:
		return nil
	case isAnotherUser(v):
		return &login{trouble: "AnotherUser", cause: " " + anotherUser(v), without: wrongUser(v)}
	case state.RefreshToken == "" && state.Expires() && !v.now.Before(state.ExpiresAt):
		return &login{trouble: "NoRefreshToken/" + string(state.AccessToken), cause: " There is no refresh token.", without: needsHuman(v.token, v1alpha1.ReasonRefreshTokenMissing)}
	default:
		return nil
	}
}

// enterCode tells the person what to do.
func enterCode(v *view, why *login, trouble *obstacle) *obstacle {
	device := v.pair.State.Device
	as := ""
	if pin := v.token.Spec.User; pin != nil && pin.Login != "" {
		as = ", signed in as " + pin.Login
	} else if pin != nil {
		as = fmt.Sprintf(", signed in as the account with the id %d", pin.ID)
	}
	offer := &obstacle{
		reason: v1alpha1.ReasonAuthorizationPending, unauthorized: true,
		message: fmt.Sprintf("Open %s%s, and enter the code %s before %s.%s",
			device.VerificationURI, as, device.UserCode, clockTime(device.ExpiresAt), why.cause),
	}
	if trouble != nil {
		offer.message += " At present it cannot be seen whether that was done: " + trouble.message
	}
	return offer
}

// needsAsking says that no more codes are offered until somebody asks for one.
func needsAsking(token *v1alpha1.GitHubUserToken, reason string) *obstacle {
	message := verdictWords[reason] + " Set the annotation " + v1alpha1.AnnotationRefreshRequestedAt + " to any new value to be offered another code"
	if ref := token.Spec.RefreshTokenRef; ref != nil {
		message += fmt.Sprintf(", or put a new refresh token into key %q of Secret %q", ref.Key, ref.Name)
	}
	return &obstacle{reason: reason, message: message + ".", stalled: true, unauthorized: true}
}

// codeOf names the code that the Secret holds for an App; empty when there is none.
func codeOf(device *rotation.DeviceAuthorization, app string) credential.Fingerprint {
	if device == nil || device.App != app || device.Ended != "" {
		return ""
	}
	return device.DeviceCode
}
