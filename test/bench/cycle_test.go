package bench

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/test/suite"
)

// The clients that are compared.
const (
	ours    = "operator"
	plainly = "plain"
	barely  = "bare"
)

// measure is what one client did with the subjects of one field.
type measure struct {
	// name says what was done, and client by whom.
	name, client string
	cycles       int
	// rate is how many were due in a second; 0 in a burst.
	rate int
	// span is from when the first was due to when the last had its status.
	span time.Duration
	// stored is from when each was due to when its pair was stored, and reported from then to when its status told of it.
	stored, reported suite.Durations
	usage            usage
	calls            *watchdog
	// objects and bytes are what the operator has allocated.
	objects, bytes float64
}

// perSecond is how many cycles a second it came to.
func (m *measure) perSecond() float64 { return float64(m.cycles) / m.span.Seconds() }

// eachObjects is how many objects the operator has allocated for one cycle.
func (m *measure) eachObjects() float64 { return m.objects / float64(m.cycles) }

// each is a share of one cycle.
func (m *measure) each(of time.Duration) time.Duration { return of / time.Duration(m.cycles) }

// shape says which cycles are to be made, and when.
type shape struct {
	name   string
	issue  bool
	cycles int
	rate   int
}

// at is when the i-th is due, from the first on.
func (s shape) at(i int) time.Duration {
	if s.rate == 0 {
		return 0
	}
	return time.Duration(i) * time.Second / time.Duration(s.rate)
}

// lead is the time before the first is due, in which the operator starts and takes note of the subjects.
func (s shape) lead() time.Duration {
	return 6*time.Second + time.Duration(s.cycles)*3*time.Millisecond
}

// field puts up the subjects, with the first one due at a time. What GitHub has to know it knows.
func (s shape) field(ctx context.Context, group string) (*field, error) {
	from := &the.left
	if s.issue {
		from = &the.fresh
	}
	f, err := newField(ctx, from, s.cycles)
	if err != nil {
		return nil, err
	}
	if group != "" {
		f.group = group
	}
	return f, f.login(ctx, f.subjects)
}

// store stores them, and returns when the first is due: at once, or after a lead.
func (s shape) store(ctx context.Context, f *field, lead time.Duration) (first time.Time, err error) {
	if s.issue {
		for _, subject := range f.subjects {
			subject.seed.Data["refresh_token"] = []byte(subject.spends.Reveal())
		}
		first = time.Now()
		err = f.store(ctx)
		for _, subject := range f.subjects {
			subject.due = first
		}
		return first, err
	}
	first = time.Now().Add(lead)
	for i, subject := range f.subjects {
		subject.holds(credential.NewAccessToken(junk("ghu_", 36)), subject.spends, first.Add(s.at(i)))
		if f.group == bareGroup {
			subject.pair.OwnerReferences, subject.pair.Labels = nil, nil
		}
	}
	return first, f.store(ctx)
}

// byOperator lets the operator make the cycles.
func (s shape) byOperator(ctx context.Context) (*measure, error) {
	m := &measure{name: s.name, client: ours, cycles: s.cycles, rate: s.rate}
	f, err := s.field(ctx, "")
	if err != nil {
		return nil, err
	}
	var first time.Time
	if s.issue {
		first, err = m.beginIssue(ctx, s, f)
	} else {
		first, err = m.beginRenewal(ctx, s, f)
	}
	if err != nil {
		return nil, err
	}
	took := m.usage
	objects, bytes, err := allocations(ctx)
	if err != nil {
		return nil, err
	}
	profiled := profile(ctx, s.name, s.cycles, true)
	if err := m.await(ctx, f, first); err != nil {
		return nil, fmt.Errorf("%w; the end of the operator's log:\n%s", err, the.stage.Operator.LogTail())
	}
	m.usage = takeUsage().minus(took)
	m.objects, m.bytes, err = allocations(ctx)
	if err != nil {
		return nil, err
	}
	m.objects, m.bytes = m.objects-objects, m.bytes-bytes
	if err := profiled(); err != nil {
		return nil, err
	}
	if err := stopOperator(ctx); err != nil {
		return nil, err
	}
	return m, f.remove(ctx)
}

// beginIssue gives the operator the resources while it rests. Its usage until then is noted.
func (m *measure) beginIssue(ctx context.Context, s shape, f *field) (first time.Time, err error) {
	if _, _, err := startOperator(ctx); err != nil {
		return first, err
	}
	if err := the.audit.skip(); err != nil {
		return first, err
	}
	m.calls = newWatchdog(theOperator, f.subjects)
	m.usage = takeUsage()
	return s.store(ctx, f, 0)
}

