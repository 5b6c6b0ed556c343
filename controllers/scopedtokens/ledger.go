package scopedtokens

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/githubusertoken/github-user-token-operator/internal/credential"
)

const (
	// ledgerFormat is the version of the form of the annotation.
	ledgerFormat = 1
	// maxLedger is how long the annotation may be. Longer ones were not written by the operator.
	maxLedger = 4 << 10
	// maxRetired and maxLost are how many tokens of one output are known that are not ended yet, or never arrived.
	maxRetired, maxLost = 9, 9
	// maxLines and maxLine are how many tokens are read of an output's data, and how long one may be.
	maxLines, maxLine = 2 * maxRetired, 2 << 10
)

// ledger is what the annotation of an output says of its scoped tokens. No token stands in it.
type ledger struct {
	Format int `json:"format"`
	// Current is the token that the output holds for its readers; nil when there is none.
	Current *entry `json:"current,omitempty"`
	// Retired are those that were replaced, or are not asked for any more, and that GitHub has not ended yet.
	Retired []entry `json:"retired,omitempty"`
	// Asked is when GitHub was asked for a token of which it is not known yet what came of it; zero when there is none.
	Asked time.Time `json:"asked,omitzero"`
	// Made is when tokens were made of late.
	Made []time.Time `json:"made,omitempty"`
	// Lost is when tokens may have been made that never arrived, or of which nobody knows where they are.
	Lost []time.Time `json:"lost,omitempty"`
}

// entry is one scoped token.
type entry struct {
	Token credential.Fingerprint `json:"token"`
	// Parent is the user's token of which it was made, and Scope names what it is limited to. Only of the current one they are told.
	Parent credential.Fingerprint `json:"parent,omitempty"`
	Scope  string                 `json:"scope,omitempty"`
	// App is the App (host/clientID) that it is of.
	App string `json:"app"`
	// Proof tells that it was made here; see proofOf.
	Proof string `json:"proof"`
	// IssuedAt is when it was asked for, and ExpiresAt when it expires by itself, where GitHub says so.
	IssuedAt  time.Time `json:"issuedAt"`
	ExpiresAt time.Time `json:"expiresAt,omitzero"`
	// EndAt is when a retired one is ended.
	EndAt time.Time `json:"endAt,omitzero"`
}

var (
	errGarbled = errors.New("the annotation is none of the operator's")
	// errTooNew: a later version of the operator has written it.
	errTooNew = errors.New("a newer version of the operator has written it")
)

// parseLedger reads the annotation; the empty text is the empty ledger.
func parseLedger(text string) (ledger, error) {
	l := ledger{Format: ledgerFormat}
	switch {
	case text == "":
		return l, nil
	case len(text) > maxLedger:
		return l, errGarbled
	}
	var read ledger
	if err := json.Unmarshal([]byte(text), &read); err != nil || read.Format < ledgerFormat {
		return l, errGarbled
	}
	switch {
	case read.Format > ledgerFormat:
		return l, errTooNew
	case len(read.Retired) > maxRetired || len(read.Lost) > maxLost || len(read.Made) > maxMade:
		return l, errGarbled
	}
	return read.distinct(), nil
}

// distinct names each token once. Whoever may write the output may have written otherwise, and the current one must not be ended as one
// that was replaced.
func (l ledger) distinct() ledger {
	l = l.clone()
	seen := map[credential.Fingerprint]bool{}
	if l.Current != nil {
		seen[l.Current.Token] = true
	}
	l.Retired = slices.DeleteFunc(l.Retired, func(e entry) bool {
		known := seen[e.Token]
		seen[e.Token] = true
		return known
	})
	return l
}

// tells reports whether the ledger tells of a token.
func (l ledger) tells(token credential.Fingerprint) bool {
	return slices.ContainsFunc(l.entries(), func(e entry) bool { return e.Token == token })
}

