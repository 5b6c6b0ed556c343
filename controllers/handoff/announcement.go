package handoff

import (
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// An output that could not be written with the others still holds the dead token. Those who read it are notified
// again when it is written at last: the announcement before names the outputs that were missing, so that the
// later one differs from it. After a crash the same announcement comes about again, and changes nothing.

// announcement is what workloads are told of a token: its name (see NameOf), and the outputs that do not hold it
// yet, sorted.
type announcement struct {
	token string
	late  []string
}

// String is what stands in the annotation.
func (a announcement) String() string {
	if len(a.late) == 0 {
		return a.token
	}
	return a.token + " without " + strings.Join(a.late, ",")
}

// covers reports whether another announcement would tell nothing new: the token is the same, and no output that
// lacked it has it now.
func (a announcement) covers(next announcement) bool {
	return a.token == next.token && !haveCaughtUp(a.late, next.late)
}

// isComplete reports whether the announcement is of a token that every output holds.
func (a announcement) isComplete(token string) bool { return a.token == token && len(a.late) == 0 }

// keep forgets outputs that are wanted no longer.
func (a *announcement) keep(outputs []v1alpha1.Output) {
	a.late = slices.DeleteFunc(slices.Clone(a.late), func(name string) bool {
		return !slices.ContainsFunc(outputs, func(o v1alpha1.Output) bool { return o.Name == name })
	})
}

// among is the announcement for somebody who reads these Secrets only.
func (a announcement) among(secrets []string) announcement {
	return announcement{a.token, slices.DeleteFunc(slices.Clone(a.late), func(name string) bool { return !slices.Contains(secrets, name) })}
}

// haveCaughtUp reports whether some of the outputs that were late are so no more.
func haveCaughtUp(before, now []string) bool {
	return slices.ContainsFunc(before, func(name string) bool { return !slices.Contains(now, name) })
}

// NameOf names a token in the annotations of workloads: by the time at which it was asked for, to the
// microsecond. A workload that has been notified of it already is not changed by a second time, after a crash.
func NameOf(state *rotation.State) string {
	return TimeOf(state).UTC().Format(metav1.RFC3339Micro)
}

// TimeOf is the time in NameOf, as status.lastHandoffTime has it.
func TimeOf(state *rotation.State) *metav1.MicroTime {
	return &metav1.MicroTime{Time: state.IssuedAt.UTC().Truncate(time.Microsecond)}
}

// IsDone reports whether the workloads were told of the token, where that is asked for and was done before.
func IsDone(token *v1alpha1.GitHubUserToken, state *rotation.State) bool {
	last := token.Status.LastHandoffTime
	return token.Spec.Handoff == nil || last == nil || last.Equal(TimeOf(state))
}
