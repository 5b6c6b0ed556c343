package rotation

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"
	"testing"
	"time"

	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/github"
)

// shelf is a Store of one Secret. before, if set, runs before each write, as somebody else would.
type shelf struct {
	pair    *Pair
	version int
	before  func(*shelf)
	lose    bool // the reply of the next write
	// admit, if set, alters what is written, as a mutating webhook would.
	admit func(*Pair)
	gone  bool // the owner
}

var errNoReply = errors.New("the API server did not answer")

// Locate finds the Secret where it stands, as the real store does by the labels.
func (s *shelf) Locate(_ context.Context, owner Owner) ([]Ref, error) {
	if s.pair == nil || owner.UID != "" && owner.UID != s.pair.Owner.UID {
		return nil, nil
	}
	return []Ref{s.pair.Ref}, nil
}

// Gone says what the test wants.
func (s *shelf) Gone(context.Context, Owner) (bool, error) { return s.gone, nil }

func (s *shelf) Get(_ context.Context, ref Ref) (*Pair, error) {
	if s.pair == nil || ref == s.pair.Owner.BackupRef() {
		return nil, ErrNotFound
	}
	return s.pair.Clone(), nil
}

func (s *shelf) Create(_ context.Context, pair *Pair) (*Pair, error) {
	s.interfere()
	if s.pair != nil {
		return nil, ErrExists
	}
	fresh := pair.Clone()
	fresh.UID, fresh.Controlled = "secret", true
	return s.put(fresh)
}

func (s *shelf) Update(_ context.Context, current, next *Pair) (*Pair, error) {
	s.interfere()
	if s.pair == nil {
		return nil, ErrNotFound
	}
	if current.Version != s.pair.Version {
		return nil, ErrConflict
	}
	return s.put(next.Clone())
}

func (s *shelf) Remove(context.Context, *Pair) error {
	s.pair = nil
	return nil
}

func (s *shelf) interfere() {
	if before := s.before; before != nil {
		s.before = nil
		before(s)
	}
}

func (s *shelf) put(pair *Pair) (*Pair, error) {
	s.version++
	pair.Version = strconv.Itoa(s.version)
	if err := throughJSON(pair); err != nil {
		return nil, err
	}
	if s.admit != nil {
		s.admit(pair)
	}
	s.pair = pair
	if s.lose {
		s.lose = false
		return nil, errNoReply
	}
	return pair.Clone(), nil
}

// throughJSON reads what is known of a pair back from the annotations in which it is stored.
func throughJSON(pair *Pair) error {
	text, err := json.Marshal(pair.State)
	if err != nil {
		return err
	}
	pair.State = State{}
	if err := json.Unmarshal(text, &pair.State); err != nil || pair.Intent == nil {
		return err
	}
	if text, err = json.Marshal(pair.Intent); err != nil {
		return err
	}
	pair.Intent = &Intent{}
	return json.Unmarshal(text, pair.Intent)
}

// edit is a write of somebody else.
func (s *shelf) edit(change func(*Pair)) {
	next := s.pair.Clone()
	change(next)
	_, _ = s.put(next)
}

// box is an Outbox in memory.
type box struct {
	records  map[string]Record
	kept     int
	notReady error
	// begun counts the places that were reserved, and reserved those that were not given back.
	begun, reserved int
}

func (b *box) Reserve(Owner) error {
	if b.notReady == nil {
		b.begun++
		b.reserved++
	}
	return b.notReady
}

func (b *box) Release(Owner) { b.reserved-- }

func (b *box) Keep(record Record) error {
	if b.records == nil {
		b.records = map[string]Record{}
	}
	b.kept++
	b.records[record.ID] = record
	return nil
}

func (b *box) Remove(id string) error {
	delete(b.records, id)
	return nil
}

// page is GitHub's side of one poll.
type page struct {
	reply *github.Reply
	err   error
	polls int
	// during runs while the poll is under way.
	during func()
}

func (p *page) PollDevice(_ context.Context, app github.App, _ credential.DeviceCode) (*github.Reply, error) {
	p.polls++
	if p.during != nil {
		p.during()
	}
	return p.reply, p.err
}

