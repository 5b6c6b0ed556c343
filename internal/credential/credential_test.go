package credential

import (
	"bytes"
	"encoding/gob"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

const canary = "ghr_CANARYCANARYCANARYCANARY"

// holder is how the types are used: a field, a pointer, inside a map and a slice.
type holder struct {
	Token  RefreshToken
	Ptr    *AccessToken
	hidden ClientSecret
	Map    map[string]DeviceCode
	List   []RefreshToken
}

func newHolder() holder {
	access := NewAccessToken(canary)
	return holder{
		Token:  NewRefreshToken(canary),
		Ptr:    &access,
		hidden: NewClientSecret(canary),
		Map:    map[string]DeviceCode{"code": NewDeviceCode(canary)},
		List:   []RefreshToken{NewRefreshToken(canary)},
	}
}

func TestCredentialNoVerbOfFmtPrintsASecret(t *testing.T) {
	h := newHolder()
	values := map[string]any{
		"refresh token": h.Token, "access token": *h.Ptr, "pointer": h.Ptr, "client secret": h.hidden,
		"device code": h.Map["code"], "map": h.Map, "slice": h.List, "struct with unexported field": h,
	}
	for name, value := range values {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%T %v", "%10s", "%-80v"} {
			var printed string
			if strings.HasPrefix(verb, "%T") {
				printed = fmt.Sprintf(verb, value, value)
			} else {
				printed = fmt.Sprintf(verb, value)
			}
			if strings.Contains(printed, canary) || strings.Contains(printed, fmt.Sprintf("%x", canary)) {
				t.Errorf("%s prints the %s", verb, name)
			}
		}
	}
}

func TestCredentialNoEncoderWritesASecret(t *testing.T) {
	h := newHolder()
	var logged bytes.Buffer
	slog.New(slog.NewJSONHandler(&logged, nil)).Info("x", "token", h.Token, "holder", h, "err", errors.Join(fmt.Errorf("%v", h.Token)))
	slog.New(slog.NewTextHandler(&logged, nil)).Info("x", "token", h.Token, "secret", h.hidden)
	if strings.Contains(logged.String(), canary) {
		t.Error("slog prints a secret")
	}

	asJSON, err := json.Marshal(h)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(asJSON), canary) || !strings.Contains(string(asJSON), Redacted) {
		t.Errorf("JSON is not redacted: %d bytes", len(asJSON))
	}

	type element struct{ Token RefreshToken }
	asXML, err := xml.Marshal(element{h.Token})
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(asXML), canary) {
		t.Error("XML is not redacted")
	}

	var asGob bytes.Buffer
	if err := gob.NewEncoder(&asGob).Encode(h.Token); err == nil && strings.Contains(asGob.String(), canary) {
		t.Error("gob is not redacted")
	}
}

func TestCredentialFingerprintNamesOneSecretOnly(t *testing.T) {
	a, b := NewRefreshToken("ghr_a"), NewRefreshToken("ghr_b")
	if a.Fingerprint() == b.Fingerprint() {
		t.Error("two tokens share a fingerprint")
	}
	if a.Fingerprint() != NewAccessToken("ghr_a").Fingerprint() {
		t.Error("the fingerprint depends on more than the text")
	}
	if got := (RefreshToken{}).Fingerprint(); got != "" {
		t.Errorf("the fingerprint of nothing is %q, want empty", got)
	}
	if len(a.Fingerprint()) != 32 || len(a.Fingerprint().Short()) != 8 {
		t.Errorf("unexpected lengths %d and %d", len(a.Fingerprint()), len(a.Fingerprint().Short()))
	}
}

func TestCredentialRevealIsTheOnlyWayBack(t *testing.T) {
	token := NewRefreshToken(canary)
	if token.Reveal() != canary || !token.Matches(canary) || token.Matches("other") || token.IsZero() {
		t.Error("a token does not hold what it was made of")
	}
	if !(RefreshToken{}).IsZero() || !NewRefreshToken("").IsZero() || (RefreshToken{}).Reveal() != "" {
		t.Error("the zero value is not zero")
	}
	if same := NewRefreshToken(canary); same != token || token == NewRefreshToken("x") {
		t.Error("tokens do not compare by their text")
	}
}
