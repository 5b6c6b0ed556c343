package scopedtokens

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/github"
)

func TestScopedLedgerIsReadAsItWasWritten(t *testing.T) {
	full := ledger{Format: 1, Current: currentEntry(func(e *entry) { e.Proof = strings.Repeat("a", 32) }), Asked: epoch}
	for n := range maxRetired {
		full.retire(entry{
			Token: credential.Fingerprint(fmt.Sprintf("%032d", n)), App: "github.enterprise.example.com:8443/Iv23liEXAMPLE0123456789", Proof: strings.Repeat("b", 32),
			IssuedAt: epoch, ExpiresAt: epoch.Add(8 * time.Hour), Parent: "p", Scope: "s",
		}, epoch.Add(time.Hour))
	}
	for n := range maxLost {
		full.lose(epoch.Add(time.Duration(n)*time.Minute), epoch)
	}
	text := full.text()
	if len(text) > maxLedger {
		t.Errorf("the largest has %d bytes, more than the %d that are read", len(text), maxLedger)
	}
	got, err := parseLedger(text)
	if err != nil || !reflect.DeepEqual(got, full) {
		t.Errorf("%v: got %+v, want %+v", err, got, full)
	}
	if empty := (ledger{}).text(); empty != "" {
		t.Errorf("an empty one is written as %s", empty)
	}
	if got, err := parseLedger(""); err != nil || got.text() != "" {
		t.Errorf("none is read as %+v, %v", got, err)
	}
}

func TestScopedLedgerThatSomebodyElseWroteIsNotBelieved(t *testing.T) {
	many := ledger{Format: 1}
	for range maxRetired + 1 {
		many.retire(entry{Token: "a"}, epoch)
	}
	for name, c := range map[string]struct {
		text string
		want error
	}{
		"no JSON":         {"true but no ledger", errGarbled},
		"another form":    {`{"format":"1"}`, errGarbled},
		"no format":       {`{"current":{"token":"a"}}`, errGarbled},
		"a later version": {`{"format":2}`, errTooNew},
		"too long":        {`{"format":1,"lost":[` + strings.Repeat(" ", maxLedger) + `]}`, errGarbled},
		"too many":        {many.text(), errGarbled},
		"too many lost":   {`{"format":1,"lost":["2026-03-04T12:00:00Z"` + strings.Repeat(`,"2026-03-04T12:00:00Z"`, maxLost) + `]}`, errGarbled},
	} {
		if got, err := parseLedger(c.text); !errors.Is(err, c.want) || len(got.entries()) != 0 || got.weight(epoch) != 0 {
			t.Errorf("%s: got %+v, %v", name, got, err)
		}
	}
}

func TestScopedLedgerCountsWhatMayBeAlive(t *testing.T) {
	l := ledger{Format: 1, Current: currentEntry()}
	l.retire(entry{Token: "old"}, epoch)
	l.lose(epoch, epoch)
	l.lose(epoch.Add(30*time.Minute), epoch.Add(30*time.Minute))
	for at, want := range map[time.Duration]int{30 * time.Minute: 4, time.Hour - 1: 4, time.Hour: 3, 90 * time.Minute: 2} {
		if got := l.weight(epoch.Add(at)); got != want {
			t.Errorf("after %s: %d, want %d", at, got, want)
		}
	}
	if l.lose(epoch.Add(2*time.Hour), epoch.Add(2*time.Hour)); len(l.Lost) != 1 {
		t.Errorf("%d are known still that were lost more than an hour ago", len(l.Lost)-1)
	}
	for range 3 * maxLost {
		l.lose(epoch.Add(2*time.Hour), epoch.Add(2*time.Hour))
	}
	if len(l.Lost) != maxLost {
		t.Errorf("%d are known, want %d at most", len(l.Lost), maxLost)
	}
}

func TestScopedTokensThatAreNotThereAnyMoreAreLost(t *testing.T) {
	here, gone := credential.NewAccessToken("ghu_here"), credential.NewAccessToken("ghu_gone")
	there := parseTokens([]byte("ghu_here\nghu_stray\n"))
	l := ledger{Format: 1, Current: &entry{Token: gone.Fingerprint()}}
	l.retire(entry{Token: here.Fingerprint()}, epoch)
	l.retire(entry{Token: "dead long ago", ExpiresAt: epoch}, epoch)
	got := l.without(there, epoch)
	if got.Current != nil || len(got.Retired) != 1 || got.Retired[0].Token != here.Fingerprint() || len(got.Lost) != 1 {
		t.Errorf("got %+v", got)
	}
	if data := string(there.of(got)); data != "ghu_here\n" {
		t.Errorf("the data would be %q", data)
	}
	if l.Current == nil || len(l.Retired) != 2 || len(l.Lost) != 0 {
		t.Error("what was looked at is another now")
	}
}

func TestScopedTokensInTheDataAreBounded(t *testing.T) {
	var data strings.Builder
	for n := range 1000 {
		fmt.Fprintf(&data, "ghu_%d\n", n)
	}
	if got := len(parseTokens([]byte(data.String()))); got != maxLines {
		t.Errorf("%d were read", got)
	}
	for name, text := range map[string]string{"empty": "", "blanks": " \n\n", "a blank in it": "ghu_a b", "too long": strings.Repeat("x", maxLine+1), "no ASCII": "ghu_ä"} {
		if got := parseTokens([]byte(text)); len(got) != 0 {
			t.Errorf("%s: %d were read", name, len(got))
		}
	}
	two := parseTokens([]byte("ghu_a\nghu_b"))
	l := ledger{Current: &entry{Token: credential.NewAccessToken("ghu_b").Fingerprint()}}
	l.retire(entry{Token: credential.NewAccessToken("ghu_a").Fingerprint()}, epoch)
	if got := string(two.of(l)); got != "ghu_b\nghu_a\n" {
		t.Errorf("the current one is not the first: %q", got)
	}
}

func TestScopedProofIsOfOneTokenResourceAndApp(t *testing.T) {
	mine := github.App{Host: "github.com", ClientID: "Iv23liEXAMPLE", ClientSecret: credential.NewClientSecret("secret")}
	e := entry{Token: "token", App: mine.Key(), Proof: proofOf(mine, "uid", "token")}
	if !isProven(e, mine, "uid") {
		t.Fatal("the operator's own token is not proven")
	}
	other := mine
	other.ClientSecret = credential.NewClientSecret("another")
	elsewhere := mine
	elsewhere.Host = "ghe.example.com"
	none := mine
	none.ClientSecret = credential.ClientSecret{}
	of := func(change func(*entry)) entry { changed := e; change(&changed); return changed }
	for name, proven := range map[string]bool{
		"of another resource":     isProven(e, mine, "another"),
		"of another token":        isProven(of(func(e *entry) { e.Token = "another" }), mine, "uid"),
		"of another App":          isProven(of(func(e *entry) { e.App = "github.com/Iv1" }), mine, "uid"),
		"at another host":         isProven(e, elsewhere, "uid"),
		"with another secret":     isProven(e, other, "uid"),
		"without a secret":        isProven(of(func(e *entry) { e.Proof = proofOf(none, "uid", "token") }), none, "uid"),
		"without a proof":         isProven(of(func(e *entry) { e.Proof = "" }), mine, "uid"),
		"of whoever is so daring": isProven(of(func(e *entry) { e.Proof = strings.Repeat("0", 32) }), mine, "uid"),
	} {
		if proven {
			t.Errorf("one %s is proven", name)
		}
	}
	if strings.Contains(e.Proof, "secret") {
		t.Error("the proof tells the secret")
	}
}