func said(body string) *github.Reply {
	return &github.Reply{Host: "github.com", Status: 200, SentAt: deviceNow, Body: credential.NewRaw([]byte(body))}
}

const (
	pairReply = `{"access_token":"ghu_new","expires_in":28800,"refresh_token":"ghr_new","refresh_token_expires_in":15897600,"token_type":"bearer"}`
	secretID  = "device-code"
)

var (
	deviceNow   = time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	deviceOwner = Owner{Namespace: "team-a", Name: "octocat", UID: "uid"}
	deviceApp   = github.App{Host: "github.com", ClientID: "Iv23li"}
	deviceCode  = credential.NewDeviceCode(secretID)
)

// codes are the Secrets of device codes.
type codes struct {
	stored map[credential.Fingerprint]credential.DeviceCode
}

func (c *codes) Code(_ context.Context, owner Owner, name credential.Fingerprint) (credential.DeviceCode, error) {
	code, there := c.stored[name]
	if !there || owner != deviceOwner {
		return credential.DeviceCode{}, ErrNotFound
	}
	return code, nil
}

type deviceWorld struct {
	codes   *codes
	rotator *Rotator
	shelf   *shelf
	box     *box
	page    *page
}

func newDeviceWorld() *deviceWorld {
	w := &deviceWorld{shelf: &shelf{}, box: &box{}, page: &page{}, codes: &codes{}}
	ids := 0
	w.rotator = &Rotator{
		Store: w.shelf, Outbox: w.box, Clock: SystemClock(), Poller: w.page, Codes: w.codes, Me: Holder{Outbox: "a", Process: "1"},
		NewID: func() string { ids++; return strconv.Itoa(ids) },
	}
	return w
}

func (w *deviceWorld) job(pair *Pair) Job {
	return Job{
		Owner: deviceOwner, Ref: Ref{Namespace: "team-a", Name: "octocat"}, App: deviceApp, Pair: pair, RefreshRequestedAt: "asked",
		Decision: Decision{Cause: CauseDeviceFlow, Spends: deviceCode.Fingerprint()},
	}
}

func (w *deviceWorld) offer(t *testing.T, pair *Pair) *Pair {
	t.Helper()
	next := &Pair{Ref: w.job(pair).Ref, Owner: deviceOwner, UID: "secret", Controlled: true, State: State{Owner: "uid", OwnerName: "octocat"}}
	if pair != nil {
		next = pair.Clone()
	}
	next.State.Device = new(anOffer(deviceCode))
	if !next.State.HasToken() && next.State.RefreshToken == "" {
		next.State.App = deviceApp.Key()
	}
	w.codes.stored = map[credential.Fingerprint]credential.DeviceCode{deviceCode.Fingerprint(): deviceCode}
	stored, err := w.shelf.put(next)
	if err != nil {
		t.Fatal(err)
	}
	return stored
}

func anOffer(code credential.DeviceCode) DeviceAuthorization {
	return DeviceAuthorization{
		UserCode: "WDJB-MJHT", VerificationURI: "https://github.com/login/device", ExpiresAt: deviceNow.Add(15 * time.Minute),
		Interval: 5 * time.Second, DeviceCode: code.Fingerprint(), Codes: 1,
	}
}

// brokenChain is a Secret whose refresh token was refused and whose access token still works.
func brokenChain() *Pair {
	access, refresh := credential.NewAccessToken("ghu_old"), credential.NewRefreshToken("ghr_old")
	return &Pair{
		Ref: Ref{Namespace: "team-a", Name: "octocat"}, Owner: deviceOwner, UID: "secret", Version: "0", Controlled: true,
		AccessToken: access, RefreshToken: refresh,
		State: State{
			Owner: "uid", OwnerName: "octocat", App: deviceApp.Key(), Revision: 7, RefreshCount: 7,
			AccessToken: access.Fingerprint(), RefreshToken: refresh.Fingerprint(),
			IssuedAt: deviceNow.Add(-time.Hour), ExpiresAt: deviceNow.Add(7 * time.Hour),
			Seeds:   []SeedRecord{{Fingerprint: "seed"}},
			Verdict: &Verdict{Reason: ReasonRefreshTokenRejected, Fingerprint: refresh.Fingerprint(), Time: deviceNow},
			User:    &User{Login: "octocat", ID: 1},
		},
	}
}

