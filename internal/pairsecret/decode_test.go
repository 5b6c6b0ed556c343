package pairsecret

import (
	"encoding/json"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
)

// Anybody who may edit Secrets in the namespace may write anything into one. Whatever that is, what was read of it can
// be written again.
func TestWhateverIsReadCanBeWritten(t *testing.T) {
	state := func(field, value string) *corev1.Secret {
		return &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Annotations: map[string]string{
			v1alpha1.AnnotationState: `{"owner":"u",` + field + `:` + value + `}`,
		}}}
	}
	for name, c := range map[string]struct {
		secret *corev1.Secret
		lost   bool
	}{
		"a good state":                {state(`"expiresAt"`, `"2030-01-01T00:00:00Z"`), false},
		"another zone":                {state(`"expiresAt"`, `"2030-01-01T00:00:00+02:00"`), false},
		"an offset of a day":          {state(`"expiresAt"`, `"2030-01-01T00:00:00+24:00"`), true},
		"one that is in escapes":      {state(`"expiresAt"`, `"2030-01-01T00:00:00\u002b24:00"`), true},
		"one in a verdict":            {state(`"verdict"`, `{"reason":"x","time":"2030-01-01T00:00:00+24:00"}`), true},
		"one in a device code":        {state(`"device"`, `{"since":"2030-01-01T00:00:00-24:00"}`), true},
		"no JSON":                     {state(`"`, `x`), true},
		"as long as may be":           {state(`"x"`, `"`+strings.Repeat("x", MaxState-64)+`"`), false},
		"longer than may be":          {state(`"x"`, `"`+strings.Repeat("x", MaxState)+`"`), true},
		"longer when it is written":   {state(`"x"`, `"`+strings.Repeat("<", MaxState/3)+`"`), true},
		"an expiry in the year zero":  {&corev1.Secret{Data: map[string][]byte{v1alpha1.KeyExpiresAt: []byte("0000-01-01T00:00:00Z")}}, true},
		"an expiry in a far-off year": {&corev1.Secret{Data: map[string][]byte{v1alpha1.KeyExpiresAt: []byte("9999-12-31T23:59:59-23:00")}}, true},
	} {
		t.Run(name, func(t *testing.T) {
			if _, lost := FromMetadata(&c.secret.ObjectMeta); lost != c.lost {
				t.Errorf("the state is lost: %t, want %t", lost, c.lost)
			}
			pair := FromSecret(c.secret)
			if text, err := json.Marshal(pair.State); err != nil || len(text) > MaxState {
				t.Error(len(text), err)
			}
		})
	}
	intent := &metav1.ObjectMeta{Annotations: map[string]string{
		v1alpha1.AnnotationState: `{}`, v1alpha1.AnnotationIntent: `{"id":"1","startedAt":"2030-01-01T00:00:00+24:00"}`,
	}}
	if pair, _ := FromMetadata(intent); pair.Intent == nil || pair.Intent.Unresolved != 1 {
		t.Errorf("an intent that cannot be written again is not treated as one of an unknown holder: %+v", pair.Intent)
	} else if _, err := json.Marshal(pair.Intent); err != nil {
		t.Error(err)
	}
}

// Without the time of its expiry an access token is never found to be due: a new pair is got in its place.
func TestATokenWhoseExpiryIsNotKnownIsReplaced(t *testing.T) {
	for name, expires := range map[string]string{"missing": "", "unreadable": "soon", "impossible": "0000-01-01T00:00:00Z"} {
		t.Run(name, func(t *testing.T) {
			secret := &corev1.Secret{Data: map[string][]byte{
				v1alpha1.KeyAccessToken: []byte("ghu_a"), v1alpha1.KeyRefreshToken: []byte("ghr_r"), v1alpha1.KeyExpiresAt: []byte(expires),
			}}
			if state := FromSecret(secret).State; state.HasToken() || state.RefreshToken == "" {
				t.Errorf("the token counts as good for ever: %+v", state)
			}
			delete(secret.Data, v1alpha1.KeyRefreshToken)
			if state := FromSecret(secret).State; !state.HasToken() {
				t.Error("a token that never expires is not known any more")
			}
		})
	}
}

// A reason becomes one of a condition, and the API server refuses a whole status for one that is none.
func TestOnlyKnownReasonsAreTaken(t *testing.T) {
	const rejected, expired = v1alpha1.ReasonRefreshTokenRejected, v1alpha1.ReasonAuthorizationExpired
	for reason, want := range map[string]struct{ verdict, ended string }{
		v1alpha1.ReasonReplyLost:           {v1alpha1.ReasonReplyLost, expired},
		v1alpha1.ReasonWrongUser:           {v1alpha1.ReasonWrongUser, v1alpha1.ReasonWrongUser},
		v1alpha1.ReasonUserUnknown:         {v1alpha1.ReasonUserUnknown, v1alpha1.ReasonUserUnknown},
		v1alpha1.ReasonRevoked:             {v1alpha1.ReasonRevoked, v1alpha1.ReasonRevoked},
		v1alpha1.ReasonAuthorizationDenied: {rejected, v1alpha1.ReasonAuthorizationDenied},
		"":                                 {rejected, ""}, "no reason!": {rejected, expired}, "TokenValid": {rejected, expired},
	} {
		pair, lost := FromMetadata(&metav1.ObjectMeta{Annotations: map[string]string{
			v1alpha1.AnnotationState: `{"verdict":{"reason":"` + reason + `"},"seedVerdict":{"reason":"` + reason + `"},"device":{"ended":"` + reason + `"}}`,
		}})
		if lost || pair.State.Verdict == nil || pair.State.Verdict.Reason != want.verdict || pair.State.SeedVerdict.Reason != want.verdict {
			t.Errorf("%q: %+v", reason, pair.State)
		}
		if ended := pair.State.Device.Ended; ended != want.ended {
			t.Errorf("%q: the codes have ended for %q, want %q", reason, ended, want.ended)
		}
	}
}