// beginRenewal starts the operator among the resources, and waits until the first is due. Nothing may be written before.
func (m *measure) beginRenewal(ctx context.Context, s shape, f *field) (first time.Time, err error) {
	if first, err = s.store(ctx, f, s.lead()); err != nil {
		return first, err
	}
	if err := the.audit.skip(); err != nil {
		return first, err
	}
	if _, _, err := startOperator(ctx); err != nil {
		return first, err
	}
	if late := time.Since(first); late > 0 {
		return first, fmt.Errorf("%s: the operator took %s too long to take note of the resources", s.name, late)
	}
	early := newWatchdog(theOperator, f.subjects)
	if err := the.audit.read(early.saw); err != nil {
		return first, err
	}
	if early.writes() > 0 {
		return first, fmt.Errorf("%s: the operator has written before anything was due: %v; are the resources not in the shape in which it leaves them?", s.name, early.calls)
	}
	m.calls = newWatchdog(theOperator, f.subjects)
	time.Sleep(time.Until(first))
	m.usage = takeUsage()
	return first, nil
}

// byPlain lets a plain client make them, or a bare one.
func (s shape) byPlain(ctx context.Context, bare bool) (*measure, error) {
	m := &measure{name: s.name, client: plainly, cycles: s.cycles, rate: s.rate}
	group := ""
	if bare {
		m.client, group = barely, bareGroup
	}
	f, err := s.field(ctx, group)
	if err != nil {
		return nil, err
	}
	p, err := newPlain(ctx, bare)
	if err != nil {
		return nil, err
	}
	defer p.stop()
	m.calls = newWatchdog(thePlain, f.subjects)
	first, err := s.store(ctx, f, time.Second+time.Duration(s.cycles)*time.Millisecond)
	if err != nil {
		return nil, err
	}
	if err := the.audit.skip(); err != nil {
		return nil, err
	}
	do := p.renew
	if s.issue {
		do = p.issue
		first = time.Now()
		for _, subject := range f.subjects {
			subject.due = first
		}
	}
	time.Sleep(time.Until(first))
	took := takeUsage()
	profiled := profile(ctx, s.name+" "+m.client, s.cycles, false)
	if err := s.play(ctx, f.subjects, first, do); err != nil {
		return nil, fmt.Errorf("%s by the %s client: %w", s.name, m.client, err)
	}
	if err := m.await(ctx, f, first); err != nil {
		return nil, err
	}
	m.usage = takeUsage().minus(took)
	if err := profiled(); err != nil {
		return nil, err
	}
	return m, f.remove(ctx)
}

// play makes each cycle at its time, or all of them by so many hands as there are.
func (s shape) play(ctx context.Context, subjects []*subject, first time.Time, do func(context.Context, *subject) error) error {
	if s.rate == 0 {
		return each(ctx, subjects, settings.hands, do)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var working sync.WaitGroup
	for i, subject := range subjects {
		time.Sleep(time.Until(first.Add(s.at(i))))
		working.Go(func() {
			if err := do(ctx, subject); err != nil {
				cancel(err)
			}
		})
	}
	working.Wait()
	return context.Cause(ctx)
}

// await waits until all cycles have ended and nothing comes after them, and reads off the times.
func (m *measure) await(ctx context.Context, f *field, first time.Time) error {
	const quiet = 1500 * time.Millisecond
	patience := 2*time.Minute + time.Duration(m.cycles)*200*time.Millisecond
	for end := time.Now().Add(patience); m.calls.reported < m.cycles || time.Since(m.calls.last) < quiet; time.Sleep(50 * time.Millisecond) {
		if err := the.audit.read(m.calls.saw); err != nil {
			return err
		}
		if time.Now().After(end) || ctx.Err() != nil {
			return fmt.Errorf("%s by %s: %d of %d cycles have ended after %s", m.name, m.client, m.calls.reported, m.cycles, patience)
		}
	}
	for _, s := range f.subjects {
		cycle := m.calls.subjects[s.key()]
		m.stored = append(m.stored, cycle.stored.Sub(s.due))
		m.reported = append(m.reported, cycle.reported.Sub(cycle.stored))
		m.span = max(m.span, cycle.reported.Sub(first))
	}
	return nil
}

// measured makes the cycles by the operator, and where figures are wanted by the plain clients before it.
func measured(t *testing.T, s shape, clients ...string) *measure {
	t.Helper()
	var last *measure
	for _, who := range clients {
		var err error
		switch who {
		case ours:
			last, err = s.byOperator(t.Context())
		case plainly, barely:
			if !settings.figures {
				continue
			}
			last, err = s.byPlain(t.Context(), who == barely)
		}
		if err != nil {
			t.Fatal(err)
		}
		results.add(last)
		t.Log(last)
	}
	return last
}
