package commands

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// What GitHub is known to have revoked is handed to no program, which could make nothing of the 401.
func TestTokenThatWasRevokedIsNotHandedOut(t *testing.T) {
	for _, reason := range []string{"Revoked", "RevokedOnRequest"} {
		token := ready()
		token.Status.Conditions = []metav1.Condition{condition("Ready", "False", reason), condition("Authorized", "False", reason)}
		w := newWorld(t, token, pairSecret(func(*corev1.Secret) {}))
		if code := w.run("token", "octocat"); code == 0 || w.out.Len() != 0 || !strings.Contains(w.err.String(), reason) {
			t.Errorf("%s: exit code %d, %d bytes are printed, and it says %q", reason, code, w.out.Len(), w.err.String())
		}
	}
}

func TestLoginCreateRefusesAnAppID(t *testing.T) {
	w := newWorld(t)
	if code := w.run("login", "octocat", "--create", "--app", "123456"); code == 0 || !strings.Contains(w.err.String(), "Client ID is wanted") {
		t.Errorf("exit code %d, and it says %q", code, w.err.String())
	}
}