func TestAPollThatSucceedsReplacesEveryOlderChain(t *testing.T) {
	for name, pair := range map[string]*Pair{"no pair yet": nil, "a broken chain": brokenChain()} {
		t.Run(name, func(t *testing.T) {
			w := newDeviceWorld()
			w.shelf.pair = pair
			w.page.reply = said(pairReply)
			w.page.during = func() {
				if w.box.kept != 0 {
					t.Error("something was kept before there was a reply")
				}
			}
			result := w.rotator.Poll(context.Background(), w.job(w.offer(t, pair)))
			live := w.shelf.pair
			switch {
			case result.Outcome != Committed:
				t.Fatalf("%s: %v", result.Outcome, result.Err)
			case live.AccessToken.Reveal() != "ghu_new" || live.RefreshToken.Reveal() != "ghr_new":
				t.Error("the pair is not in the Secret")
			case !live.DeviceCode.IsZero() || live.State.Device != nil:
				t.Error("the code was left in the Secret")
			case live.State.Verdict != nil || live.State.User != nil || live.State.RefreshCount != 1:
				t.Errorf("what was known of the former login is still there: %+v", live.State)
			case live.State.RefreshRequestedAt != "asked":
				t.Error("the request that asked for the code would ask for an exchange now")
			case w.box.kept != 1 || len(w.box.records) != 0:
				t.Errorf("%d replies were kept and %d are left", w.box.kept, len(w.box.records))
			}
		})
	}
}

func TestAPollThatBringsNoPair(t *testing.T) {
	for _, c := range []struct {
		name     string
		reply    string
		err      error
		outcome  Outcome
		reason   string
		interval time.Duration
	}{
		{"the person has not come yet", `{"error":"authorization_pending"}`, nil, Untouched, "", 5 * time.Second},
		{"GitHub asks to slow down", `{"error":"slow_down","interval":10}`, nil, Untouched, "", 10 * time.Second},
		{"GitHub asks to slow down and does not say how", `{"error":"slow_down"}`, nil, Untouched, "", 10 * time.Second},
		{"the code has expired", `{"error":"expired_token"}`, nil, Rejected, "", 5 * time.Second},
		{"the code is not known", `{"error":"incorrect_device_code"}`, nil, Rejected, "", 5 * time.Second},
		{"the person has cancelled", `{"error":"access_denied"}`, nil, Rejected, ReasonAuthorizationDenied, 5 * time.Second},
		{"the App is suspended", `{"error":"application_suspended"}`, nil, Untouched, "", 5 * time.Second},
		{"the reply is cut", `{"access_token":"ghu_ne`, nil, Unknown, "", 5 * time.Second},
		{"no connection", "", &github.Error{Class: github.Transient, Reason: github.HostUnreachable}, Untouched, "", 5 * time.Second},
		{"no reply", "", &github.Error{Class: github.Ambiguous, Reason: github.NoReply, Sent: true}, Unknown, "", 5 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newDeviceWorld()
			w.shelf.pair = brokenChain()
			job := w.job(w.offer(t, w.shelf.pair))
			if w.page.err = c.err; c.err == nil {
				w.page.reply = said(c.reply)
			}
			result := w.rotator.Poll(context.Background(), job)
			live := w.shelf.pair
			switch {
			case result.Outcome != c.outcome || result.Reason != c.reason:
				t.Errorf("got %s %q (%v)", result.Outcome, result.Reason, result.Err)
			case live.State.Device.Interval != c.interval:
				t.Errorf("the interval is %s", live.State.Device.Interval)
			case live.State.Device.Ended != c.reason:
				t.Errorf("the code ended for %q", live.State.Device.Ended)
			case live.AccessToken.Reveal() != "ghu_old" || live.State.Verdict == nil:
				t.Error("the chain was touched")
			case len(w.box.records) != 0:
				t.Error("a reply was left in the outbox")
			}
		})
	}
}

