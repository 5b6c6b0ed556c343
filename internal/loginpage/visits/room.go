package visits

import (
	"slices"
	"time"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
)

// again is for how long a browser that begins anew goes on with the visit that it has: it has pressed twice, or has lost the answer.
const again = 30 * time.Second

// Limits are how many visits may be under way at once, of one address and of all.
type Limits struct{ PerClient, InAll int }

// Room is what somebody finds who begins a visit.
type Room struct {
	// Own is the visit that this browser has begun a moment ago, with which it may go on.
	Own *v1alpha1.GitHubUserToken
	// End are those that end first: what this browser has begun earlier, and what makes room.
	End []*v1alpha1.GitHubUserToken
	// Full says that there is no room; then nothing ends.
	Full bool
}

// Room looks for a place. Where all are taken the oldest visit that nobody has confirmed makes room, one of the same address if the places of that
// are: whoever fills them without ever logging in keeps nobody out, and from one address costs no other its visit. One that is being deleted
// counts until it has gone, as its token does.
func (l Limits) Room(under []v1alpha1.GitHubUserToken, browser, visitor string, now time.Time) Room {
	var room Room
	var others []*v1alpha1.GitHubUserToken
	for i := range under {
		visit := &under[i]
		switch {
		case visit.Labels[v1alpha1.LabelVisit] != browser || visit.DeletionTimestamp != nil:
			others = append(others, visit)
		case room.Own == nil && now.Sub(visit.CreationTimestamp.Time) < again && !isConfirmed(visit) && !isOver(visit):
			room.Own = visit
		default:
			room.End = append(room.End, visit)
		}
	}
	slices.SortStableFunc(others, func(a, b *v1alpha1.GitHubUserToken) int {
		return a.CreationTimestamp.Compare(b.CreationTimestamp.Time)
	})
	isOfVisitor := func(visit *v1alpha1.GitHubUserToken) bool { return visit.Labels[v1alpha1.LabelVisitor] == visitor }
	isAny := func(*v1alpha1.GitHubUserToken) bool { return true }
	for _, bound := range []struct {
		counts func(*v1alpha1.GitHubUserToken) bool
		most   int
	}{{isOfVisitor, l.PerClient}, {isAny, l.InAll}} {
		for count(others, bound.counts) >= bound.most {
			at := slices.IndexFunc(others, func(visit *v1alpha1.GitHubUserToken) bool {
				return bound.counts(visit) && visit.DeletionTimestamp == nil && !isConfirmed(visit)
			})
			if at < 0 {
				return Room{Own: room.Own, Full: true}
			}
			room.End = append(room.End, others[at])
			others = slices.Delete(others, at, at+1)
		}
	}
	return room
}

func isOver(visit *v1alpha1.GitHubUserToken) bool {
	return visit.Status.WebLogin != nil && visit.Status.WebLogin.Result != ""
}

func count(visits []*v1alpha1.GitHubUserToken, counts func(*v1alpha1.GitHubUserToken) bool) (n int) {
	for _, visit := range visits {
		if counts(visit) {
			n++
		}
	}
	return n
}
