package tokencount

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

var start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

const sharedApp = "github.com/Iv23li"

// secretOf is the UID of the n-th resource's pair Secret.
func secretOf(n int) types.UID { return types.UID(fmt.Sprintf("secret-%05d", n)) }

func nameOf(n int) types.NamespacedName {
	return types.NamespacedName{Namespace: fmt.Sprintf("team-%d", n), Name: "octocat"}
}

// pairOf is the pair of the n-th resource, of one account of one App.
func pairOf(n int) *rotation.Pair {
	name := nameOf(n)
	owner := rotation.Owner{Namespace: name.Namespace, Name: name.Name, UID: fmt.Sprintf("uid-%d", n)}
	pair := &rotation.Pair{
		Ref: rotation.Ref{Namespace: owner.Namespace, Name: "octocat-token"}, UID: string(secretOf(n)), Controlled: true, Owner: owner,
	}
	pair.State.App, pair.State.AccessToken = sharedApp, credential.NewAccessToken(fmt.Sprint(n)).Fingerprint()
	pair.State.User = &rotation.User{ID: 1}
	return pair
}

// world is a Counter whom somebody has asked, and the time.
type world struct {
	*Counter
	mono time.Duration
}

func newWorld() *world {
	w := &world{New(), time.Hour}
	w.Advice("")
	return w
}

func (w *world) see(n int, edit ...func(*rotation.Pair)) {
	pair := pairOf(n)
	for _, e := range edit {
		e(pair)
	}
	w.Seen(pair, start.Add(time.Duration(n)*time.Second), 0)
}

// round lets so much time pass that something else may be told, and returns whom it concerns.
func (w *world) round() []types.NamespacedName {
	w.mono += rest
	return w.Round(w.mono)
}

// wantAdvice wants one of n resources to tell of what is given, and the others of nothing; -1 is none.
func (w *world) wantAdvice(t *testing.T, n, who int, says string) {
	t.Helper()
	for i := range n {
		got := w.Advice(secretOf(i))
		switch {
		case i != who && got != "":
			t.Errorf("resource %d tells%s", i, got)
		case i == who && !strings.Contains(got, says):
			t.Errorf("resource %d tells %q, want %q", i, got, says)
		}
	}
}

const (
	saysNear = "has eight tokens of this App in this cluster, or more"
	saysOver = "has more than ten tokens of this App in this cluster"
)

func TestTokenCountTellsTheNewestResourceFromEightOn(t *testing.T) {
	w := newWorld()
	for n := range 7 {
		w.see(n)
	}
	w.round()
	w.wantAdvice(t, 12, -1, "")
	w.see(7)
	if concerned := w.round(); len(concerned) != 1 || concerned[0] != nameOf(7) {
		t.Errorf("it concerns %v", concerned)
	}
	w.wantAdvice(t, 12, 7, saysNear)
	for n := 8; n < 10; n++ {
		w.see(n)
	}
	if concerned := w.round(); len(concerned) != 2 || concerned[0] != nameOf(7) || concerned[1] != nameOf(9) {
		t.Errorf("it concerns %v", concerned)
	}
	w.wantAdvice(t, 12, 9, saysNear)
	w.see(10)
	w.round()
	w.wantAdvice(t, 12, 10, saysOver)
	w.Gone(secretOf(10))
	w.round()
	w.wantAdvice(t, 12, 9, saysNear)
	w.Gone(secretOf(0))
	w.Gone(secretOf(1))
	w.see(2, func(p *rotation.Pair) { p.State.Verdict = &rotation.Verdict{} })
	if concerned := w.round(); len(concerned) != 1 || concerned[0] != nameOf(9) {
		t.Errorf("it concerns %v", concerned)
	}
	w.wantAdvice(t, 12, -1, "")
	for n := range 12 {
		w.Gone(secretOf(n))
	}
	w.round()
	if len(w.accounts) != 0 || len(w.of) != 0 || len(w.changed) != 0 {
		t.Errorf("remembered are %d accounts, %d Secrets and %d changes", len(w.accounts), len(w.of), len(w.changed))
	}
}