func TestNothingIsPolledWhenItsReplyCouldNotBeKeptOrTheCodeIsAnother(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*deviceWorld)
		want   Outcome
	}{
		"the outbox is full":              {func(w *deviceWorld) { w.box.notReady = errors.New("full") }, NoOutbox},
		"the Secret has gone":             {func(w *deviceWorld) { w.shelf.pair = nil }, Stale},
		"another code is in the Secret":   {func(w *deviceWorld) { w.shelf.edit(func(p *Pair) { p.State.Device.DeviceCode = "other" }) }, Stale},
		"a login has come by another way": {func(w *deviceWorld) { w.shelf.edit(func(p *Pair) { p.State.Device = nil }) }, Stale},
		"somebody has deleted the code":   {func(w *deviceWorld) { clear(w.codes.stored) }, Rejected},
		"the Secret is being deleted":     {func(w *deviceWorld) { w.shelf.edit(func(p *Pair) { p.Deleting = true }) }, Stale},
		"the Secret is somebody else's":   {func(w *deviceWorld) { w.shelf.edit(func(p *Pair) { p.Controlled = false }) }, Stale},
	} {
		t.Run(name, func(t *testing.T) {
			w := newDeviceWorld()
			job := w.job(w.offer(t, nil))
			c.change(w)
			if result := w.rotator.Poll(context.Background(), job); result.Outcome != c.want {
				t.Errorf("got %s (%v), want %s", result.Outcome, result.Err, c.want)
			}
			if w.page.polls != 0 {
				t.Error("GitHub was asked all the same")
			}
		})
	}
}

// Two replicas poll the same code: GitHub gives the pair to one of them. What the other writes, before or
// after, does not cost it.
func TestTwoReplicasWithOneCodeKeepThePair(t *testing.T) {
	other := credential.NewDeviceCode("another-code")
	for name, meanwhile := range map[string]func(*testing.T, *deviceWorld, *Rotator){
		"the other hears that the code is unknown": func(t *testing.T, w *deviceWorld, second *Rotator) {
			second.Poller = &page{reply: said(`{"error":"incorrect_device_code"}`)}
			if result := second.Poll(context.Background(), w.job(w.shelf.pair.Clone())); result.Outcome != Rejected {
				t.Errorf("the other replica got %s", result.Outcome)
			}
		},
		"the other has offered another code already": func(_ *testing.T, w *deviceWorld, _ *Rotator) {
			w.shelf.edit(func(p *Pair) { p.State.Device = new(anOffer(other)) })
		},
		"the other has ended the series": func(t *testing.T, w *deviceWorld, second *Rotator) {
			second.Poller = &page{reply: said(`{"error":"access_denied"}`)}
			second.Poll(context.Background(), w.job(w.shelf.pair.Clone()))
		},
		"the Secret is gone": func(_ *testing.T, w *deviceWorld, _ *Rotator) { w.shelf.pair = nil },
		"somebody has pasted a token, which the other takes for an older one of the chain, and has offered another code": func(_ *testing.T, w *deviceWorld, _ *Rotator) {
			p := w.shelf.pair.Clone()
			p.RefreshToken, p.AccessToken = credential.NewRefreshToken("ghr_pasted"), credential.AccessToken{}
			p.State.RefreshToken, p.State.AccessToken, p.State.Owner = p.RefreshToken.Fingerprint(), "", RolledBack
			p.State.Seeds = append(p.State.Seeds, SeedRecord{Fingerprint: "earlier"})
			p.State.Device = new(anOffer(other))
			p.Version = "pasted"
			w.shelf.pair = p
		},
	} {
		t.Run(name, func(t *testing.T) {
			for _, pair := range []*Pair{nil, brokenChain()} {
				w := newDeviceWorld()
				w.shelf.pair = pair
				job := w.job(w.offer(t, pair))
				second := &Rotator{Store: w.shelf, Codes: w.codes, Outbox: &box{}, Clock: SystemClock(), NewID: func() string { return "second" }}
				w.page.reply = said(pairReply)
				w.page.during = func() { meanwhile(t, w, second) }
				result := w.rotator.Poll(context.Background(), job)
				live := w.shelf.pair
				if result.Outcome != Committed || live.AccessToken.Reveal() != "ghu_new" || live.State.Device != nil || !live.DeviceCode.IsZero() {
					t.Errorf("%s (%v); the Secret holds %+v", result.Outcome, result.Err, live.State)
				}
			}
		})
	}
}

