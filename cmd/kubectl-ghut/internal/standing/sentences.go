package standing

import (
	"fmt"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
)

// sentences say how a resource stands, what matters most first.
func (f *facts) sentences(now time.Time) []string {
	says := []string{f.headline(now)}
	add := func(text string) {
		if text != "" && !slices.Contains(says, text) {
			says = append(says, text)
		}
	}
	if f.token.DeletionTimestamp == nil && f.unseen && f.ready != nil {
		add("The operator has not looked at the latest change of the spec yet.")
	}
	if f.late {
		add("The operator seems not to be at work: what was due has not happened.")
	}
	if f.authorized != nil && f.authorized.Status != metav1.ConditionTrue {
		add(f.authorized.Message)
	}
	for _, condition := range []*metav1.Condition{f.stalled, f.trying} {
		if isTrue(condition) {
			add(condition.Message)
		}
	}
	if f.ready != nil && !f.works {
		add(f.ready.Message)
	}
	if f.isSuspended() {
		add("It is suspended (spec.suspend): nothing is refreshed until it is resumed.")
	}
	if held, err := time.Parse(time.RFC3339, f.token.Annotations[v1alpha1.AnnotationHoldUntil]); err == nil && held.After(now) {
		add(fmt.Sprintf("A refresh is put off until %s, or until shortly before the token expires.", When(held, now)))
	}
	return says
}

// headline says whether the token works.
func (f *facts) headline(now time.Time) string {
	expires, next := f.token.Status.AccessTokenExpirationTime, f.token.Status.NextRefreshTime
	switch {
	case f.token.DeletionTimestamp != nil:
		return fmt.Sprintf("It is being deleted, since %s. Its deletionPolicy is %s.", When(f.token.DeletionTimestamp.Time, now), f.deletionPolicy())
	case f.ready == nil:
		return "The operator has not looked at this resource yet."
	case !f.works && expires != nil && !expires.After(now):
		return fmt.Sprintf("There is no token that works: the last one expired at %s.", When(expires.Time, now))
	case !f.works:
		return "There is no token that works."
	case expires == nil:
		return "The token works, and does not expire."
	case next == nil || f.isSuspended():
		return fmt.Sprintf("The token works until %s.", When(expires.Time, now))
	default:
		return fmt.Sprintf("The token works until %s. The next refresh is at %s.", When(expires.Time, now), When(next.Time, now))
	}
}

func (f *facts) deletionPolicy() v1alpha1.DeletionPolicy {
	if f.token.Spec.DeletionPolicy == "" {
		return v1alpha1.DeletionPolicyDelete
	}
	return f.token.Spec.DeletionPolicy
}
