package outputs

import (
	"encoding/json"
	"fmt"
	"hash/fnv"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/outputs/format"
	"github.com/githubusertoken/github-user-token-operator/controllers/outputs/managers"
	"github.com/githubusertoken/github-user-token-operator/internal/backoff"
	"github.com/githubusertoken/github-user-token-operator/internal/problem"
)

// contest is about an output that somebody else changes. Only what Sync puts right counts: a new token is written at once,
// whoever contests the output.
type contest struct {
	// restored counts the writes, and looked the reads of an output's data that then was right.
	restored, looked backoff.Contest
	// removed is the Secret that was removed last because the spec does not ask for the output; empty for one that it
	// asks for.
	removed types.UID
	// due is when the output is looked at again although it is amiss now; the zero value when nothing waits.
	due backoff.Due
	// rivals are the field managers that were found in the output's data, in words; empty when none was.
	rivals string
}

// wantedGone is what an output is put right to that the spec no longer asks for.
const wantedGone = 1

// wantedOf names what an output is put right to: its content and its metadata.
func wantedOf(spec v1alpha1.Output, wanted format.Metadata) uint64 {
	text, err := json.Marshal([]any{wanted, spec.Type, spec.Format})
	if err != nil {
		return 0 // Texts and maps of texts can always be marshalled.
	}
	hash := fnv.New64a()
	_, _ = hash.Write(text)
	return hash.Sum64()
}

// mayPutRight reports whether an output that was found amiss may be put right now. current is its metadata, nil when
// there is none.
func (b notebook) mayPutRight(uid types.UID, name string, wanted uint64, current *metav1.ObjectMeta) (may bool) {
	now, mono := b.clock.Now(), b.clock.Monotonic()
	b.change(uid, name, func(_ *notes, remembered *note) {
		c := remembered.contest
		if c == nil || c.removed != "" && wanted != wantedGone {
			may = true
			return
		}
		wait := max(c.restored.Wait(wanted, mono, backoff.ContestPause), c.looked.Wait(wanted, mono, backoff.ContestPause))
		if may = wait == 0; may {
			c.due = backoff.Due{}
			return
		}
		if c.due.HasCome(mono) {
			c.due = backoff.DueIn(wait, now, mono)
		}
		c.rivals = rivalsIn(current)
	})
	return may
}

// putRight counts a write, or a look that found nothing to write.
func (b notebook) putRight(uid types.UID, name string, wanted uint64, written bool) {
	mono := b.clock.Monotonic()
	b.change(uid, name, func(_ *notes, remembered *note) {
		if remembered.contest == nil || remembered.contest.removed != "" {
			remembered.contest = &contest{}
		}
		if written {
			remembered.contest.restored.Round(wanted, mono)
		} else {
			remembered.contest.looked.Round(wanted, mono)
		}
	})
}

// mayRemove reports whether an output that the spec does not ask for may be removed now. One that was removed already is
// only in the cache still.
func (b notebook) mayRemove(uid types.UID, name string, meta *metav1.ObjectMeta) bool {
	gone := false
	b.change(uid, name, func(_ *notes, remembered *note) {
		gone = remembered.contest != nil && remembered.contest.removed == meta.UID
	})
	return !gone && b.mayPutRight(uid, name, wantedGone, meta)
}

// removed counts the removal of an output that the spec does not ask for.
func (b notebook) removed(uid types.UID, name string, secret types.UID) {
	mono := b.clock.Monotonic()
	b.change(uid, name, func(_ *notes, remembered *note) {
		if remembered.contest == nil || remembered.contest.removed == "" {
			remembered.contest = &contest{}
		}
		remembered.contest.removed = secret
		remembered.contest.restored.Round(wantedGone, mono)
	})
}

// stands notes that an output was found as it should be.
func (b notebook) stands(uid types.UID, name string) {
	mono := b.clock.Monotonic()
	b.change(uid, name, func(_ *notes, remembered *note) {
		switch c := remembered.contest; {
		case c == nil:
		case c.restored.IsOver(mono) && c.looked.IsOver(mono):
			remembered.contest = nil
		default:
			c.due = backoff.Due{}
		}
	})
}

// waits reports whether the output is amiss and is looked at again later. c may be nil.
func (c *contest) waits(mono time.Duration) bool { return c != nil && !c.due.HasCome(mono) }

// isOverdue reports whether the output was passed over, and its time has come since.
func (c *contest) isOverdue(mono time.Duration) bool {
	return c.due != (backoff.Due{}) && c.due.HasCome(mono)
}

// problem is what is told of the contest, nil when nothing is, and when to look at the output again: now when its time came
// after it was passed over; zero for never.
func (c *contest) problem(name string, now time.Time, mono time.Duration) (*problem.Problem, time.Time) {
	if c == nil {
		return nil, time.Time{}
	}
	found := &problem.Problem{Reason: v1alpha1.ReasonContested, Aside: true, Message: c.words(name)}
	tell, lookAt := c.restored.TellFor(mono), time.Time{}
	switch {
	case c.waits(mono):
		lookAt = c.due.At(now, mono)
	case c.isOverdue(mono):
		lookAt = now
	}
	switch {
	case !lookAt.IsZero() && c.restored.IsOn():
		found.RetryAt = lookAt
		return found, lookAt
	case !lookAt.IsZero():
		return nil, lookAt
	case tell > 0:
		return found, now.Add(tell)
	default:
		return nil, time.Time{}
	}
}

func (c *contest) words(name string) string {
	if c.removed != "" {
		return fmt.Sprintf("Somebody else makes output %q again each time the operator has removed it, because spec.outputs does not ask for it: %d times within minutes%s. Have that stopped, or add the output to the spec. The operator removes it later each time.",
			name, c.restored.Rounds, c.rivals)
	}
	return fmt.Sprintf("Somebody else changes output %q, or deletes it, each time the operator has put it right: %d times within minutes%s. Have that stopped, or have it write to a Secret of its own. The operator puts the output right later each time, and writes each new token at once.",
		name, c.restored.Rounds, c.rivals)
}

// maxRivals is how many field managers are named.
const maxRivals = 3

// rivalsIn names the field managers of others in an output's data, as far as its metadata tells.
func rivalsIn(meta *metav1.ObjectMeta) string {
	if meta == nil {
		return ""
	}
	var names []string
	for _, entry := range meta.ManagedFields {
		if entry.Manager != managers.Name && entry.Manager != "" {
			names = append(names, fmt.Sprintf("%q", entry.Manager))
		}
	}
	slices.Sort(names)
	names = slices.Compact(names)
	if len(names) == 0 {
		return ""
	}
	return ", as field manager " + strings.Join(names[:min(len(names), maxRivals)], " or ")
}