// A seed that was imported while the person was entering the code is the later login, and stays. One that is
// only being imported goes on, and is committed over the pair of the code.
func TestASeedThatCameMeanwhileWins(t *testing.T) {
	t.Run("it is imported", func(t *testing.T) {
		w := newDeviceWorld()
		w.shelf.pair = brokenChain()
		job := w.job(w.offer(t, w.shelf.pair))
		w.page.reply = said(pairReply)
		w.page.during = func() {
			w.shelf.edit(func(p *Pair) {
				p.AccessToken, p.RefreshToken = credential.NewAccessToken("ghu_seed"), credential.NewRefreshToken("ghr_seed")
				p.State.AccessToken, p.State.RefreshToken = p.AccessToken.Fingerprint(), p.RefreshToken.Fingerprint()
				p.State.Seeds = append(p.State.Seeds, SeedRecord{Fingerprint: "newer"})
				p.State.Verdict, p.State.Device = nil, nil
				p.State.Revision++
			})
		}
		if result := w.rotator.Poll(context.Background(), job); result.Outcome != Superseded {
			t.Errorf("got %s (%v)", result.Outcome, result.Err)
		}
		if got := w.shelf.pair.AccessToken.Reveal(); got != "ghu_seed" {
			t.Errorf("the Secret holds %s", got)
		}
	})
	t.Run("it is being imported", func(t *testing.T) {
		w := newDeviceWorld()
		w.shelf.pair = brokenChain()
		job := w.job(w.offer(t, w.shelf.pair))
		w.page.reply = said(pairReply)
		seed := credential.NewRefreshToken("ghr_seed")
		w.page.during = func() {
			w.shelf.edit(func(p *Pair) {
				p.State.PendingSeed = seed.Fingerprint()
				p.Intent = &Intent{ID: "other", Holder: Holder{Process: "other"}, Spends: seed.Fingerprint(), Login: true}
			})
		}
		if result := w.rotator.Poll(context.Background(), job); result.Outcome != Committed {
			t.Errorf("got %s (%v)", result.Outcome, result.Err)
		}
		if live := w.shelf.pair; live.Intent == nil || live.State.PendingSeed != seed.Fingerprint() {
			t.Error("the import that is under way was disturbed")
		}
	})
}

// A seed that GitHub refuses does not take away the code that a person may just be entering.
func TestARefusedSeedLeavesTheCode(t *testing.T) {
	w := newDeviceWorld()
	w.shelf.pair = brokenChain()
	w.offer(t, w.shelf.pair)
	seed := credential.NewRefreshToken("ghr_seed")
	w.shelf.edit(func(p *Pair) {
		p.State.PendingSeed = seed.Fingerprint()
		p.Intent = &Intent{ID: "import", Holder: w.rotator.Me, Spends: seed.Fingerprint(), Login: true}
	})
	result, err := w.rotator.condemn(context.Background(), deviceOwner, w.shelf.pair.Ref, &finding{
		spent: seed.Fingerprint(), app: deviceApp.Key(), intentID: "import",
	}, Result{Outcome: Rejected}, UnwrittenVerdict)
	live := w.shelf.pair
	if err != nil || result.Outcome != Rejected || !live.offers(deviceCode.Fingerprint()) || live.State.PendingSeed != "" {
		t.Errorf("%s; the code: %v", result.Outcome, live.State.Device)
	}
}

