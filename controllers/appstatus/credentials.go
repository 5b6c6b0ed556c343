package appstatus

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/restlimit"
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

// doubtPause is how old at least what GitHub has said is when somebody's doubt has it asked again.
const doubtPause = time.Minute

// failedCheck is until GitHub is asked again after it did not say, or refused: some minutes pass until it knows a new secret
// everywhere.
var failedCheck = backoff.Backoff{First: time.Minute, Max: time.Hour}

// hashSeed makes the hashes of client secrets worth nothing outside of this process.
var hashSeed = maphash.MakeSeed()

// madeUp is a token that no App has given out. Of an App that proves itself by its client secret GitHub answers that it knows no
// such token (404), and of any other that it does not know the App (401).
var madeUp = credential.NewAccessToken("ghu_000000000000000000000000000000000000")

// accepted and refused are what GitHub says of a client secret.
var (
	accepted = condition(metav1.ConditionTrue, v1alpha1.ReasonCredentialsAccepted, "GitHub accepts the client ID and the client secret.")
	refused  = condition(metav1.ConditionFalse, v1alpha1.ReasonIncorrectClientCredentials,
		"GitHub does not accept the client ID with the client secret. Correct clientID, or put a current client secret of the App into the Secret.")
)

// notAsked is told while nobody has asked GitHub about a client secret.
var notAsked = condition(metav1.ConditionUnknown, v1alpha1.ReasonNotYetChecked, "GitHub is asked about the client secret when it is this App's turn.")

// note is what was found out about a client secret.
type note struct {
	// about is what was looked at.
	about about
	// version is that of the Secret that was read, and told what the watch had told of it until then: both stand for it.
	version string
	told    told
	// value is a hash of the client secret, which has the same one in each version that holds the same.
	value     uint64
	condition metav1.Condition
	failures  int
	// at is when it was found out, and next is when to look again, by the monotonic clock.
	at, next time.Duration
}

// about names a client secret, and whose it is to be.
type about struct {
	host, clientID string
	secret         types.NamespacedName
	key            string
}

// told is what the watch tells of a Secret.
type told struct {
	version string
	known   bool
}

// stands reports whether what was found is still to be told.
func (n note) stands(about about, now told, mono time.Duration) bool {
	return n.about == about && now.known && (now.version == n.version || now == n.told) && mono < n.next
}

// credentials is the condition CredentialsValid of an App, and when to look again; nil when there is no client secret to ask
// about. The Secret is read when it may have changed, or GitHub is to be asked.
func (r *Reconciler) credentials(ctx context.Context, a app) (*metav1.Condition, time.Duration, error) {
	spec := a.AppSpec()
	namespace := a.GetNamespace()
	if namespace == "" {
		namespace = r.options.SecretNamespace
	}
	if spec.ClientSecretRef == nil || namespace == "" || r.options.GitHub.CheckHost(spec.Host) != nil {
		r.notes.Drop(a.GetUID())
		return nil, checkAgain, nil
	}
	of := about{spec.Host, spec.ClientID, types.NamespacedName{Namespace: namespace, Name: spec.ClientSecretRef.Name}, spec.ClientSecretRef.Key}
	var known note
	r.notes.Peek(a.GetUID(), func(n *note) { known = *n })
	now, mono := r.told(of.secret), r.options.Clock.Monotonic()
	if known.stands(of, now, mono) {
		return &known.condition, known.next - mono, nil
	}
	secret, version, missing, err := r.options.ClientSecret(ctx, of.secret, of.key)
	if err != nil {
		return nil, 0, fmt.Errorf("read the client secret of the App: %w", err)
	}
	found := note{about: of, version: version, told: now, at: mono}
	if missing == nil {
		found.value = maphash.String(hashSeed, secret.Reveal())
	}
	same := known.about == of && known.value == found.value
	if missing != nil {
		found.condition = condition(metav1.ConditionFalse, missing.Reason, missing.Message)
		return r.remember(a, found, checkAgain, mono)
	}
	// Written without a change of what it holds. Of one that GitHub has refused somebody wants to know anew.
	if same && mono < known.next && (known.version == version || known.condition.Status == metav1.ConditionTrue) {
		known.version, known.told = version, now
		return r.remember(a, known, known.next-mono, mono)
	}
	who := restlimit.Caller{UID: a.GetUID(), Namespace: a.GetNamespace()}
	checked, turn := r.check(ctx, who, github.App{Host: spec.Host, ClientID: spec.ClientID, ClientSecret: secret})
	holds := known.condition // What GitHub has said of this client secret holds until it says something else.
	switch {
	case known.about == (about{}):
		holds = answerIn(a)
	case !same:
		holds = notAsked
	}
	if turn != nil {
		if known.about == (about{}) {
			found.condition = holds
			_, _, _ = r.remember(a, found, 0, mono) // It holds for this client secret, and for no other that comes meanwhile.
		}
		return &holds, max(time.Until(turn.Until), time.Second), nil // The limiter has the real clock.
	}
	if found.condition = checked; checked.Status == metav1.ConditionUnknown && holds.Status != metav1.ConditionUnknown {
		found.condition = holds
	}
	wait := checkAgain
	if checked.Status != metav1.ConditionTrue {
		if same {
			found.failures = known.failures
		}
		found.failures++
		wait = failedCheck.After(found.failures)
	}
	return r.remember(a, found, wait, mono)
}

