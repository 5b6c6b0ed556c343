package commands

import (
	"context"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
)

// ready is a resource that has a token.
func ready() *v1alpha1.GitHubUserToken {
	token := resource()
	token.Status.Conditions = []metav1.Condition{condition("Ready", "True", "TokenValid"), condition("Authorized", "True", "RefreshTokenValid")}
	token.Status.LastRefreshTime = &metav1.Time{Time: time.Date(2027, 2, 3, 10, 0, 0, 0, time.UTC)}
	token.Status.RefreshCount = 3
	token.Finalizers = []string{v1alpha1.Finalizer}
	return token
}

func TestRefreshWaitsForAnotherPair(t *testing.T) {
	w := newWorld(t, ready())
	waits := 0
	w.pass = func() {
		if waits++; waits < 8 {
			return
		}
		token := w.token("octocat")
		if token.Annotations[v1alpha1.AnnotationRefreshRequestedAt] == "" {
			t.Error("nobody has asked for a refresh")
		}
		token.Status.RefreshCount, token.Status.LastRefreshTime = 4, &metav1.Time{Time: w.env.now()}
		w.report(token)
	}
	if code := w.run("refresh", "octocat", "--wait"); code != 0 || waits < 8 {
		t.Errorf("it exits with %d after %d waits: %s", code, waits, w.err.String())
	}
}

func TestRefreshOutlivesAnAPIServerThatDoesNotAnswer(t *testing.T) {
	w := newWorld(t, ready())
	reads := 0
	w.failing = func(client.Object) error {
		switch reads++; {
		case reads > 1 && reads < 6:
			return apierrors.NewServiceUnavailable("the API server is tired")
		case reads == 6:
			w.failing = func(client.Object) error { return nil }
			token := w.token("octocat")
			token.Status.RefreshCount, token.Status.LastRefreshTime = 4, &metav1.Time{Time: w.env.now()}
			w.report(token)
		}
		return nil
	}
	if code := w.run("refresh", "octocat", "--wait"); code != 0 {
		t.Errorf("it exits with %d: %s", code, w.err.String())
	}
	if n := strings.Count(w.err.String(), "The API server does not answer"); n != 1 {
		t.Errorf("it says so %d times", n)
	}
}

func TestStatusGoesOnWatchingAnAPIServerThatDoesNotAnswer(t *testing.T) {
	w := newWorld(t, ready())
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	looks := 0
	w.failing = func(client.Object) error {
		switch looks++; looks {
		case 2:
			return apierrors.NewServiceUnavailable("the API server is tired")
		case 4:
			cancel()
		}
		return nil
	}
	if code := run(ctx, w.env, []string{"status", "octocat", "--watch"}); code != 0 || looks < 4 {
		t.Errorf("it exits with %d after %d looks: %s", code, looks, w.err.String())
	}
	w.contains(w.err.String(), "the API server is tired")
}

func TestRefreshThatNeedsAPersonIsNotWaitedFor(t *testing.T) {
	token := ready()
	token.Status.Conditions = []metav1.Condition{condition("Ready", "False", "TokenExpired"), condition("Authorized", "False", "RefreshTokenRejected")}
	w := newWorld(t, token)
	if code := w.run("refresh", "octocat", "--wait"); code != 2 {
		t.Errorf("it exits with %d", code)
	}
	w.contains(w.err.String(), "message of RefreshTokenRejected")
}

// released lets a resource go as the operator does, after it has looked at the spec.
func (w *world) released(reason string) func() {
	return func() {
		token := &v1alpha1.GitHubUserToken{}
		err := w.client.Get(w.t.Context(), client.ObjectKey{Namespace: "team-a", Name: "octocat"}, token)
		if apierrors.IsNotFound(err) {
			return
		}
		if err != nil {
			w.t.Fatal(err)
		}
		if token.DeletionTimestamp != nil {
			token.Finalizers = nil
			if err := w.client.Update(w.t.Context(), token); err != nil {
				w.t.Fatal(err)
			}
			return
		}
		token.Status.Conditions = []metav1.Condition{condition("Ready", "True", "TokenValid")}
		if reason != "" {
			token.Status.Conditions = append(token.Status.Conditions, condition("Stalled", "True", reason))
		}
		w.report(token)
	}
}

