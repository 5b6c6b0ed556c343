package resourcemetrics

import (
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/exposition"
)

// Options configure Metrics.
type Options struct {
	// Objects are the GitHubUserTokens, GitHubApps or ClusterGitHubApps in the cache, whichever the argument is one of. They
	// are not changed.
	Objects func(like runtime.Object) []any
	// App is the host and the client ID of the App of a resource, wherever its spec has it from; empty when they are not
	// known.
	App func(*v1alpha1.GitHubUserToken) (host, clientID string)
	// Selects reports whether an object is one that this process serves: others have their series elsewhere. Nil: all are.
	Selects func(metav1.Object) bool
	// Leading is closed when this process leads.
	Leading <-chan struct{}
	// Aggregate says that nothing has series of its own that a tenant can make: only the numbers of resources are told.
	Aggregate bool
}

// Metrics are those of resources. Make them with New.
type Metrics struct{ options Options }

// New makes Metrics.
func New(options Options) Metrics { return Metrics{options} }

const (
	// overdueAfter is from how long after its time a refresh counts as overdue. What is tried again has a new time.
	overdueAfter = 10 * time.Minute
	// expiringWithin is how long before its end a refresh token counts as expiring.
	expiringWithin = 14 * 24 * time.Hour
)

// otherReason is the label of reasons that are not the operator's own: who may write a status can write anything there.
const otherReason = "other"

// Write writes them, by a clock that says now. In a process that does not lead it writes nothing.
func (m Metrics) Write(w *exposition.Writer, now time.Time) {
	select {
	case <-m.options.Leading:
	default:
		return
	}
	// Pointers alone are held. Each family is a pass over them, since its series must stand together.
	objects, unselected := m.selected(&v1alpha1.GitHubUserToken{})
	writeNumbers(w, objects, now)
	w.Family("githubusertoken_resources_unselected", "How many GitHubUserTokens --watch-label-selector leaves to other deployments.", exposition.Gauge)
	w.Sample(float64(unselected))
	m.writeApps(w)
	if m.options.Aggregate {
		return
	}
	w.Family("githubusertoken_info", "1 for each resource, with its App, its account once that is known, and whether it is suspended.", exposition.Gauge)
	eachToken(objects, func(token *v1alpha1.GitHubUserToken) {
		account, suspended := "", "false"
		if token.Status.User != nil {
			account = token.Status.User.Login
		}
		if token.Spec.Suspend {
			suspended = "true"
		}
		host, clientID := m.options.App(token)
		w.Sample(1, namespaceOf(token), nameOf(token),
			exposition.Label{Name: "host", Value: host}, exposition.Label{Name: "client_id", Value: clientID},
			exposition.Label{Name: "account", Value: account}, exposition.Label{Name: "suspended", Value: suspended})
	})
	w.Family("githubusertoken_condition", "1 for each condition of a resource, with its status and reason.", exposition.Gauge)
	eachToken(objects, func(token *v1alpha1.GitHubUserToken) {
		eachCondition(token, func(condition *metav1.Condition, reason string) {
			w.Sample(1, namespaceOf(token), nameOf(token), exposition.Label{Name: "type", Value: condition.Type},
				exposition.Label{Name: "status", Value: string(condition.Status)}, exposition.Label{Name: "reason", Value: reason})
		})
	})
	for _, family := range []struct {
		name, help string
		of         func(*v1alpha1.GitHubUserTokenStatus) *metav1.Time
	}{
		{
			"githubusertoken_access_token_expiration_timestamp_seconds", "When the access token in the Secret expires (Unix time).",
			func(status *v1alpha1.GitHubUserTokenStatus) *metav1.Time { return status.AccessTokenExpirationTime },
		},
		{
			"githubusertoken_refresh_token_expiration_timestamp_seconds", "When the refresh token in the Secret expires (Unix time).",
			func(status *v1alpha1.GitHubUserTokenStatus) *metav1.Time { return status.RefreshTokenExpirationTime },
		},
		{
			"githubusertoken_next_refresh_timestamp_seconds", "When the next exchange, or the next try of a failing one, is due (Unix time).",
			func(status *v1alpha1.GitHubUserTokenStatus) *metav1.Time { return status.NextRefreshTime },
		},
	} {
		w.Family(family.name, family.help, exposition.Gauge)
		eachToken(objects, func(token *v1alpha1.GitHubUserToken) {
			if at := family.of(&token.Status); at != nil {
				w.Sample(float64(at.Unix()), namespaceOf(token), nameOf(token))
			}
		})
	}
}