// beforeStart follows an answer of which this process knows by the status alone.
const beforeStart = " That was so before the operator started; GitHub is asked again when it answers."

// answerIn is what the status says that GitHub has said of the App as it is; notAsked where it says nothing of that. A process that
// has just started knows nothing else.
func answerIn(a app) metav1.Condition {
	told := meta.FindStatusCondition(a.AppStatus().Conditions, v1alpha1.ConditionCredentialsValid)
	if told == nil || told.ObservedGeneration != a.GetGeneration() {
		return notAsked
	}
	for _, answer := range []metav1.Condition{accepted, refused} {
		if told.Status == answer.Status && told.Reason == answer.Reason {
			answer.Message += beforeStart // It may be about a client secret of before.
			return answer
		}
	}
	return notAsked
}

// Doubt has GitHub asked again about the client secret of an App, a minute after it was asked last at the soonest: it has
// refused the App to somebody who uses it. What is known to be amiss is looked at again anyway. news reports that it was not
// doubted yet; the caller then has the App looked at after the wait.
func (r *Reconciler) Doubt(name types.NamespacedName) (wait time.Duration, news bool) {
	mono := r.options.Clock.Monotonic()
	for _, uid := range r.options.Memory.UIDs(name) {
		r.notes.Peek(uid, func(n *note) {
			if doubted := n.at + doubtPause; n.condition.Status == metav1.ConditionTrue && doubted < n.next {
				n.next, wait, news = doubted, max(0, doubted-mono), true
			}
		})
	}
	return wait, news
}

func (r *Reconciler) told(secret types.NamespacedName) told {
	version, known := r.options.Version(secret)
	return told{version, known}
}

// remember remembers what was found until it is to be found out again.
func (r *Reconciler) remember(a app, found note, wait, mono time.Duration) (*metav1.Condition, time.Duration, error) {
	found.next = mono + wait
	r.notes.With(a.GetUID(), func(n *note) { *n = found })
	return &found.condition, wait, nil
}

// check asks GitHub whether it accepts a client secret; turn is when there is no turn for that.
func (r *Reconciler) check(ctx context.Context, who restlimit.Caller, app github.App) (found metav1.Condition, turn *restlimit.WaitingError) {
	ctx, cancel := r.options.Clock.WithTimeout(ctx, checkTimeout)
	defer cancel()
	_, err := r.options.GitHub.CheckToken(ctx, who, app, madeUp)
	if waiting, ok := errors.AsType[*restlimit.WaitingError](err); ok {
		return metav1.Condition{}, waiting
	}
	failed, isGitHubs := errors.AsType[*github.Error](err)
	switch {
	case err == nil:
		return accepted, nil
	case isGitHubs && (failed.Reason == github.IncorrectClientCredentials || failed.Reason == github.UnknownClient):
		return refused, nil
	default:
		return condition(metav1.ConditionUnknown, v1alpha1.ReasonNotYetChecked, "GitHub did not say whether it accepts the client secret: "+err.Error()+". It is asked again."), nil
	}
}

func condition(status metav1.ConditionStatus, reason, message string) metav1.Condition {
	return metav1.Condition{Type: v1alpha1.ConditionCredentialsValid, Status: status, Reason: reason, Message: message}
}