func TestRevokeDeletesNothingThatNobodyWouldRevoke(t *testing.T) {
	for name, c := range map[string]struct {
		pass func(*world) func()
		says string
	}{
		"the policy of the App forbids it": {func(w *world) func() { return w.released(v1alpha1.ReasonAppPolicyViolated) }, "the policy of the App is violated"},
		"the operator is not at work":      {func(*world) func() { return func() {} }, "the operator does not look at the resource"},
	} {
		t.Run(name, func(t *testing.T) {
			token := ready()
			token.Generation = 1 // What is observed is of no version.
			w := newWorld(t, token)
			w.pass = c.pass(w)
			if code := w.run("revoke", "octocat", "--yes"); code != 1 {
				t.Errorf("it exits with %d: %s", code, w.out.String())
			}
			w.contains(w.err.String(), c.says, "Nothing was changed")
			if left := w.token("octocat"); left.DeletionTimestamp != nil || left.Spec.DeletionPolicy != "" {
				t.Errorf("it is left with deletionPolicy %q, deleted at %v", left.Spec.DeletionPolicy, left.DeletionTimestamp)
			}
		})
	}
}

func TestLogoutKeepsWhatTheResourceIs(t *testing.T) {
	token := ready()
	token.Labels = map[string]string{"team": "a"}
	token.Annotations = map[string]string{"mine": "yes", v1alpha1.AnnotationAdopt: "true"}
	w := newWorld(t, token)
	w.pass = w.released("")
	if code := w.run("logout", "octocat", "--yes"); code != 0 {
		t.Fatalf("it exits with %d: %s", code, w.err.String())
	}
	left := w.token("octocat")
	if !left.Spec.Suspend || left.Labels["team"] != "a" || left.Annotations["mine"] != "yes" || left.Annotations[v1alpha1.AnnotationAdopt] != "" ||
		left.Spec.DeletionPolicy != "" || left.Spec.User.Login != "octocat" || left.UID == token.UID {
		t.Errorf("it is made anew as %+v", left)
	}
}

func TestRevokeTellsWhatGitHubDidNotTake(t *testing.T) {
	token := ready()
	event := &corev1.Event{
		ObjectMeta:     metav1.ObjectMeta{Namespace: "team-a", Name: "an-event"},
		InvolvedObject: corev1.ObjectReference{UID: token.UID}, Reason: "RevocationFailed", Message: "GitHub did not take it.",
	}
	w := newWorld(t, token, event)
	w.pass = w.released("")
	if code := w.run("revoke", "octocat", "--yes"); code != 0 {
		t.Errorf("it exits with %d: %s", code, w.err.String())
	}
	w.contains(w.out.String(), "its tokens could not be ended at GitHub: GitHub did not take it.")
}

// pairSecret is a pair Secret of the resource.
func pairSecret(change func(*corev1.Secret)) *corev1.Secret {
	secret := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "team-a", Name: "octocat", Labels: map[string]string{v1alpha1.LabelRole: v1alpha1.RolePair},
			Annotations: map[string]string{v1alpha1.AnnotationState: `{"owner":"uid-of-octocat","app":"github.example.com:8443/Iv23liEXAMPLE","expiresAt":"2027-02-03T18:00:00Z"}`},
		},
		Data: map[string][]byte{"access_token": []byte("ghu_the-access-token"), "refresh_token": []byte("ghr_the-refresh-token")},
	}
	if change != nil {
		change(secret)
	}
	return secret
}

