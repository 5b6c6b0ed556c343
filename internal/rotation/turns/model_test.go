package turns

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// model is two chains of one account, those who read the published token, and the operator that plans by what it sees, which is late.
type model struct {
	rng *rand.Rand
	// mono is the true time, and ahead by how much the wall clock differs from it.
	mono, ahead time.Duration
	overlap     time.Duration
	chains      [2]*chain
	// secret is what workloads read.
	secret struct {
		number int64
		token  credential.Fingerprint
	}
	// readAt is when each token was last there for workloads to read.
	readAt map[credential.Fingerprint]time.Duration
	// seen is what each chain's reconciler sees there, and since when.
	seen [2]struct {
		number int64
		since  time.Duration
	}
	awayUntil time.Duration
	exchanges int
	tokens    int
	wrong     string
}

// chain is one of the two, with what is known of it elsewhere.
type chain struct {
	pair *rotation.Pair
	// shown is the pair as the other chain's reconciler sees it.
	shown *rotation.Pair
	// diesAt is when its access token expires by GitHub's clock, and endsAt when its exchange has its answer; zero for none.
	diesAt, endsAt time.Duration
	number         int64
	retryAt        time.Duration
}

const step = time.Minute

func newModel(seed uint64, overlap time.Duration) *model {
	m := &model{rng: rand.New(rand.NewPCG(seed, 17)), overlap: overlap, readAt: map[credential.Fingerprint]time.Duration{}}
	for i, owner := range []string{"primary", "alternate"} {
		m.chains[i] = &chain{pair: chainOf(owner, 0, time.Time{}).Pair}
		m.issue(m.chains[i], int64(2*(1-i)+i))
		m.chains[i].shown = m.chains[i].pair.Clone()
		m.mono += time.Minute
	}
	m.exchanges = 0
	return m
}

func (m *model) wall() time.Time { return start.Add(m.mono + m.ahead) }

// issue gives a chain another pair.
func (m *model) issue(c *chain, number int64) {
	m.tokens++
	m.exchanges++
	pair := c.pair.Clone()
	pair.Intent = nil
	pair.State.AccessToken, pair.State.RefreshToken = credential.Fingerprint(fmt.Sprintf("access-%d", m.tokens)), credential.Fingerprint(fmt.Sprintf("refresh-%d", m.tokens))
	pair.State.IssuedAt, pair.State.ExpiresAt, pair.State.Publication = m.wall(), m.wall().Add(lifetime), number
	c.pair, c.diesAt = pair, m.mono+lifetime
}

// plan is what the reconciler of a chain plans, by its own pair and what it sees of the rest.
func (m *model) plan(i int) (Of, Plan) {
	if m.seen[i].number != m.secret.number && m.rng.IntN(3) > 0 {
		m.seen[i].number, m.seen[i].since = m.secret.number, m.mono
	}
	own, other := m.chains[i], m.chains[1-i]
	look := Of{
		Own: Chain{Owner: own.pair.Owner.UID, Pair: own.pair, App: app}, Other: Chain{Owner: other.pair.Owner.UID, Pair: other.shown, App: app},
		IsPrimary: i == 0, Seen: Seen{m.seen[i].number, m.mono - m.seen[i].since}, Overlap: m.overlap, Now: m.wall(),
	}
	return look, PlanOf(look)
}

// act is one look of a chain's reconciler.
func (m *model) act(i int) {
	c := m.chains[i]
	if c.endsAt > 0 {
		if m.mono < c.endsAt {
			return
		}
		c.endsAt = 0
		if m.mono < m.awayUntil {
			c.pair = c.pair.Clone()
			c.pair.Intent, c.retryAt = nil, m.mono+time.Duration(1+m.rng.IntN(10))*time.Minute
			return
		}
		m.spend(i)
		m.issue(c, c.number)
		return
	}
	look, plan := m.plan(i)
	if plan.Mark > 0 {
		c.pair = c.pair.Clone()
		c.pair.State.Publication = plan.Mark
		return
	}
	due := rotation.Policy{}.DueAt(&c.pair.State)
	if plan.Alternates {
		due = plan.DueAt
	}
	if m.wall().Before(due) || m.mono < c.retryAt {
		return
	}
	c.pair = c.pair.Clone()
	c.pair.Intent = &rotation.Intent{Spends: c.pair.State.RefreshToken}
	c.endsAt, c.number = m.mono+time.Duration(m.rng.IntN(3))*step, look.Next()
}