func TestTokenCountIsByAppAndAccount(t *testing.T) {
	w := newWorld()
	for n := range 7 {
		w.see(n)
	}
	for name, edit := range map[string]func(*rotation.Pair){
		"another App":               func(p *rotation.Pair) { p.State.App = "github.com/Iv23another" },
		"another host":              func(p *rotation.Pair) { p.State.App = "ghe.example.com/Iv23li" },
		"another account":           func(p *rotation.Pair) { p.State.User.ID = 2 },
		"an unknown account":        func(p *rotation.Pair) { p.State.User = nil },
		"no token":                  func(p *rotation.Pair) { p.State.AccessToken = "" },
		"a chain that has ended":    func(p *rotation.Pair) { p.State.Verdict = &rotation.Verdict{} },
		"a backup":                  func(p *rotation.Pair) { p.Ref = p.Owner.BackupRef() },
		"one without an owner":      func(p *rotation.Pair) { p.Controlled = false },
		"an owner of no name":       func(p *rotation.Pair) { p.Owner.Name = strings.Repeat("x", maxName+1) },
		"a copy of another's token": func(p *rotation.Pair) { p.State.AccessToken = pairOf(3).State.AccessToken },
	} {
		w.see(7, edit)
		w.round()
		if said := w.Advice(secretOf(7)); said != "" {
			t.Errorf("%s: it says%s", name, said)
		}
	}
	w.see(7, func(p *rotation.Pair) { p.State.App = "GitHub.com/iv23LI" })
	w.round()
	w.wantAdvice(t, 8, 7, saysNear)
	w.see(7, func(p *rotation.Pair) { p.State.User.ID = 2 }) // Another person has logged in.
	w.round()
	w.wantAdvice(t, 8, -1, "")
	for n := range 8 {
		w.Gone(secretOf(n))
	}
	w.round()
	if len(w.accounts) != 0 || len(w.of) != 0 {
		t.Errorf("remembered are %d accounts and %d Secrets", len(w.accounts), len(w.of))
	}
}

// A tenant who makes pairs of somebody's account come and go changes what others say of it once in a while at most.
func TestTokenCountWhatIsToldOfAnAccountChangesOnceInAWhile(t *testing.T) {
	w := newWorld()
	for n := range 8 {
		w.see(n)
	}
	w.round()
	for range 100 {
		w.mono += rest / 100
		w.Gone(secretOf(7))
		if concerned := w.Round(w.mono - 1); len(concerned) > 0 {
			t.Fatalf("after a moment it concerns %v", concerned)
		}
		w.wantAdvice(t, 7, -1, "")
		w.see(7)
	}
	w.Gone(secretOf(7))
	if concerned := w.Round(w.mono); len(concerned) != 1 {
		t.Errorf("in the end it concerns %v", concerned)
	}
}

// After a start nothing is told of an account before all of it was seen: what a status tells would go and come again.
func TestTokenCountTellsNothingBeforeAllWasSeen(t *testing.T) {
	w := &world{New(), time.Hour}
	for n := range 8 {
		w.see(n)
		if concerned := w.round(); len(concerned) != 0 {
			t.Errorf("after %d Secrets it concerns %v", n+1, concerned)
		}
	}
	w.wantAdvice(t, 8, 7, saysNear)
}

