package outputs

import (
	"maps"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/resourceversion"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/outputs/managers"
	"github.com/githubusertoken/github-user-token-operator/internal/backoff"
	"github.com/githubusertoken/github-user-token-operator/internal/memory"
	"github.com/githubusertoken/github-user-token-operator/internal/problem"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// notebook is what this process remembers of outputs. Nothing is remembered of an output that is in the cache as
// it was written.
type notebook struct {
	clock rotation.Clock
	slot  memory.Slot[notes]
}

// notes is what is remembered of one resource's outputs.
type notes struct {
	// round is there while outputs are being written.
	round *round
	// byName are the outputs of which something is remembered.
	byName map[string]note
}

// round is about outputs of one resource that are being written.
type round struct {
	// writers is how many are at it: a rotation and a reconcile may be at once.
	writers int
	// gone are the Secrets that the cache has shown to be deleted since: one that was created in this round may be gone
	// before the answer to its creation is here. Beyond maxGone they are not known any more, and lost is set.
	gone []types.UID
	lost bool
	// disturbed reports that a Secret of theirs has changed since: what they saw in their way may be gone.
	disturbed bool
}

// maxGone is of how many Secrets it is known that they were deleted in a round: a tenant can make and delete any number.
const maxGone = 64

func (r *round) goes(secret types.UID) {
	if r.lost = r.lost || len(r.gone) >= maxGone; !r.lost {
		r.gone = append(r.gone, secret)
	}
}

// mayBeGone reports whether a Secret that was just written may have been deleted since.
func (r *round) mayBeGone(secret types.UID) bool {
	return r != nil && (r.lost || slices.Contains(r.gone, secret))
}

// note is what is remembered of one output.
type note struct {
	// written is the metadata as this process last wrote it, while the cache lags behind, and writtenAt is when.
	written   *metav1.ObjectMeta
	writtenAt time.Duration
	// missing reports that what was written was not in the cache when it was last looked for.
	missing bool
	// checked is the version whose data was read and found right, although managedFields do not prove it.
	checked string
	// altered is the version in which admission has stored other data than was written.
	altered string
	// trouble is why the output is not as it should be.
	trouble *trouble
	// contest is there when somebody else has changed the output.
	contest *contest
	// awaited is there while an output with a scope is late after an exchange.
	awaited awaited
}

// begin notes that outputs of a resource are about to be written. What it returns notes the end.
func (b notebook) begin(uid types.UID) (end func()) {
	var mine *round
	b.slot.With(uid, func(n *notes) {
		if n.round == nil {
			n.round = &round{}
		}
		mine = n.round
		mine.writers++
	})
	return func() {
		b.slot.Peek(uid, func(n *notes) {
			// The resource may have been forgotten since, and be remembered anew.
			if n.round != mine {
				return
			}
			if mine.writers--; mine.writers == 0 {
				n.round = nil
			}
		})
		b.tidy(uid)
	}
}

// change runs a function on what is remembered of an output, if anything is remembered of the resource. That is
// always so in a round, unless the resource was forgotten meanwhile, of which nothing is to be remembered anew.
func (b notebook) change(uid types.UID, name string, use func(*notes, *note)) {
	b.slot.Peek(uid, func(n *notes) {
		remembered := n.byName[name]
		use(n, &remembered)
		if remembered == (note{}) {
			delete(n.byName, name)
			return
		}
		if n.byName == nil {
			n.byName = map[string]note{}
		}
		n.byName[name] = remembered
	})
	b.tidy(uid)
}

// tidy forgets notes that are empty.
func (b notebook) tidy(uid types.UID) {
	b.slot.DropIf(uid, func(n *notes) bool { return n.round == nil && len(n.byName) == 0 })
}

// arrivalTime is for how long an output that was written and is missing from the cache may still be on its way there.
// Then it counts as gone; were it not, its creation would find it. An event about its end may have told nothing: somebody
// may have taken off before what makes it an output.
const arrivalTime = 2 * time.Minute

// newest is the newer of what the cache shows and what was last written.
func (b notebook) newest(uid types.UID, name string, cached *metav1.ObjectMeta) *metav1.ObjectMeta {
	newest, mono := cached, b.clock.Monotonic()
	b.change(uid, name, func(_ *notes, remembered *note) {
		written := remembered.written
		if written == nil {
			return
		}
		remembered.missing = cached == nil && mono-remembered.writtenAt < arrivalTime
		if remembered.missing || cached != nil && isOlder(cached.ResourceVersion, written.ResourceVersion) {
			newest = written
			return
		}
		remembered.forgetWritten()
	})
	return newest
}

// forgetWritten has the cache alone tell how the output is.
func (n *note) forgetWritten() { n.written, n.writtenAt, n.missing = nil, 0, false }

// isOlder compares two resourceVersions of Secrets. Versions that cannot be compared count as not older.
func isOlder(a, b string) bool {
	order, err := resourceversion.CompareResourceVersion(a, b)
	return err == nil && order < 0
}

// wrote remembers the metadata of an output that was just written, which ends its trouble.
func (b notebook) wrote(uid types.UID, name string, meta *metav1.ObjectMeta) {
	written, mono := meta.DeepCopy(), b.clock.Monotonic()
	written.ManagedFields = managers.OfData(meta.ManagedFields)
	b.change(uid, name, func(n *notes, remembered *note) {
		*remembered = note{contest: remembered.contest, awaited: remembered.awaited}
		if !n.round.mayBeGone(meta.UID) {
			remembered.written, remembered.writtenAt = written, mono
		}
	})
}

// foundRight remembers the version whose data was read and found right.
func (b notebook) foundRight(uid types.UID, name, version string) {
	b.change(uid, name, func(_ *notes, remembered *note) { remembered.checked = version })
}

// checked is the version whose data was read and found right; empty when there is none.
func (b notebook) checked(uid types.UID, name string) (version string) {
	b.slot.Peek(uid, func(n *notes) { version = n.byName[name].checked })
	return version
}

// sawAltered remembers the version in which admission has stored other data than was written.
func (b notebook) sawAltered(uid types.UID, name, version string) {
	b.change(uid, name, func(_ *notes, remembered *note) { remembered.altered = version })
}

// isAltered reports whether a version holds other data than was written, as far as is known.
func (b notebook) isAltered(uid types.UID, name string, meta *metav1.ObjectMeta) (altered bool) {
	b.slot.Peek(uid, func(n *notes) { altered = meta != nil && n.byName[name].altered == meta.ResourceVersion })
	return altered
}

// record remembers the problem of an output, which is tried again later each time. nil ends it.
func (b notebook) record(token *v1alpha1.GitHubUserToken, name string, found *problem.Problem) {
	now, mono := b.clock.Now(), b.clock.Monotonic()
	b.change(token.UID, name, func(n *notes, remembered *note) {
		if found == nil {
			remembered.trouble = nil
			return
		}
		next := remembered.trouble.then(*found, token.Generation)
		next.retry = backoff.DueIn(next.wait(n.round != nil && n.round.disturbed), now, mono)
		if !found.RetryAt.IsZero() {
			next.retry = backoff.DueIn(max(0, found.RetryAt.Sub(now)), now, mono)
		}
		remembered.trouble = next
		remembered.forgetWritten() // It did not help; look anew.
	})
}

// waits reports whether an output is in trouble and its next try is still to come. A new spec is tried at once.
func (b notebook) waits(token *v1alpha1.GitHubUserToken, name string) (waits bool) {
	mono := b.clock.Monotonic()
	b.change(token.UID, name, func(_ *notes, remembered *note) {
		if remembered.trouble != nil && remembered.trouble.generation != token.Generation {
			remembered.trouble = nil
		}
		waits = remembered.trouble != nil && !remembered.trouble.retry.HasCome(mono)
	})
	return waits
}

// keep forgets all outputs but the named ones. Of others it keeps that somebody makes them again each time they are
// removed, and of those that are surplus still, that they could not be removed.
func (b notebook) keep(uid types.UID, outputs []v1alpha1.Output, surplus []string) {
	mono := b.clock.Monotonic()
	b.slot.Peek(uid, func(n *notes) {
		for name, remembered := range n.byName {
			if slices.ContainsFunc(outputs, func(o v1alpha1.Output) bool { return o.Name == name }) {
				continue
			}
			left := note{}
			if c := remembered.contest; c != nil && c.removed != "" && !c.restored.IsOver(mono) {
				if left.contest = c; !slices.Contains(surplus, name) {
					c.due = backoff.Due{} // There is nothing to remove now.
				}
			}
			if t := remembered.trouble; t.isRemoval() && slices.Contains(surplus, name) {
				left.trouble = t
			}
			if n.byName[name] = left; left == (note{}) {
				delete(n.byName, name)
			}
		}
	})
	b.tidy(uid)
}

// problem is the problem of the outputs of a resource, of which that of one is shown and the others are named, and
// when to look again: now for what has come due and still stands, because it was passed over a moment before or could not
// be tried. Zero is for never: then an event brings the resource back.
func (b notebook) problem(uid types.UID, now time.Time) (shown *problem.Problem, requeueAt time.Time) {
	return b.problemOf(uid, now, func(note) bool { return true })
}

// surplusProblem is problem for those alone that the spec does not ask for.
func (b notebook) surplusProblem(uid types.UID, now time.Time) (shown *problem.Problem, requeueAt time.Time) {
	return b.problemOf(uid, now, func(n note) bool { return n.trouble.isRemoval() })
}

func (b notebook) problemOf(uid types.UID, now time.Time, counts func(note) bool) (shown *problem.Problem, requeueAt time.Time) {
	mono := b.clock.Monotonic()
	b.slot.Peek(uid, func(n *notes) {
		var names []string
		var problems []*problem.Problem
		for _, name := range slices.Sorted(maps.Keys(n.byName)) {
			remembered := n.byName[name]
			if !counts(remembered) {
				continue
			}
			if remembered.missing {
				requeueAt = earlier(requeueAt, now.Add(remembered.writtenAt+arrivalTime-mono)) // No event might bring us back.
			}
			if t := remembered.trouble; t != nil {
				requeueAt = earlier(requeueAt, remembered.retryAt(now, mono))
				names, problems = append(names, name), append(problems, &t.problem)
				continue
			}
			contested, at := remembered.contest.problem(name, now, mono)
			requeueAt = earlier(requeueAt, at)
			if contested != nil {
				names, problems = append(names, name), append(problems, contested)
			}
		}
		first := problem.First(problems...)
		if first == nil {
			return
		}
		shown = new(*first)
		index := slices.Index(problems, first)
		isTrouble := n.byName[names[index]].trouble != nil // A contest tells by itself whether there is a next try.
		if others := slices.Delete(names, index, index+1); len(others) > 0 {
			shown.Message += " Further outputs in trouble: " + strings.Join(others, ", ") + "."
		}
		if isTrouble && !shown.Stalled {
			shown.RetryAt = requeueAt
		}
	})
	return shown, requeueAt
}

// retryAt is when an output in trouble is tried again: a contest may hold up a try that has come due.
func (n note) retryAt(now time.Time, mono time.Duration) time.Time {
	switch {
	case !n.trouble.retry.HasCome(mono):
		return n.trouble.retry.At(now, mono)
	case n.contest.waits(mono):
		return n.contest.due.At(now, mono)
	default:
		return now
	}
}

// earlier is the earlier of two times; one that is zero is none.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}