// selected are the objects that this process serves, and how many there are that it does not.
func (m Metrics) selected(like runtime.Object) (objects []any, others int) {
	all := m.options.Objects(like)
	if m.options.Selects == nil {
		return all, 0
	}
	objects = make([]any, 0, len(all))
	for _, object := range all {
		if of, ok := object.(metav1.Object); ok && m.options.Selects(of) {
			objects = append(objects, object)
		}
	}
	return objects, len(all) - len(objects)
}

// writeNumbers writes how many resources there are of what kind. No label of it is anything that a tenant chooses.
func writeNumbers(w *exposition.Writer, objects []any, now time.Time) {
	type key struct{ kind, status, reason string }
	var all, suspended, overdue, expiring int
	conditions := map[key]int{}
	eachToken(objects, func(token *v1alpha1.GitHubUserToken) {
		all++
		if token.Spec.Suspend {
			suspended++
		}
		if at := token.Status.NextRefreshTime; at != nil && now.Sub(at.Time) > overdueAfter {
			overdue++
		}
		if at := token.Status.RefreshTokenExpirationTime; at != nil && at.Sub(now) < expiringWithin {
			expiring++
		}
		eachCondition(token, func(condition *metav1.Condition, reason string) {
			conditions[key{condition.Type, string(condition.Status), reason}]++
		})
	})
	number := func(name, help string, value int) {
		w.Family(name, help, exposition.Gauge)
		w.Sample(float64(value))
	}
	number("githubusertoken_resources", "How many GitHubUserTokens there are.", all)
	number("githubusertoken_resources_suspended", "How many of them are suspended.", suspended)
	number("githubusertoken_resources_overdue", "How many of them have a refresh that was due more than 10 minutes ago.", overdue)
	number("githubusertoken_resources_refresh_token_expiring", "How many of them have a refresh token that expires within 14 days, or has expired.", expiring)
	w.Family("githubusertoken_resources_by_condition", "How many of them have a condition of a type, status and reason.", exposition.Gauge)
	for of, count := range conditions {
		w.Sample(float64(count), exposition.Label{Name: "type", Value: of.kind}, exposition.Label{Name: "status", Value: of.status}, exposition.Label{Name: "reason", Value: of.reason})
	}
}

func eachToken(objects []any, visit func(*v1alpha1.GitHubUserToken)) {
	for _, object := range objects {
		if token, ok := object.(*v1alpha1.GitHubUserToken); ok {
			visit(token)
		}
	}
}

// eachCondition visits the conditions that are the operator's own: there may be others in a status that somebody has
// edited, and each would be a series.
func eachCondition(token *v1alpha1.GitHubUserToken, visit func(condition *metav1.Condition, reason string)) {
	for i := range token.Status.Conditions {
		condition := &token.Status.Conditions[i]
		if !slices.Contains(conditionTypes, condition.Type) {
			continue
		}
		reason := otherReason
		if knownReasons[condition.Reason] {
			reason = condition.Reason
		}
		visit(condition, reason)
	}
}

func namespaceOf(token *v1alpha1.GitHubUserToken) exposition.Label {
	return exposition.Label{Name: "namespace", Value: token.Namespace}
}

func nameOf(token *v1alpha1.GitHubUserToken) exposition.Label {
	return exposition.Label{Name: "name", Value: token.Name}
}