// Ten thousand forged Secrets, of one account or of as many, cost what ten thousand Secrets cost.
func TestTokenCountForgedSecretsAreBoundedByTheirNumber(t *testing.T) {
	const secrets = 10_000
	for name, edit := range map[string]func(n int, p *rotation.Pair){
		"of one account":               func(int, *rotation.Pair) {},
		"of as many accounts":          func(n int, p *rotation.Pair) { p.State.User.ID = int64(n) },
		"with an App of 16 KiB each":   func(n int, p *rotation.Pair) { p.State.App = strings.Repeat("x", 16<<10) + fmt.Sprint(n) },
		"of accounts of eight Secrets": func(n int, p *rotation.Pair) { p.State.User.ID = int64(n / WarnFrom) },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld()
			for n := range secrets {
				w.see(n, func(p *rotation.Pair) { edit(n, p) })
			}
			w.round()
			if len(w.of) != secrets || len(w.changed) != 0 {
				t.Errorf("remembered are %d Secrets and %d changes", len(w.of), len(w.changed))
			}
			for n := range secrets {
				w.Gone(secretOf(n))
			}
			w.round()
			if len(w.accounts) != 0 || len(w.of) != 0 || len(w.changed) != 0 {
				t.Errorf("remembered are %d accounts, %d Secrets and %d changes", len(w.accounts), len(w.of), len(w.changed))
			}
		})
	}
}

// Forged Secrets that move from one account to the next leave nothing behind where they were.
func TestTokenCountForgedSecretsThatMoveOnLeaveNoRoomBehind(t *testing.T) {
	const secrets, accounts = 1000, 100
	w := newWorld()
	for id := range int64(accounts) {
		for n := range secrets {
			if int64(n) >= id { // One stays with each account.
				w.see(n, func(p *rotation.Pair) { p.State.User.ID = id })
			}
		}
	}
	room := 0
	for _, of := range w.accounts {
		room += cap(of.held)
	}
	if len(w.of) != secrets || room > 5*secrets {
		t.Errorf("%d Secrets take room for %d", len(w.of), room)
	}
}

// seeOutput has an output of the n-th resource hold scoped tokens.
func (w *world) seeOutput(n, output, count int) {
	name := nameOf(n)
	w.Seen(&rotation.Pair{
		Ref: rotation.Ref{Namespace: name.Namespace, Name: fmt.Sprint("agent", output)}, UID: fmt.Sprintf("output-%d-%d", n, output), Controlled: true,
		Owner: rotation.Owner{Namespace: name.Namespace, Name: name.Name, UID: fmt.Sprintf("uid-%d", n)},
	}, start, count)
}

// GitHub may count scoped tokens as well.
func TestTokenCountHasTheScopedTokensOfOutputs(t *testing.T) {
	w := newWorld()
	w.seeOutput(0, 0, 2) // A start may bring it before the pair.
	w.see(0)
	w.see(1)
	w.seeOutput(1, 0, 1)
	w.seeOutput(1, 1, 2)
	w.round()
	w.wantAdvice(t, 2, -1, "")
	w.seeOutput(1, 1, 3)
	w.round()
	w.wantAdvice(t, 2, 1, saysNear)
	w.wantAdvice(t, 2, 1, "Tokens of scoped outputs are among them")
	w.seeOutput(0, 0, 5)
	w.round()
	w.wantAdvice(t, 2, 1, saysOver)
	w.seeOutput(0, 0, 0) // It holds them no more.
	w.Gone("output-1-1")
	w.round()
	w.wantAdvice(t, 2, -1, "")
	w.see(1, func(p *rotation.Pair) { p.State.User.ID = 2 })
	w.seeOutput(0, 0, 6)
	w.round()
	w.wantAdvice(t, 2, -1, "") // Those of another account's resource do not count to it.
	w.seeOutput(0, 1, 1)
	w.round()
	w.wantAdvice(t, 2, 0, saysNear)
	for n := range 2 {
		w.Gone(secretOf(n))
		for output := range 2 {
			w.Gone(types.UID(fmt.Sprintf("output-%d-%d", n, output)))
		}
	}
	w.round()
	if len(w.accounts) != 0 || len(w.scoped) != 0 || len(w.scopedOf) != 0 || len(w.rescoped) != 0 {
		t.Errorf("remembered are %d accounts and %d Secrets", len(w.accounts), len(w.scoped))
	}
}
