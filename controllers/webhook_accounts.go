package controllers

import "sync"

const (
	// accountsAtOnce is about the tokens of how many accounts GitHub is asked at once.
	accountsAtOnce = 4
	// maxAccounts is how many accounts may wait for that, or be asked about.
	maxAccounts = 1024
)

// accounts are those whose tokens GitHub is to be asked about, each by one worker at a time. Whoever adds them has
// proved to be GitHub; they are bounded all the same, since a mistake there must not cost the refreshes here.
type accounts struct {
	// ask asks about the tokens of one account.
	ask func(id int64)

	mu sync.Mutex
	// known are the accounts that wait or are being asked about, and whether there is to be another round.
	known   map[int64]bool
	waiting []int64
	workers int
	work    sync.WaitGroup
}

// add has an account asked about: soon, and after the round that is under way if there is one. It does not block.
// taken reports whether there was room, and isNew whether the account was not known.
func (a *accounts) add(id int64) (taken, isNew bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if _, known := a.known[id]; known {
		a.known[id] = true
		return true, false
	}
	if len(a.known) == maxAccounts {
		return false, true
	}
	if a.known == nil {
		a.known = map[int64]bool{}
	}
	a.known[id] = false
	a.waiting = append(a.waiting, id)
	if a.workers < accountsAtOnce {
		a.workers++
		a.work.Go(a.run)
	}
	return true, true
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
	}
}

func (a *accounts) next() (id int64, more bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.waiting) == 0 {
		a.workers--
		return 0, false
	}
	id, a.waiting = a.waiting[0], a.waiting[1:]
	a.known[id] = false // A notice that came while it waited is answered by this round.
	return id, true
}

// done forgets an account, unless there was another notice during the round: then it waits again, behind the others.
func (a *accounts) done(id int64) {
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