func TestTokenPrintsNothingButAnAccessTokenOfTheResource(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*corev1.Secret)
		args   []string
		on     bool // a terminal
		out    string
		says   string
	}{
		"the access token":             {out: "ghu_the-access-token\n"},
		"to a terminal":                {on: true, says: "standard output is a terminal"},
		"to a terminal that is meant":  {on: true, args: []string{"--show"}, out: "ghu_the-access-token\n"},
		"of a Secret of somebody":      {change: func(s *corev1.Secret) { s.Labels = nil }, says: "is not the operator's"},
		"of another resource":          {change: func(s *corev1.Secret) { s.Annotations[v1alpha1.AnnotationState] = `{"owner":"x"}` }, says: "belongs to another resource"},
		"a refresh token in its place": {change: func(s *corev1.Secret) { s.Data["access_token"] = s.Data["refresh_token"] }, says: "so it is not printed"},
		"two lines":                    {change: func(s *corev1.Secret) { s.Data["access_token"] = []byte("ghu_a\nhost=x") }, says: "so it is not printed"},
		"one that has expired": {change: func(s *corev1.Secret) {
			s.Annotations[v1alpha1.AnnotationState] = `{"expiresAt":"2027-02-03T11:00:00Z"}`
		}, says: "the token has expired"},
		"of a state that cannot be read": {change: func(s *corev1.Secret) { s.Annotations[v1alpha1.AnnotationState] = `{` }, says: "cannot be read"},
		"of a Secret that has no token":  {change: func(s *corev1.Secret) { s.Data = nil }, says: "there is no token yet"},
		"of a Secret that there is not":  {change: func(s *corev1.Secret) { s.Name = "other" }, says: "there is no token yet"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, ready(), pairSecret(c.change))
			w.env.isTerminal = func() bool { return c.on }
			code := w.run(append([]string{"token", "octocat"}, c.args...)...)
			if w.out.String() != c.out || (code == 0) != (c.out != "") {
				t.Errorf("it exits with %d, and prints %d bytes", code, w.out.Len())
			}
			w.contains(w.err.String(), c.says)
			if strings.Contains(w.out.String()+w.err.String(), "the-refresh-token") {
				t.Error("the refresh token is printed")
			}
		})
	}
}

func TestCredentialHelperAnswersForTheHostOfThePair(t *testing.T) {
	for host, answers := range map[string]bool{"github.example.com:8443": true, "github.com": false} {
		w := newWorld(t, ready(), pairSecret(nil))
		w.env.in = strings.NewReader("protocol=https\nhost=" + host + "\n\n")
		if code := w.run("credential-helper", "octocat", "get"); code != 0 || strings.Contains(w.out.String(), "password=ghu_the-access-token\npassword_expiry_utc=1801677600\n") != answers {
			t.Errorf("for %s it exits with %d, and answers %v", host, code, !answers)
		}
	}
	w := newWorld(t, ready(), pairSecret(nil))
	w.env.isTerminal = func() bool { return true }
	w.env.in = strings.NewReader("protocol=https\nhost=github.example.com:8443\n\n")
	if code := w.run("credential-helper", "octocat", "get"); code != 1 || w.out.Len() > 0 {
		t.Errorf("on a terminal it exits with %d, and prints %d bytes", code, w.out.Len())
	}
}

func TestCommandsRefuseWhatTheyDoNotKnow(t *testing.T) {
	for _, args := range [][]string{
		{"status", "octocat", "-A"}, {"status", "-o", "xml"}, {"hold", "octocat", "--for", "1h", "--release"}, {"hold", "octocat", "--until", "tomorrow"},
		{"credential-helper", "octocat", "list"}, {"nonsense"}, {"refresh"}, {"check", "-o", "xml"},
	} {
		w := newWorld(t, ready())
		if code := w.run(args...); code != 1 || !strings.HasPrefix(w.err.String(), "error: ") {
			t.Errorf("%q exits with %d: %s", args, code, w.err.String())
		}
	}
}
