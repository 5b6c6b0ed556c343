package lifecycle

import (
	"context"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/backoff"
	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/memory"
	"github.com/githubusertoken/github-user-token-operator/internal/problem"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

const uid types.UID = "uid-1"

var (
	start    = time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	owner    = rotation.Owner{Namespace: "team-a", Name: "octocat", UID: string(uid)}
	inPlace  = rotation.Ref{Namespace: "team-a", Name: "octocat-token"}
	tryAgain = backoff.Backoff{First: time.Second, Max: time.Minute}
)

// handClock is a clock that is set by hand. Its wall clock may be set back; the monotonic one only goes on.
type handClock struct {
	wall time.Time
	mono time.Duration
}

func (c *handClock) Now() time.Time           { return c.wall }
func (c *handClock) Monotonic() time.Duration { return c.mono }
func (c *handClock) WithTimeout(ctx context.Context, _ time.Duration) (context.Context, context.CancelFunc) {
	return context.WithCancel(ctx)
}
func (c *handClock) Sleep(context.Context, time.Duration) error { return nil }

// pass lets time pass by both clocks.
func (c *handClock) pass(d time.Duration) { c.wall, c.mono = c.wall.Add(d), c.mono+d }

func newNotes() (notes, *handClock) {
	clock := &handClock{wall: start, mono: time.Hour}
	return notes{memory.NewSlot[note](memory.NewStore()), clock}, clock
}

// pairAt is the metadata of the resource's pair in a version.
func pairAt(version string, change ...func(*rotation.Pair)) *rotation.Pair {
	pair := &rotation.Pair{
		Ref: inPlace, Owner: owner, UID: "secret-1", Version: version, Controlled: true,
		State: rotation.State{Owner: owner.UID, AccessToken: "access", RefreshToken: "refresh", IssuedAt: start, ExpiresAt: start.Add(8 * time.Hour)},
	}
	for _, c := range change {
		c(pair)
	}
	return pair
}

func (n notes) latest() (latest *rotation.Pair) {
	n.Peek(uid, func(m *note) { latest = m.latest })
	return latest
}

func TestNoteTheNewerOfTheCacheAndTheLastWriteCounts(t *testing.T) {
	elsewhere := rotation.Ref{Namespace: "team-a", Name: "former-token"}
	for name, c := range map[string]struct {
		written, cached *rotation.Pair
		ref             rotation.Ref
		after           time.Duration
		want            string // The version; empty for none.
		kept            bool   // What was written is still remembered.
	}{
		"nothing was written":                                 {cached: pairAt("5"), ref: inPlace, want: "5"},
		"nothing was written, and there is nothing":           {ref: inPlace},
		"the cache lags behind":                               {written: pairAt("10"), cached: pairAt("9"), ref: inPlace, want: "10", kept: true},
		"the cache lags behind for an hour":                   {written: pairAt("10"), cached: pairAt("9"), ref: inPlace, after: time.Hour, want: "10", kept: true},
		"the cache has caught up":                             {written: pairAt("10"), cached: pairAt("10"), ref: inPlace, want: "10"},
		"the cache is ahead, and versions compare as numbers": {written: pairAt("9"), cached: pairAt("10"), ref: inPlace, want: "10"},
		"it has not arrived in the cache":                     {written: pairAt("10"), ref: inPlace, want: "10", kept: true},
		"it has not arrived for just less than two minutes":   {written: pairAt("10"), ref: inPlace, after: arrivalTime - time.Nanosecond, want: "10", kept: true},
		"a ghost is dropped after two minutes":                {written: pairAt("10"), ref: inPlace, after: arrivalTime},
		"it stands under another name":                        {written: pairAt("10"), cached: pairAt("5"), ref: elsewhere, want: "5", kept: true},
		"it stands under another name, where nothing is":      {written: pairAt("10"), ref: elsewhere, kept: true},
		"a version that nobody can compare counts as newer":   {written: pairAt("10"), cached: pairAt("x"), ref: inPlace, want: "x"},
	} {
		t.Run(name, func(t *testing.T) {
			n, clock := newNotes()
			n.written(uid, c.written)
			clock.pass(c.after)
			for range 2 { // To look twice is the same as to look once.
				var got *rotation.Pair
				n.With(uid, func(m *note) { got = m.newest(c.ref, c.cached, clock.Monotonic()) })
				version := ""
				if got != nil {
					version = got.Version
				}
				if version != c.want {
					t.Errorf("got version %q, want %q", version, c.want)
				}
			}
			if kept := n.latest() != nil; kept != c.kept {
				t.Errorf("it is remembered: %t, want %t", kept, c.kept)
			}
		})
	}
}

func TestNoteOfWhatIsKept(t *testing.T) {
	foreign := func(p *rotation.Pair) { p.Controlled = false }
	former := func(p *rotation.Pair) { p.Owner.UID = "uid-0" }
	const written, read = "written", "read"
	type step struct {
		how  string
		pair *rotation.Pair
	}
	for name, c := range map[string]struct {
		steps []step
		want  string
	}{
		"what was written": {[]step{{written, pairAt("1")}}, "1"},
		"what was written last, even if it looks older": {[]step{{written, pairAt("2")}, {written, pairAt("1")}}, "1"},
		"what was read":                                   {[]step{{read, pairAt("1")}}, "1"},
		"what was read, if it is newer":                   {[]step{{written, pairAt("9")}, {read, pairAt("10")}}, "10"},
		"not what was read, if it is older":               {[]step{{written, pairAt("10")}, {read, pairAt("9")}}, "10"},
		"nothing new from nothing":                        {[]step{{written, pairAt("1")}, {written, nil}, {read, nil}}, "1"},
		"no Secret of somebody else":                      {[]step{{read, pairAt("1", foreign)}}, ""},
		"no Secret of a former resource":                  {[]step{{read, pairAt("1", former)}}, ""},
		"and not the one whose place that has taken":      {[]step{{written, pairAt("1")}, {read, pairAt("2", foreign)}}, ""},
		"but the one that is there after a look too late": {[]step{{written, pairAt("3")}, {read, pairAt("2", foreign)}}, "3"},
		"also when a write has met somebody else's":       {[]step{{written, pairAt("1")}, {written, pairAt("2", former)}}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			n, _ := newNotes()
			for _, step := range c.steps {
				if step.how == written {
					n.written(uid, step.pair)
				} else {
					n.read(uid, step.pair)
				}
			}
			switch latest := n.latest(); {
			case latest == nil && c.want != "":
				t.Errorf("nothing is remembered, want version %s", c.want)
			case latest != nil && latest.Version != c.want:
				t.Errorf("version %s is remembered, want %q", latest.Version, c.want)
			}
		})
	}
	t.Run("and no token", func(t *testing.T) {
		n, _ := newNotes()
		pair := pairAt("1", func(p *rotation.Pair) {
			p.AccessToken, p.RefreshToken = credential.NewAccessToken("ghu_x"), credential.NewRefreshToken("ghr_x")
			p.SeedToken, p.DeviceCode = credential.NewRefreshToken("ghr_y"), credential.NewDeviceCode("z")
		})
		n.written(uid, pair)
		if kept := n.latest(); !kept.AccessToken.IsZero() || !kept.RefreshToken.IsZero() || !kept.SeedToken.IsZero() || kept.DeviceCode.Fingerprint() != "" {
			t.Error("a token stays in memory")
		}
		if pair.AccessToken.IsZero() {
			t.Error("the caller's pair was changed")
		}
	})
}

