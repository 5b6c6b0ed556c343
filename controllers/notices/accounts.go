package notices

import (
	"sync"
	"time"
)

const (
	// accountsAtOnce is about the tokens of how many accounts GitHub is asked at once.
	accountsAtOnce = 4
	// maxAccounts is how many accounts may wait for that, or be asked about.
	maxAccounts = 1024
	// unknownPause is how often pairs whose account is not known are asked about at most.
	unknownPause = time.Minute
)

// accounts are those whose tokens GitHub is to be asked about, each by one worker at a time. Whoever adds them has
// proved to be GitHub; they are bounded all the same, since a mistake there must not cost the refreshes here, and anybody
// who authorizes a public App can have GitHub send notices.
type accounts struct {
	// ask asks about the tokens of one account, by its name in IndexPairUser.
	ask func(account string)
	// ofNamespace is the namespace that an account was added by, of each of which there are few. May be nil: nobody else's
	// namespace adds any.
	ofNamespace func(account string) string

	mu sync.Mutex
	// known are the accounts that wait or are being asked about, and whether there is to be another round.
	known   map[string]bool
	waiting []string
	workers int
	// resting is true for a while after pairs of unknown accounts were asked about, and more when there is to be another
	// round then.
	resting, more bool
	// ended reports that nobody is asked about any more who does not wait already.
	ended bool
	work  sync.WaitGroup
}

// add has an account asked about: soon, and after the round that is under way if there is one. It does not block.
// taken reports whether there was room, and isNew whether the account was not known.
func (a *accounts) add(id string) (taken, isNew bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if _, known := a.known[id]; known {
		a.known[id] = true
		return true, false
	}
	if a.ended || len(a.known) >= maxAccounts && id != unknownAccount || !a.hasRoom(id) {
		return false, true
	}
	if a.known == nil {
		a.known = map[string]bool{}
	}
	a.known[id] = false
	a.waiting = append(a.waiting, id)
	if a.workers < accountsAtOnce {
		a.workers++
		a.work.Go(a.run)
	}
	return true, true
}

// maxOfNamespace is how many accounts of one namespace may wait, or be asked about.
const maxOfNamespace = 16

// hasRoom reports whether one more account of a namespace may wait.
func (a *accounts) hasRoom(id string) bool {
	if a.ofNamespace == nil {
		return true
	}
	namespace, own := a.ofNamespace(id), 0
	for other := range a.known {
		if a.ofNamespace(other) == namespace {
			own++
		}
	}
	return own < maxOfNamespace
}

// run asks about one account after another, until none waits.
func (a *accounts) run() {
	for {
		id, more := a.next()
		if !more {
			return
		}
		a.ask(id)
		a.done(id)
		if id != unknownAccount && a.ofNamespace == nil {
			a.addUnknown()
		}
	}
}

// addUnknown has those pairs asked about whose account is not known: behind all accounts of which there are notices, and not
// again for a while. They may belong to any account, and anybody can make thousands of them.
func (a *accounts) addUnknown() {
	a.mu.Lock()
	rests := a.resting
	a.resting, a.more = true, rests
	a.mu.Unlock()
	if rests {
		return
	}
	a.add(unknownAccount)
	time.AfterFunc(unknownPause, func() {
		a.mu.Lock()
		more := a.more
		a.resting, a.more = false, false
		a.mu.Unlock()
		if more {
			a.addUnknown()
		}
	})
}

func (a *accounts) next() (id string, more bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.waiting) == 0 {
		a.workers--
		return "", false
	}
	id, a.waiting = a.waiting[0], a.waiting[1:]
	a.known[id] = false // A notice that came while it waited is answered by this round.
	return id, true
}

// done forgets an account, unless there was another notice during the round: then it waits again, behind the others.
func (a *accounts) done(id string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.known[id] {
		a.waiting = append(a.waiting, id)
		return
	}
	delete(a.known, id)
}

// wait returns when nobody is asked about any more.
func (a *accounts) wait() { a.work.Wait() }

// end takes no more accounts, and waits.
func (a *accounts) end() {
	a.mu.Lock()
	a.ended = true
	a.mu.Unlock()
	a.wait()
}
