package weblogin

import (
	"encoding/json"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/credential"
)

func TestWebLoginSecretsAreMappedToTheirResource(t *testing.T) {
	const uid = "8b1c7f2e-0000-4000-8000-000000000001"
	for name, want := range map[string]string{
		v1alpha1.LoginCodeSecretName(NewID(uid, "random")): uid,
		v1alpha1.LoginCodeSecretName("random"):             "",
		"github-user-token-login-" + uid + "-random":       "",
		"seed": "",
	} {
		if got := UIDOf(name); got != want {
			t.Errorf("%s: %q", name, got)
		}
	}
}

func TestWebLoginAttemptEndsByAnyClock(t *testing.T) {
	now := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	a := &Attempt{ID: "uid-1", BeganAt: now, ExpiresAt: now.Add(Lifetime)}
	for after, want := range map[time.Duration]bool{
		0: true, Lifetime - 1: true, Lifetime: false, time.Hour: false, -AheadBy: true, -AheadBy - 1: false, -8 * time.Hour: false,
	} {
		if got := a.IsWaiting(now.Add(after)); got != want {
			t.Errorf("after %s it waits: %t", after, got)
		}
	}
	var none *Attempt
	if none.IsWaiting(now) || none.Answers(Request{}) || none.With(v1alpha1.WebLoginLost, "") != nil || none.AfterLogin("uid-1", false) != nil || none.Merged(a) != nil || none.Forgotten() != nil || none.HasHonoured(Request{}) || none.HasSent("code") || none.Known() != nil {
		t.Error("there is an attempt where there is none")
	}
}

func TestWebLoginResultThatIsStoredStays(t *testing.T) {
	a := &Attempt{ID: "uid-1"}
	lost := a.With(v1alpha1.WebLoginLost, "")
	if again := lost.With(v1alpha1.WebLoginRejected, "x"); again.Ended != v1alpha1.WebLoginLost {
		t.Errorf("a second result is taken: %+v", again)
	}
	if stored := lost.AfterLogin("uid-1", false); stored.Ended != v1alpha1.WebLoginSucceeded {
		t.Errorf("a pair that is stored is no success: %+v", stored)
	}
	if other := lost.AfterLogin("uid-2", false); other.Ended != v1alpha1.WebLoginLost {
		t.Errorf("another login changes what came of it: %+v", other)
	}
	if a.Ending("uid-2", v1alpha1.WebLoginLost, "") != a || a.Sending("", "code") != a || (&Attempt{}).Ending("", v1alpha1.WebLoginLost, "").Ended != "" {
		t.Error("what is about another attempt changes this one")
	}
	if a.Ended != "" || a.Sent != "" {
		t.Error("an attempt is changed in place")
	}
}

func TestWebLoginResultOfSomebodysMakingIsNotTaken(t *testing.T) {
	var read Attempt
	if err := json.Unmarshal([]byte(`{"id":"uid-1","ended":"<b>","why":"<b>"}`), &read); err != nil {
		t.Fatal(err)
	}
	if known := read.Known(); known.Ended != v1alpha1.WebLoginLost || known.Why != "" {
		t.Errorf("it is taken for %+v", known)
	}
}

func TestWebLoginRequestStaysHonoured(t *testing.T) {
	request := func(id string) Request { return Request{ID: id, Callback: "http://127.0.0.1:8976/"} }
	a := &Attempt{ID: "uid-1", Request: "request-1", Callback: "http://127.0.0.1:8976/", Verifier: "verifier", Sent: "code-1"}
	b := (&Attempt{ID: "uid-2", Request: "request-2", Callback: a.Callback}).After(a)
	if !b.Answers(request("request-2")) || !b.HasHonoured(request("request-1")) || b.HasHonoured(request("request-3")) || !b.HasSent("code-1") {
		t.Errorf("what follows remembers %+v", b)
	}
	if left := b.Forgotten(); left.IsOpen() || left.Why != WhyForgotten || !left.HasHonoured(request("request-2")) || !left.HasHonoured(request("request-1")) || !left.HasSent("code-1") {
		t.Errorf("what is left of one that is forgotten is %+v", left)
	}
	if left := a.Forgotten(); left.Ended != v1alpha1.WebLoginLost || left.Verifier != "" {
		t.Errorf("of one whose code was sent it is %+v", left)
	}
	for range 3 * maxHonoured {
		b = (&Attempt{ID: "uid-3", Request: NewID("request", time.Now().String())}).After(b)
	}
	if len(b.Honoured) != maxHonoured {
		t.Errorf("%d requests are remembered", len(b.Honoured))
	}
}

