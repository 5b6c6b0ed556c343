package weblogin

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
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
	if none.IsWaiting(now) || none.Answers(Request{}) || none.With(v1alpha1.WebLoginLost, "") != nil || none.AfterLogin("uid-1") != nil || none.Merged(a) != nil || none.Known() != nil {
		t.Error("there is an attempt where there is none")
	}
}

func TestWebLoginResultThatIsStoredStays(t *testing.T) {
	a := &Attempt{ID: "uid-1"}
	lost := a.With(v1alpha1.WebLoginLost, "")
	if again := lost.With(v1alpha1.WebLoginRejected, "x"); again.Ended != v1alpha1.WebLoginLost {
		t.Errorf("a second result is taken: %+v", again)
	}
	if stored := lost.AfterLogin("uid-1"); stored.Ended != v1alpha1.WebLoginSucceeded {
		t.Errorf("a pair that is stored is no success: %+v", stored)
	}
	if other := lost.AfterLogin("uid-2"); other.Ended != v1alpha1.WebLoginLost {
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