func TestNoteEndsTheReportOfAPairThatIsNotStored(t *testing.T) {
	for name, c := range map[string]struct {
		then func(notes)
		want bool
	}{
		"when it is stored":                    {func(n notes) { n.written(uid, pairAt("2")) }, false},
		"not when something is read beside it": {func(n notes) { n.read(uid, pairAt("2")) }, true},
		"not when nothing was written":         {func(n notes) { n.written(uid, nil) }, true},
	} {
		t.Run(name, func(t *testing.T) {
			n, _ := newNotes()
			n.With(uid, func(m *note) { m.committing = &problem.Problem{Reason: v1alpha1.ReasonCommitting} })
			c.then(n)
			n.Peek(uid, func(m *note) {
				if (m.committing != nil) != c.want {
					t.Errorf("it is reported: %t", m.committing != nil)
				}
			})
		})
	}
}

func TestNoteDoubtRemembersNothingAnew(t *testing.T) {
	store := memory.NewStore()
	n := notes{memory.NewSlot[note](store), &handClock{}}
	n.doubt(uid)
	n.succeed(uid)
	if store.Len() != 0 {
		t.Error("something is remembered of a resource that nobody has written for")
	}
	n.written(uid, pairAt("1"))
	n.doubt(uid)
	if n.latest() != nil {
		t.Error("what is in doubt is still believed")
	}
}

func TestNoteTellsAnEditFromTheOperatorsOwnWrites(t *testing.T) {
	for name, c := range map[string]struct {
		seen, own, version string
		want               bool
	}{
		"what was there at the start":        {version: "5"},
		"what was there when it was written": {own: "5", version: "5"},
		"what was looked at":                 {seen: "5", version: "5"},
		"the operator's own write":           {seen: "5", own: "6", version: "6"},
		"somebody else's":                    {seen: "5", version: "6", want: true},
		"somebody else's after its own":      {seen: "5", own: "6", version: "7", want: true},
	} {
		t.Run(name, func(t *testing.T) {
			m := &note{seenVersion: c.seen, ownVersion: c.own}
			if got := m.wasEdited(c.version); got != c.want {
				t.Errorf("edited: %t", got)
			}
		})
	}
}