func TestAPairThatIsNotAdmittedNeverReachesTheSecret(t *testing.T) {
	for name, c := range map[string]struct {
		err     error
		outcome Outcome
		ended   string
	}{
		"another account":         {ErrWrongUser, WrongUser, ReasonWrongUser},
		"nobody knows whose":      {ErrUserUnknown, Rejected, ReasonUserUnknown},
		"revoked meanwhile":       {ErrPairDead, Rejected, ReasonRevoked},
		"the resource is deleted": {ErrOwnerGone, Discarded, ""},
	} {
		t.Run(name, func(t *testing.T) {
			w := newDeviceWorld()
			w.shelf.pair = brokenChain()
			job := w.job(w.offer(t, w.shelf.pair))
			job.User = &UserPin{Login: "octocat"}
			// Somebody else's import is under way beside it.
			w.shelf.edit(func(p *Pair) { p.Intent = &Intent{ID: "other", Spends: "x"} })
			w.page.reply = said(pairReply)
			w.rotator.Admit = func(_ context.Context, _ github.App, record Record, tokens github.Tokens) (*User, error) {
				if len(w.box.records) != 1 || tokens.AccessToken.Reveal() != "ghu_new" || record.User.Login != "octocat" {
					t.Error("the pair is not kept while its account is asked for")
				}
				return nil, c.err
			}
			ended := ""
			w.rotator.End = func(_ context.Context, _ github.App, _ Record, tokens github.Tokens) {
				if len(w.box.records) != 1 {
					t.Error("the reply was dropped before the pair was ended")
				}
				ended = tokens.AccessToken.Reveal()
			}
			result := w.rotator.Poll(context.Background(), job)
			live := w.shelf.pair
			switch {
			case result.Outcome != c.outcome:
				t.Errorf("got %s (%v)", result.Outcome, result.Err)
			case ended != "ghu_new":
				t.Error("the pair was not ended at GitHub")
			case live.AccessToken.Reveal() != "ghu_old" || live.State.Verdict.Reason != ReasonRefreshTokenRejected || live.Intent == nil:
				t.Errorf("the chain or somebody else's intent was touched: %+v", live.State)
			case live.State.Device.Ended != c.ended:
				t.Errorf("the code ended for %q", live.State.Device.Ended)
			case len(w.box.records) != 0:
				t.Error("the reply was left in the outbox")
			}
		})
	}
}

func TestAnAdmittedPairIsStoredWithItsAccount(t *testing.T) {
	w := newDeviceWorld()
	job := w.job(w.offer(t, nil))
	job.User = &UserPin{ID: 583231}
	w.page.reply = said(pairReply)
	w.rotator.Admit = func(context.Context, github.App, Record, github.Tokens) (*User, error) {
		return &User{Login: "octocat", ID: 583231}, nil
	}
	if result := w.rotator.Poll(context.Background(), job); result.Outcome != Committed {
		t.Fatalf("got %s (%v)", result.Outcome, result.Err)
	}
	if user := w.shelf.pair.State.User; user == nil || user.ID != 583231 {
		t.Errorf("the account is %v", user)
	}
}

// A process dies at any moment after GitHub has given the pair out: the outbox has it, and the next process
// commits it, once, wherever the Secret has gone meanwhile.
func TestAPollIsReplayed(t *testing.T) {
	for name, meanwhile := range map[string]func(*shelf){
		"nothing has happened":            func(*shelf) {},
		"another code is offered":         func(s *shelf) { s.edit(func(p *Pair) { p.State.Device.DeviceCode = "other" }) },
		"the Secret was deleted by force": func(s *shelf) { s.pair = nil },
	} {
		t.Run(name, func(t *testing.T) {
			w := newDeviceWorld()
			w.shelf.pair = brokenChain()
			live := w.offer(t, w.shelf.pair)
			record := Record{
				ID: "poll", Ref: live.Ref, Owner: deviceOwner, App: deviceApp.Key(), Spent: deviceCode.Fingerprint(),
				Code: true, Login: true, Base: live.State, Reply: said(pairReply),
			}
			meanwhile(w.shelf)
			for range 2 {
				result := w.rotator.Replay(context.Background(), deviceApp, record)
				if result.Outcome != Committed || w.shelf.pair.RefreshToken.Reveal() != "ghr_new" {
					t.Errorf("%s (%v)", result.Outcome, result.Err)
				}
			}
			if got := w.shelf.pair.State.RefreshCount; got != 1 {
				t.Errorf("the pair was committed %d times", got)
			}
		})
	}
}
