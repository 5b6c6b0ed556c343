package standing

import (
	"fmt"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
)

// sentences say how a resource stands, what matters most first, and nothing twice. What the conditions say besides of what to do stands
// among the commands.
func (f *facts) sentences(now time.Time) []string {
	says := []string{f.headline(now)}
	said := map[string]bool{}
	add := func(text string) {
		var next []string
		for _, sentence := range split(Plain(text)) {
			if sentence == "The pair Secret holds no refresh token." && !HasToken(f.token) {
				sentence = "Nobody has logged in yet."
			}
			if !said[sentence] && !f.isSaid(sentence) {
				said[sentence] = true
				next = append(next, sentence)
			}
		}
		if next != nil {
			says = append(says, strings.Join(next, " "))
		}
	}
	if f.token.DeletionTimestamp == nil && f.unseen && f.ready != nil {
		add("The operator has not looked at the latest change yet.")
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
	switch {
	case f.isSuspended() && f.works:
		add("It is suspended, so nothing is refreshed, and nobody can log in. To go on: " + f.command("resume"))
	case f.isSuspended() && !HasToken(f.token):
		add("It is suspended, so nobody can log in.")
	case f.isSuspended(): // The command is what to do now.
		add("It is suspended, so nothing is refreshed, and nobody can log in.")
	}
	if held := Held(f.token, now); !held.IsZero() {
		add(fmt.Sprintf("A refresh is put off until %s, or until shortly before the token expires. To end that: %s", When(held, now), f.command("hold", "--release")))
	} else if text := f.token.Annotations[v1alpha1.AnnotationHoldUntil]; text != "" && !isTime(text) {
		add(fmt.Sprintf("Nothing is put off, because the hold that somebody has set is no time: %.40q. To take it off: %s", text, f.command("hold", "--release")))
	}
	return says
}

func isTime(text string) bool {
	_, err := time.Parse(time.RFC3339, text)
	return err == nil
}

// isSaid reports whether a sentence of a condition is one that is said here in other words, or that stands among what to do.
func (f *facts) isSaid(sentence string) bool {
	for _, beginning := range []string{"The access token expired at ", "spec.suspend stops all exchanges."} {
		if strings.HasPrefix(sentence, beginning) {
			return true
		}
	}
	return f.token.Spec.RefreshTokenRef != nil && f.authorized != nil && f.authorized.Status == metav1.ConditionFalse &&
		(strings.HasPrefix(sentence, "Authorize the App again and put the new refresh token into key ") || strings.HasPrefix(sentence, "Put a new refresh token into key "))
}

// headline says whether the token works.
func (f *facts) headline(now time.Time) string {
	expires, next := f.token.Status.AccessTokenExpirationTime, f.token.Status.NextRefreshTime
	switch {
	case f.token.DeletionTimestamp != nil:
		return fmt.Sprintf("It is being deleted, since %s. Its deletionPolicy is %s: %s", When(f.token.DeletionTimestamp.Time, now), f.deletionPolicy(), endings[f.deletionPolicy()])
	case f.ready == nil:
		return "The operator has not looked at this resource yet."
	case !f.works && expires != nil && !expires.After(now):
		return fmt.Sprintf("There is no token that works: the last one expired at %s.", When(expires.Time, now))
	case !f.works && !HasToken(f.token):
		return "There is no token yet."
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

// endings say what becomes of the pair when a resource is deleted.
var endings = map[v1alpha1.DeletionPolicy]string{
	v1alpha1.DeletionPolicyDelete: "its Secret goes, and nobody ends its tokens at GitHub.",
	v1alpha1.DeletionPolicyRetain: "its Secret stays.",
	v1alpha1.DeletionPolicyRevoke: "its tokens are ended at GitHub, and its Secret goes.",
}

func (f *facts) deletionPolicy() v1alpha1.DeletionPolicy {
	if f.token.Spec.DeletionPolicy == "" {
		return v1alpha1.DeletionPolicyDelete
	}
	return f.token.Spec.DeletionPolicy
}