func TestNoteAFailureIsTriedAgainLaterEachTime(t *testing.T) {
	down := problem.Problem{Reason: v1alpha1.ReasonGitHubUnavailable, Message: "GitHub is down."}
	other := problem.Problem{Reason: v1alpha1.ReasonHostUnreachable, Message: "No connection."}
	type failed struct {
		problem    problem.Problem
		generation int64
		requested  string
		login      string
	}
	tokenAt := func(f failed) *v1alpha1.GitHubUserToken {
		token := tokenOf(uid)
		token.Generation = f.generation
		token.Annotations = map[string]string{v1alpha1.AnnotationRefreshRequestedAt: f.requested, v1alpha1.AnnotationWebLoginRequested: f.login}
		return token
	}
	for name, c := range map[string]struct {
		failures []failed
		want     time.Duration
	}{
		"the first":                            {[]failed{{down, 1, "", ""}}, time.Second},
		"the second":                           {[]failed{{down, 1, "", ""}, {down, 1, "", ""}}, 2 * time.Second},
		"the third":                            {[]failed{{down, 1, "", ""}, {down, 1, "", ""}, {down, 1, "", ""}}, 4 * time.Second},
		"one for another reason":               {[]failed{{down, 1, "", ""}, {down, 1, "", ""}, {other, 1, "", ""}}, time.Second},
		"one of a changed generation":          {[]failed{{down, 1, "", ""}, {down, 1, "", ""}, {down, 2, "", ""}}, time.Second},
		"the next of that":                     {[]failed{{down, 1, "", ""}, {down, 1, "", ""}, {down, 2, "", ""}, {down, 2, "", ""}}, 2 * time.Second},
		"one that somebody asked for":          {[]failed{{down, 1, "", ""}, {down, 1, "", ""}, {down, 1, "now", ""}}, time.Second},
		"one since another login is asked for": {[]failed{{down, 1, "", ""}, {down, 1, "", ""}, {down, 1, "", "request-2 http://127.0.0.1:8976/"}}, time.Second},
		"never later than the back-off":        {[]failed{{down, 1, "", ""}, {down, 1, "", ""}, {down, 1, "", ""}, {down, 1, "", ""}, {down, 1, "", ""}, {down, 1, "", ""}, {down, 1, "", ""}, {down, 1, "", ""}}, time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			n, clock := newNotes()
			var told *problem.Problem
			for _, f := range c.failures {
				clock.pass(time.Hour)
				told = n.fail(tokenAt(f), f.problem, tryAgain)
			}
			if got := told.RetryAt.Sub(clock.Now()); got != c.want {
				t.Errorf("it is tried again after %s, want %s", got, c.want)
			}
			last := c.failures[len(c.failures)-1]
			if told.Reason != last.problem.Reason || told.Message != last.problem.Message {
				t.Errorf("told is %+v", told)
			}
			n.succeed(uid)
			if told = n.fail(tokenAt(last), last.problem, tryAgain); told.RetryAt.Sub(clock.Now()) != time.Second {
				t.Errorf("after a success it is tried again after %s", told.RetryAt.Sub(clock.Now()))
			}
		})
	}
}

func TestNoteTheTimeOfTheNextTryStaysUnlessTheWallClockIsSet(t *testing.T) {
	n, clock := newNotes()
	told := n.fail(tokenOf(uid), problem.Problem{Reason: v1alpha1.ReasonGitHubUnavailable}, backoff.Backoff{First: time.Minute, Max: time.Hour})
	var f *failure
	n.Peek(uid, func(m *note) { f = m.failure })
	at := told.RetryAt
	for name, c := range map[string]struct {
		wall, mono time.Duration
		want       time.Time
	}{
		"at once":                            {0, 0, at},
		"clocks that are read apart a bit":   {10 * time.Second, 10*time.Second + 900*time.Millisecond, at},
		"the wall clock was set back":        {-time.Hour, 10 * time.Second, at.Add(-time.Hour - 10*time.Second)},
		"the wall clock was set ahead":       {time.Hour, 10 * time.Second, at.Add(time.Hour - 10*time.Second)},
		"set back, and its time has come":    {-time.Hour, time.Minute, at.Add(-time.Hour - time.Minute)},
		"its time has come by the one clock": {time.Minute, time.Minute, at},
	} {
		t.Run(name, func(t *testing.T) {
			now, mono := clock.wall.Add(c.wall), clock.mono+c.mono
			got := f.current(now, mono)
			if !got.RetryAt.Equal(c.want) {
				t.Errorf("it is tried at %s, want %s", got.RetryAt, c.want)
			}
			if hasCome := !now.Before(got.RetryAt); hasCome != (c.mono >= time.Minute) {
				t.Errorf("its time has come: %t", hasCome)
			}
		})
	}
	if !f.problem.RetryAt.Equal(at) {
		t.Error("a look has changed what is remembered")
	}
}
