package appstatus

import (
	"context"
	"errors"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/apps"
	"github.com/githubusertoken/github-user-token-operator/internal/backoff"
	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/github"
)

const (
	// checkTimeout bounds one question to GitHub.
	checkTimeout = 10 * time.Second
	// checkAgain is until GitHub is asked about a client secret once more that it has accepted: the App's owner may have
	// deleted it there.
	checkAgain = 24 * time.Hour
)

// failedCheck is until GitHub is asked again after it did not say, or refused: some minutes pass until it knows a new secret
// everywhere.
var failedCheck = backoff.Backoff{First: time.Minute, Max: time.Hour}

// madeUp is a token that no App has given out. Of an App that proves itself by its client secret GitHub answers that it knows no
// such token (404), and of any other that it does not know the App (401).
var madeUp = credential.NewAccessToken("ghu_000000000000000000000000000000000000")

// note is what GitHub has said of a client secret.
type note struct {
	// version names the Secret's version, and app the host and client ID, that were asked about.
	version, app string
	condition    metav1.Condition
	failures     int
	// next is when to ask again, by the monotonic clock.
	next time.Duration
}

// credentials is the condition CredentialsValid of an App, and when to look again; nil when there is no client secret to ask
// about.
func (r *Reconciler) credentials(ctx context.Context, a app) (*metav1.Condition, time.Duration, error) {
	spec := a.AppSpec()
	if spec.ClientSecretRef == nil || r.options.GitHub.CheckHost(spec.Host) != nil {
		r.notes.Drop(a.GetUID())
		return nil, checkAgain, nil
	}
	namespace := a.GetNamespace()
	if namespace == "" {
		namespace = r.options.SecretNamespace
	}
	secret, version, missing, err := r.options.ClientSecret(ctx, namespace, spec.ClientSecretRef)
	if err != nil {
		return nil, 0, fmt.Errorf("read the client secret of the App: %w", err)
	}
	if missing != nil {
		r.notes.Drop(a.GetUID())
		return &metav1.Condition{Type: v1alpha1.ConditionCredentialsValid, Status: metav1.ConditionFalse, Reason: missing.Reason, Message: missing.Message}, checkAgain, nil
	}
	var known note
	r.notes.Peek(a.GetUID(), func(n *note) { known = *n })
	mono, key := r.options.Clock.Monotonic(), apps.Key(spec)
	same := known.version == version && known.app == key
	if same && mono < known.next {
		return &known.condition, known.next - mono, nil
	}
	if ok, until := r.options.Turn(spec.Host, a.GetNamespace(), string(a.GetUID())); !ok {
		waiting := unknown("GitHub is asked about the client secret when it is this App's turn.")
		if same {
			waiting = &known.condition
		}
		return waiting, max(until.Sub(r.options.Clock.Now()), time.Second), nil
	}
	found := note{version: version, app: key, condition: r.check(ctx, github.App{Host: spec.Host, ClientID: spec.ClientID, ClientSecret: secret})}
	wait := checkAgain
	if found.condition.Status != metav1.ConditionTrue {
		if same {
			found.failures = known.failures
		}
		found.failures++
		wait = failedCheck.After(found.failures)
	}
	found.next = mono + wait
	r.notes.With(a.GetUID(), func(n *note) { *n = found })
	return &found.condition, wait, nil
}

// check asks GitHub whether it accepts a client secret.
func (r *Reconciler) check(ctx context.Context, app github.App) metav1.Condition {
	ctx, cancel := r.options.Clock.WithTimeout(ctx, checkTimeout)
	defer cancel()
	_, err := r.options.GitHub.CheckToken(ctx, app, madeUp)
	failed, isGitHubs := errors.AsType[*github.Error](err)
	switch {
	case err == nil:
		return metav1.Condition{
			Type: v1alpha1.ConditionCredentialsValid, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonCredentialsAccepted,
			Message: "GitHub accepts the client ID and the client secret.",
		}
	case isGitHubs && (failed.Reason == github.IncorrectClientCredentials || failed.Reason == github.UnknownClient):
		return metav1.Condition{
			Type: v1alpha1.ConditionCredentialsValid, Status: metav1.ConditionFalse, Reason: v1alpha1.ReasonIncorrectClientCredentials,
			Message: "GitHub does not accept the client ID and the client secret: " + err.Error() + ". Correct clientID, or put a current client secret of the App into the Secret.",
		}
	default:
		return *unknown("GitHub did not say whether it accepts the client secret: " + err.Error() + ". It is asked again.")
	}
}

func unknown(message string) *metav1.Condition {
	return &metav1.Condition{Type: v1alpha1.ConditionCredentialsValid, Status: metav1.ConditionUnknown, Reason: v1alpha1.ReasonNotYetChecked, Message: message}
}
