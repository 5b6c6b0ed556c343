package backoff

import "time"

// Something that the operator keeps as it should be may be changed by somebody else, who may put the change back whenever
// it is undone: a mirror that merges a key, a policy that strips a label. Both would write without end. So what happens
// now and then is undone at once, and what happens again and again later each time.

const (
	// undoneAtOnce is how often the same is put right without a pause.
	undoneAtOnce = 4
	// ContestPause is the longest time between two rounds of a contest, unless the caller wants it shorter.
	ContestPause = 5 * time.Minute
	// contestMemory is for how long what was put right must stand for the contest to be over.
	contestMemory = 2 * ContestPause
	// contestShown is for how long at least a contest is told of after a round of it.
	contestShown = time.Minute
)

var contestPauses = Backoff{First: time.Second, Max: ContestPause}

// Contest is what is remembered of one thing that is put right. The zero value is that of one that never was. All times
// are by the monotonic clock.
type Contest struct {
	// Rounds is how often the same was put right.
	Rounds int
	// wanted names what it was put right to.
	wanted uint64
	last   time.Duration
	// paused reports that it had to wait for a round.
	paused bool
}

// Wait is how long it is until what was found amiss may be put right; zero when it may be now. wanted names what it is put
// right to: to want something else is no round of the same contest.
func (c *Contest) Wait(wanted uint64, mono, longest time.Duration) time.Duration {
	if c.wanted != wanted || c.IsOver(mono) {
		*c = Contest{}
	}
	if c.Rounds < undoneAtOnce {
		return 0
	}
	c.paused = true
	return max(0, c.last+min(c.pause(), longest)-mono)
}

// Round notes that it was put right.
func (c *Contest) Round(wanted uint64, mono time.Duration) {
	if c.wanted != wanted || c.IsOver(mono) {
		*c = Contest{wanted: wanted}
	}
	c.Rounds++
	c.last = mono
}

// IsOn reports whether somebody has changed it again although it had been put right so often.
func (c *Contest) IsOn() bool { return c.paused }

// TellFor is for how much longer the contest is worth telling of while what was put right stands; zero when it is not.
func (c *Contest) TellFor(mono time.Duration) time.Duration {
	if !c.paused {
		return 0
	}
	return max(0, c.last+max(c.pause(), contestShown)-mono)
}

// IsOver reports whether nothing need be remembered of it.
func (c *Contest) IsOver(mono time.Duration) bool {
	return c.Rounds == 0 || mono-c.last >= contestMemory
}

func (c *Contest) pause() time.Duration { return contestPauses.After(c.Rounds - undoneAtOnce + 1) }
