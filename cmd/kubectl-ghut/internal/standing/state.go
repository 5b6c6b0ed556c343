package standing

import (
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
)

// State is how a resource stands, in one word.
type State string

const (
	// Ready: there is a token that works, and nobody is needed.
	Ready State = "Ready"
	// Working: the operator is at work, or tries again by itself; or it has not looked yet. There is no token that works.
	Working State = "Working"
	// NeedsPerson: somebody has to log in, or to resume the resource. The token may still work for a while.
	NeedsPerson State = "NeedsPerson"
	// Stalled: nothing more happens until somebody changes the configuration. The token may still work for a while.
	Stalled State = "Stalled"
	// Deleting: the resource is being deleted.
	Deleting State = "Deleting"
)

// overdue is how late a refresh may be before it looks as if nobody makes it.
const overdue = 10 * time.Minute

// ExitCode is what the commands exit with for a resource in this state: 0 ready, 1 not ready, 2 a person is needed, 3 stalled.
func (s State) ExitCode() int {
	switch s {
	case Ready:
		return 0
	case NeedsPerson:
		return 2
	case Stalled:
		return 3
	default:
		return 1
	}
}

// Worst is the exit code for several resources: that of those who wait for somebody goes before that of those who wait for
// a change, and this before the rest.
func Worst(codes ...int) int {
	worst := 0
	rank := map[int]int{0: 0, 1: 1, 3: 2, 2: 3}
	for _, code := range codes {
		if rank[code] > rank[worst] {
			worst = code
		}
	}
	return worst
}

// facts are what a state follows from.
type facts struct {
	token                              *v1alpha1.GitHubUserToken
	ready, authorized, stalled, trying *metav1.Condition
	// works reports whether there is a token that works, by the conditions and by the time.
	works bool
	// unseen: the operator has not looked at the resource, or not at its latest spec.
	unseen bool
	// late: the status is older than it could be if the operator were at work.
	late bool
}

func factsOf(token *v1alpha1.GitHubUserToken, now time.Time) facts {
	condition := func(kind string) *metav1.Condition { return meta.FindStatusCondition(token.Status.Conditions, kind) }
	f := facts{
		token: token, ready: condition(v1alpha1.ConditionReady), authorized: condition(v1alpha1.ConditionAuthorized),
		stalled: condition(v1alpha1.ConditionStalled), trying: condition(v1alpha1.ConditionReconciling),
	}
	f.unseen = f.ready == nil || token.Status.ObservedGeneration != token.Generation
	expires, next := token.Status.AccessTokenExpirationTime, token.Status.NextRefreshTime
	expired := expires != nil && !expires.After(now)
	says := isTrue(f.ready)
	f.works = says && !expired
	f.late = says && expired || !token.Spec.Suspend && next != nil && now.Sub(next.Time) > overdue
	return f
}

func (f *facts) state() State {
	switch {
	case f.token.DeletionTimestamp != nil:
		return Deleting
	case f.ready == nil:
		return Working
	case f.isSuspended() && !f.works:
		return NeedsPerson
	case f.authorized != nil && f.authorized.Status == metav1.ConditionFalse:
		return NeedsPerson
	case isTrue(f.stalled):
		return Stalled
	case f.works && !f.late:
		return Ready
	default:
		return Working
	}
}

func (f *facts) isSuspended() bool { return f.token.Spec.Suspend }

func isTrue(condition *metav1.Condition) bool {
	return condition != nil && condition.Status == metav1.ConditionTrue
}

// StateOf says how a resource stands.
func StateOf(token *v1alpha1.GitHubUserToken, now time.Time) State {
	f := factsOf(token, now)
	return f.state()
}
