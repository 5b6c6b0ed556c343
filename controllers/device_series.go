package controllers

import (
	"fmt"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// A series of codes ends when it has lasted for so long, or has come to so many codes. Then a person has to
// ask for another: a code that is offered for ever is one that somebody will be tricked into entering.
const (
	offerTime = time.Hour
	maxCodes  = 10
)

const (
	// pollSlowdown makes polls rarer the longer a code goes unused: after 15 minutes they are half a minute
	// apart. Polls count as token requests of the App, which resources that have a token need as well.
	pollSlowdown = 30
	// maxPollBackoff is the longest wait between polls that fail: a code does not live long.
	maxPollBackoff = time.Minute
)

// devices is what this process remembers of device flows: when to ask GitHub again. After a restart it is
// empty, and the Secret tells the code, its interval and its series.
type devices struct {
	mu    sync.Mutex
	clock rotation.Clock
	byUID map[types.UID]*deviceMemory
}

// deviceMemory is what is remembered of one resource's device flow.
type deviceMemory struct {
	// code is the code that the rest speaks of; empty while there is none.
	code credential.Fingerprint
	// next is when to poll, or when to ask for another code, by the monotonic clock.
	next time.Duration
	// isOver says that GitHub takes the code no more, whatever the clock says.
	isOver bool
	// every is the time between two polls.
	every time.Duration
	// tries counts the failures in a row, and trouble tells of the last.
	tries   int
	trouble *obstacle
	// generation and asked are the resource's at that failure: a change of them is a reason to try at once.
	generation int64
	asked      string
}

func newDevices(clock rotation.Clock) *devices {
	return &devices{clock: clock, byUID: map[types.UID]*deviceMemory{}}
}

// deviceStage is how far a device flow is.
type deviceStage int

const (
	// stageWanted: a code is to be asked for.
	stageWanted deviceStage = iota
	// stageOffered: a person can enter the code.
	stageOffered
	// stageEnded: no code is offered until a person asks for one.
	stageEnded
)

// deviceStep is what is to be done about a device flow.
type deviceStep struct {
	stage deviceStage
	// code names the code that is offered.
	code credential.Fingerprint
	// ended is the reason of Authorized=False at stageEnded.
	ended string
	// series is what the next code inherits.
	series rotation.DeviceAuthorization
	// wait is how long it is until the step is due; zero or less when it is.
	wait time.Duration
	// trouble says why the last step failed; nil when it did not.
	trouble *obstacle
}

// look says what is to be done. It relies on the Secret for all but the times of the next poll and try.
func (d *devices) look(v *view, why *login) deviceStep {
	device := (*rotation.DeviceAuthorization)(nil)
	if state := v.stored(); state != nil {
		device = state.Device
	}
	asked := v.input.RefreshRequestedAt
	step := deviceStep{code: codeOf(device, v.input.App)}
	step.series = rotation.DeviceAuthorization{
		App: v.input.App, For: v.input.App + " " + pinText(v.token) + " " + why.trouble, Asked: asked, Since: v.now, Codes: 1,
	}
	sameSeries := device != nil && device.For == step.series.For && device.Asked == asked
	if sameSeries {
		step.series.Since, step.series.Codes = device.Since, device.Codes+1
	}

	d.mu.Lock()
	defer d.mu.Unlock()
	m, mono := d.of(v.token.UID), d.clock.Monotonic()
	if m.code != step.code {
		*m = deviceMemory{code: step.code, next: mono}
		if step.code != "" {
			m.every = device.Interval
			m.next += m.every // When it was last asked for is not known after a restart.
		}
	}
	if m.trouble != nil && (m.generation != v.token.Generation || m.asked != asked) {
		m.next, m.tries, m.trouble = min(m.next, mono+m.every), 0, nil
	}
	step.wait, step.trouble = m.next-mono, m.trouble
	switch {
	case step.code != "" && !m.isOver && v.now.Before(device.ExpiresAt.Add(device.Interval)):
		m.every = max(device.Interval, v.now.Sub(device.OfferedAt)/pollSlowdown)
		step.stage = stageOffered
	case sameSeries && device.Ended != "":
		step.stage, step.ended = stageEnded, device.Ended
	case sameSeries && (device.Codes >= maxCodes || v.now.Sub(device.Since) >= offerTime):
		step.stage, step.ended = stageEnded, v1alpha1.ReasonAuthorizationExpired
	default:
		step.stage = stageWanted
		if step.code != "" && !m.isOver {
			// It has expired by the clock. A clock that is wrong ends each code at once, so the next one waits as it
			// does when GitHub ends a code.
			m.isOver, m.next = true, mono+nextCodeIn(device.Codes)
			step.wait = m.next - mono
		}
		if step.trouble != nil && !step.trouble.stalled {
			step.trouble = new(*step.trouble)
			step.trouble.next = v.now.Add(max(0, step.wait))
		}
	}
	return step
}

// waits notes that the person has not entered the code yet. slower is the interval that GitHub asks for by now.
func (d *devices) waits(uid types.UID, slower time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	m := d.of(uid)
	m.tries, m.trouble = 0, nil
	m.every = max(m.every, slower)
	m.next = d.clock.Monotonic() + m.every
}

// failed notes that a step failed and is to be tried again, later each time. trouble may be nil when there is
// nothing to tell.
func (d *devices) failed(token *v1alpha1.GitHubUserToken, trouble *obstacle, wait time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	m := d.of(token.UID)
	m.trouble, m.generation, m.asked = trouble, token.Generation, requestOf(token)
	longest := maxBackoff
	if m.code != "" && !m.isOver {
		longest = maxPollBackoff
	}
	pause := min(wait<<min(m.tries, 10), max(wait, longest))
	m.tries++
	m.next = d.clock.Monotonic() + max(pause, m.every)
}

// over notes that the code is of no more use. The next one follows, later each time; finally says that none
// does.
func (d *devices) over(token *v1alpha1.GitHubUserToken, codes int, finally bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	m := d.of(token.UID)
	m.isOver, m.tries, m.trouble = !finally, 0, nil
	m.next = d.clock.Monotonic() + nextCodeIn(codes)
	if finally {
		m.next = d.clock.Monotonic() + m.every
	}
}

// nextCodeIn is the pause after a code of a series that came to nothing, longer after each.
func nextCodeIn(codes int) time.Duration {
	return min(time.Second<<min(max(0, codes-1), 10), maxBackoff)
}

// forget drops what is remembered of a flow that has come to its end, or of a resource that is gone.
func (d *devices) forget(uid types.UID) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.byUID, uid)
}

func (d *devices) of(uid types.UID) *deviceMemory {
	m := d.byUID[uid]
	if m == nil {
		m = &deviceMemory{}
		d.byUID[uid] = m
	}
	return m
}

func pinText(token *v1alpha1.GitHubUserToken) string {
	if pin := token.Spec.User; pin != nil {
		return fmt.Sprintf("%s#%d", pin.Login, pin.ID)
	}
	return "anybody"
}