func TestWebLoginCopiesForgetNothing(t *testing.T) {
	began := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	first := &Attempt{ID: "uid-1", Request: "request-1", BeganAt: began, Honoured: []string{"request-0"}, Codes: Codes{"code-0"}}
	second := &Attempt{ID: "uid-2", Request: "request-2", BeganAt: began.Add(time.Minute)}
	for name, c := range map[string]struct {
		one, other *Attempt
		honoured   []string
		codes      []credential.Fingerprint
	}{
		"of another attempt before it":        {second, first.With(v1alpha1.WebLoginLost, "").Having("code-1"), []string{"request-2", "request-1", "request-0"}, []credential.Fingerprint{"code-0", "code-1"}},
		"whose code was sent":                 {second, first.Sending("uid-1", "code-1"), []string{"request-2", "request-1", "request-0"}, []credential.Fingerprint{"code-0", "code-1"}},
		"of the same":                         {first, first.Having("code-1"), []string{"request-1", "request-0"}, []credential.Fingerprint{"code-0", "code-1"}},
		"of a later one, which is begun anew": {first, second.Sending("uid-2", "code-2"), []string{"request-1", "request-0"}, []credential.Fingerprint{"code-0", "code-2"}},
		"of one where there is none":          {nil, first.With(v1alpha1.WebLoginLost, ""), []string{"request-1", "request-0"}, []credential.Fingerprint{"code-0"}},
		"of one that is open, likewise":       {nil, first, []string{"request-0"}, []credential.Fingerprint{"code-0"}},
	} {
		t.Run(name, func(t *testing.T) {
			got := c.one.Merged(c.other)
			for _, id := range []string{"request-0", "request-1", "request-2"} {
				if want := slices.Contains(c.honoured, id); got.HasHonoured(Request{ID: id}) != want {
					t.Errorf("%s is honoured: %t in %+v", id, !want, got)
				}
			}
			for _, code := range c.codes {
				if !got.HasSent(code) {
					t.Errorf("%s is forgotten in %+v", code, got)
				}
			}
			if again := got.Merged(c.other); again != got {
				t.Errorf("the second time it becomes %+v", again)
			}
		})
	}
}

func TestWebLoginCodesAreRememberedAlsoWithoutAnAttempt(t *testing.T) {
	var none *Attempt
	left := none.Having("code")
	if !left.HasSent("code") || left.IsOpen() || none.Having("") != nil {
		t.Errorf("what is left is %+v", left)
	}
	for i := range 2 * MaxCodes {
		left = left.Having(credential.NewAuthorizationCode(strconv.Itoa(i)).Fingerprint())
	}
	if len(left.Codes) != MaxCodes || left.HasSent("code") || !left.HasSent(credential.NewAuthorizationCode(strconv.Itoa(2*MaxCodes-1)).Fingerprint()) {
		t.Errorf("%d codes are remembered", len(left.Codes))
	}
}

func TestWebLoginHalfAPairIsNoSuccess(t *testing.T) {
	a := &Attempt{ID: "uid-1"}
	if half := a.AfterLogin("uid-1", true); half.Ended != v1alpha1.WebLoginLost || half.Why != WhyHalf || !half.Followed {
		t.Errorf("it is %+v", half)
	}
	if other := a.With(v1alpha1.WebLoginLost, "").AfterLogin("", false); other.Ended != v1alpha1.WebLoginLost || !other.Followed {
		t.Errorf("after a later login by another way it is %+v", other)
	}
}