// spend is the moment at which GitHub ends a chain's token: nobody may have read it within the overlap, as long as it would live.
func (m *model) spend(i int) {
	c, overlap := m.chains[i], m.overlap
	if overlap == 0 {
		overlap = lifetime / 4
	}
	token := c.pair.State.AccessToken
	if read, was := m.readAt[token]; was && m.mono-read < overlap && m.mono < c.diesAt-lifetime/lastShare && m.wrong == "" {
		m.wrong = fmt.Sprintf("after %s a token was ended that workloads could read %s before", m.mono, m.mono-read)
	}
}

// publish is what the operator does about the Secret that workloads read: late, now and then, and by what it sees.
func (m *model) publish() {
	if m.rng.IntN(4) == 0 || m.mono < m.awayUntil && m.rng.IntN(20) > 0 {
		return
	}
	leading := m.chains[0]
	if other := m.chains[1]; other.shown.State.Publication > leading.pair.State.Publication {
		leading = &chain{pair: other.shown}
	}
	if number := leading.pair.State.Publication; number >= m.secret.number {
		m.secret.number, m.secret.token = number, leading.pair.State.AccessToken
	}
}

func (m *model) run(span time.Duration, disturb func()) {
	for end := m.mono + span; m.mono < end && m.wrong == ""; m.mono += step {
		disturb()
		for _, i := range m.rng.Perm(2) {
			m.act(i)
		}
		for _, c := range m.chains {
			if m.rng.IntN(3) > 0 {
				c.shown = c.pair.Clone()
			}
		}
		m.publish()
		if m.secret.token != "" {
			m.readAt[m.secret.token] = m.mono
		}
	}
}

// lives reports whether what workloads read works for another time.
func (m *model) lives(span time.Duration) bool {
	for _, c := range m.chains {
		if c.pair.State.AccessToken == m.secret.token {
			return m.mono+span <= c.diesAt
		}
	}
	return false
}

func TestModelWhatWasReadWorksForTheOverlap(t *testing.T) {
	for seed := range uint64(60) {
		overlap := []time.Duration{0, time.Hour, 3 * time.Hour}[seed%3]
		m := newModel(seed, overlap)
		want := overlap
		if want == 0 {
			want = lifetime / 4
		}
		restart := func() {
			if m.rng.IntN(300) == 0 {
				for i := range m.seen {
					m.seen[i].number, m.seen[i].since = 0, m.mono
				}
			}
		}
		m.run(20*24*time.Hour, restart)
		if m.wrong != "" {
			t.Fatalf("seed %d: %s", seed, m.wrong)
		}
		// Each chain takes its turn, and no more often than that.
		if least, most := 20*24*60/(3*60+4*60), 20*24*60/130; m.exchanges < least || m.exchanges > 2*most {
			t.Errorf("seed %d: there were %d exchanges in 20 days, want %d to %d", seed, m.exchanges, least, 2*most)
		}
		if overlap <= 2*time.Hour && !m.lives(want-30*time.Minute) {
			t.Errorf("seed %d: at the end workloads read a token that works for less than the overlap", seed)
		}
	}
}

func TestModelWhileGitHubIsAwayNowAndThen(t *testing.T) {
	for seed := range uint64(60) {
		m := newModel(seed, 0)
		m.run(20*24*time.Hour, func() {
			if m.mono >= m.awayUntil && m.rng.IntN(600) == 0 {
				m.awayUntil = m.mono + time.Duration(m.rng.IntN(240))*time.Minute
			}
		})
		if m.wrong != "" {
			t.Fatalf("seed %d: %s", seed, m.wrong)
		}
	}
}

// Whatever the wall clock does, no chain is exchanged again and again.
func TestModelClockThatIsSetCausesNoLoop(t *testing.T) {
	for seed := range uint64(60) {
		m := newModel(seed, 0)
		jumps := 0
		m.run(20*24*time.Hour, func() {
			if m.rng.IntN(1000) == 0 {
				m.ahead = time.Duration(m.rng.IntN(20)-10) * time.Hour
				jumps++
			}
		})
		// A jump ahead may make both tokens seem expired.
		if most := 2*20*24*60/130 + 2*jumps; m.exchanges > most {
			t.Errorf("seed %d: there were %d exchanges in 20 days with %d jumps of the clock, want at most %d", seed, m.exchanges, jumps, most)
		}
	}
}