// text is the annotation; empty when there is nothing to say.
func (l ledger) text() string {
	if l.Current == nil && len(l.Retired) == 0 && l.Asked.IsZero() && len(l.Lost) == 0 && len(l.Made) == 0 {
		return ""
	}
	l.Format = ledgerFormat
	text, err := json.Marshal(l)
	if err != nil {
		return "" // Only a year beyond 9999 cannot be marshalled.
	}
	return string(text)
}

// clone shares nothing with the ledger.
func (l ledger) clone() ledger {
	if l.Current != nil {
		l.Current = new(*l.Current)
	}
	l.Retired, l.Lost, l.Made = slices.Clone(l.Retired), slices.Clone(l.Lost), slices.Clone(l.Made)
	return l
}

// retireCurrent has the current token ended at a time.
func (l *ledger) retireCurrent(endAt time.Time) {
	if l.Current != nil {
		l.retire(*l.Current, endAt)
		l.Current = nil
	}
}

// retire has a token ended at a time.
func (l *ledger) retire(e entry, endAt time.Time) {
	e.Parent, e.Scope, e.EndAt = "", "", endAt.UTC().Truncate(time.Second)
	l.Retired = append(l.Retired, e)
}

// forget drops a retired token.
func (l *ledger) forget(token credential.Fingerprint) {
	l.Retired = slices.DeleteFunc(l.Retired, func(e entry) bool { return e.Token == token })
}

// lose counts a token that may be alive without anybody knowing it, and forgets those of more than an hour ago.
func (l *ledger) lose(at, now time.Time) {
	l.Lost = append(l.lostSince(now), at.UTC().Truncate(time.Second))
	l.Lost = l.Lost[max(0, len(l.Lost)-maxLost):]
}

// lostSince are those of the last hour. What is still to come somebody else has written.
func (l ledger) lostSince(now time.Time) []time.Time {
	return slices.DeleteFunc(slices.Clone(l.Lost), func(at time.Time) bool { return !at.After(now.Add(-lostMemory)) || at.After(now.Add(margin)) })
}

// weight is how many tokens of the resource may be alive at GitHub for this output.
func (l ledger) weight(now time.Time) int {
	weight := len(l.Retired) + len(l.lostSince(now))
	if l.Current != nil {
		weight++
	}
	return weight
}

// tokens are those that an output's data holds, by their fingerprints.
type tokens map[credential.Fingerprint]credential.AccessToken

// parseTokens reads the key of the data that is the operator's own. What is no token is left out: somebody else wrote it.
func parseTokens(data []byte) tokens {
	found := tokens{}
	lines := bufio.NewScanner(bytes.NewReader(data))
	lines.Buffer(nil, maxLine)
	for lines.Scan() && len(found) < maxLines {
		if line := lines.Text(); line != "" && !strings.ContainsFunc(line, func(r rune) bool { return r <= ' ' || r > '~' }) {
			token := credential.NewAccessToken(line)
			found[token.Fingerprint()] = token
		}
	}
	return found
}

// of are the tokens of a ledger, in its order: the data under the operator's own key.
func (t tokens) of(l ledger) []byte {
	var data []byte
	for _, e := range l.entries() {
		if token, ok := t[e.Token]; ok {
			data = append(append(data, token.Reveal()...), '\n')
		}
	}
	return data
}

// entries are all tokens of which the ledger tells.
func (l ledger) entries() []entry {
	entries := slices.Clone(l.Retired)
	if l.Current != nil {
		entries = append([]entry{*l.Current}, entries...)
	}
	return entries
}

// without drops the entries whose tokens are not there, and counts those of them that may be alive.
func (l ledger) without(there tokens, now time.Time) ledger {
	l = l.clone()
	gone := func(e entry) bool {
		_, ok := there[e.Token]
		return !ok
	}
	for _, e := range l.entries() {
		if gone(e) && (e.ExpiresAt.IsZero() || now.Before(e.ExpiresAt)) {
			l.lose(now, now)
		}
	}
	l.Retired = slices.DeleteFunc(l.Retired, gone)
	if l.Current != nil && gone(*l.Current) {
		l.Current = nil
	}
	return l
}
