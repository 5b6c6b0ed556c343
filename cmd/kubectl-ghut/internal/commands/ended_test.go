package commands

import (
	"context"
	"errors"
	"io"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/klog/v2"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
)

// offering is a resource whose code waits to be entered.
func offering() *v1alpha1.GitHubUserToken {
	token := resource()
	token.Status.Conditions = []metav1.Condition{condition("Ready", "False", "AuthorizationPending"), condition("Authorized", "False", "AuthorizationPending")}
	token.Status.Authorization = &v1alpha1.Authorization{
		UserCode: "WDJB-MJHT", VerificationURI: "https://github.com/login/device", ExpirationTime: &metav1.Time{Time: time.Date(2027, 2, 3, 12, 15, 0, 0, time.UTC)},
	}
	return token
}

// unheeded is a resource that no operator looks at.
func unheeded() *v1alpha1.GitHubUserToken {
	token := ready()
	token.Generation = 1
	return token
}

// A command that was ended early says how things stand, and which command goes on from there.
func TestCommandThatIsEndedEarlySaysHowThingsStand(t *testing.T) {
	suspended := ready()
	suspended.Spec.Suspend = true
	for name, c := range map[string]struct {
		token *v1alpha1.GitHubUserToken
		args  []string
		// waits is after how many waits it is interrupted; it is not when its time is over first.
		waits int
		says  []string
	}{
		"login, before a code": {resource(), []string{"login", "octocat"}, 2, []string{"error: interrupted. No code was shown yet, and nobody was logged in. To go on: kubectl ghut login octocat -n team-a\n"}},
		"login, with a code": {offering(), []string{"login", "octocat"}, 2, []string{
			"error: interrupted. The code WDJB-MJHT is good until 12:15:00Z: whoever enters it logs in, also without this command. To go on waiting: kubectl ghut login octocat -n team-a\n"}},
		"login, whose time is over": {offering(), []string{"login", "octocat", "--timeout", "1ms"}, 0, []string{"error: it has taken longer than --timeout, 1ms. The code WDJB-MJHT is good"}},
		"login --web": {resource(), []string{"login", "octocat", "--web", "--port", "0"}, 2, []string{
			"error: interrupted. The login is taken back, and its page is good for nothing any more. To begin anew: kubectl ghut login octocat -n team-a --web\n"}},
		"login --link": {resource(), []string{"login", "octocat", "--link"}, 2, []string{"error: interrupted. No link is there yet. To go on: kubectl ghut login octocat -n team-a --link\n"}},
		"refresh --wait": {ready(), []string{"refresh", "octocat", "--wait"}, 2, []string{
			"error: interrupted. The refresh is asked for, and the operator makes it without this command. To see what comes of it: kubectl ghut status octocat -n team-a\n"}},
		"refresh --wait, whose time is over": {ready(), []string{"refresh", "octocat", "--wait", "--timeout", "1ms"}, 0, []string{"error: it has taken longer than --timeout, 1ms. The refresh is asked for"}},
		"revoke, before the deletion":        {unheeded(), []string{"revoke", "octocat", "--yes"}, 2, []string{"error: interrupted. Nothing was changed. To do it, give the same command again.\n"}},
		"revoke, after the deletion": {ready(), []string{"revoke", "octocat", "--yes"}, 3, []string{
			"error: interrupted. It is to be deleted, and goes when the operator has ended its tokens, without this command. To see: kubectl ghut status octocat -n team-a\n"}},
		"logout, after the deletion": {ready(), []string{"logout", "octocat", "--yes"}, 3, []string{
			"without this command. To see: kubectl ghut status octocat -n team-a\nIt is not made anew by that. To have it again, suspended, once it is gone:\n\nkubectl create -f - <<'END'\n",
			"kind: GitHubUserToken\n", "  suspend: true\n", "clientID: Iv23liEXAMPLE\n"}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, c.token)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			waits := 0
			w.pass = func() {
				if waits++; waits == c.waits {
					cancel()
				}
				if c.waits == 0 {
					time.Sleep(2 * time.Millisecond) // Longer than its time.
				}
			}
			if code := run(ctx, w.env, c.args); code != 1 {
				t.Errorf("it exits with %d", code)
			}
			w.contains(w.err.String(), c.says...)
			if n := strings.Count(w.err.String(), "error: "); n != 1 {
				t.Errorf("it says %d errors: %s", n, w.err.String())
			}
		})
	}
}

func TestRevokeThatIsEndedBeforeTheDeletionPutsThePolicyBack(t *testing.T) {
	w := newWorld(t, unheeded())
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	set := false
	w.pass = func() {
		set = w.token("octocat").Spec.DeletionPolicy == v1alpha1.DeletionPolicyRevoke
		cancel()
	}
	if code := run(ctx, w.env, []string{"revoke", "octocat", "--yes"}); code != 1 || !set {
		t.Errorf("it exits with %d; the policy was set: %t", code, set)
	}
	if left := w.token("octocat"); left.Spec.DeletionPolicy != "" || left.DeletionTimestamp != nil {
		t.Errorf("it is left with deletionPolicy %q, deleted at %v", left.Spec.DeletionPolicy, left.DeletionTimestamp)
	}
}

// The question reads a terminal that nobody may ever answer.
func TestRevokeThatIsEndedAtItsQuestionDoesNothing(t *testing.T) {
	w := newWorld(t, ready())
	ctx, cancel := context.WithCancel(t.Context())
	w.env.in = readerFunc(func([]byte) (int, error) {
		cancel()
		<-t.Context().Done() // The end of the test.
		return 0, errors.New("nobody answers")
	})
	if code := run(ctx, w.env, []string{"revoke", "octocat"}); code != 1 {
		t.Errorf("it exits with %d", code)
	}
	w.contains(w.err.String(), "error: interrupted. Nothing was changed.")
	if w.token("octocat").DeletionTimestamp != nil {
		t.Error("it is deleted")
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

func TestLogoutThatIsEndedWhenTheResourceIsGoneMakesItAnew(t *testing.T) {
	w := newWorld(t, ready())
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	release := w.released("")
	w.pass = func() {
		deleting := w.token("octocat").DeletionTimestamp != nil
		release()
		if deleting {
			w.pass = func() {}
			w.failing = func(object client.Object) error {
				if _, isToken := object.(*v1alpha1.GitHubUserToken); isToken {
					cancel() // Between the two.
				}
				return nil
			}
		}
	}
	if code := run(ctx, w.env, []string{"logout", "octocat", "--yes"}); code != 0 {
		t.Fatalf("it exits with %d: %s", code, w.err.String())
	}
	if left := w.token("octocat"); !left.Spec.Suspend || left.UID == "uid-of-octocat" {
		t.Errorf("it was not made anew: %+v", left)
	}
}

func TestLogoutThatCannotMakeTheResourceAnewSaysHow(t *testing.T) {
	w := newWorld(t, ready())
	w.pass = w.released("")
	creates := false
	w.failing = func(object client.Object) error {
		if token, isToken := object.(*v1alpha1.GitHubUserToken); isToken && token.Spec.Suspend {
			creates = true
			return errors.New("etcd is tired")
		}
		return nil
	}
	if code := w.run("logout", "octocat", "--yes"); code != 1 || !creates {
		t.Errorf("it exits with %d", code)
	}
	w.contains(w.err.String(), "etcd is tired. It could not be made anew. To have it again, suspended", "clientID: Iv23liEXAMPLE\n", "  suspend: true\n")
}

// Who has authorized the App has done all that was wanted.
func TestLoginByTheWebFlowThatIsEndedWhenTheCodeIsThereLeavesItToTheOperator(t *testing.T) {
	o := newOperator(t, url.Values{"code": {"c"}}, resource())
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	o.silent = true
	o.pass = func() {
		if strings.Contains(o.err.String(), "The code is with the operator") {
			cancel()
			return
		}
		o.act()
	}
	if code := run(ctx, o.env, []string{"login", "octocat", "--web", "--port", "0"}); code != 1 {
		t.Errorf("it exits with %d", code)
	}
	o.contains(o.err.String(), "error: interrupted. The code is with the operator, which redeems it without this command. To see what came of it: kubectl ghut status octocat -n team-a")
	if o.token("octocat").Annotations[v1alpha1.AnnotationWebLoginRequested] == "" {
		t.Error("the login was taken back")
	}
}

func TestLoginByTheWebFlowThatCannotBeTakenBackSaysSo(t *testing.T) {
	w := newWorld(t, resource())
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	w.pass = func() {
		cancel()
		w.failing = func(client.Object) error { return errors.New("no answer") }
	}
	if code := run(ctx, w.env, []string{"login", "octocat", "--web", "--port", "0"}); code != 1 {
		t.Errorf("it exits with %d", code)
	}
	w.contains(w.err.String(), "error: interrupted. The login could not be taken back (no answer). It ends by itself within ten minutes. To begin anew: kubectl ghut login octocat -n team-a --web")
}

// A change of which nobody has heard may have been made or not.
func TestCommandWhoseChangeIsNotAnsweredSaysSo(t *testing.T) {
	for name, args := range map[string][]string{"adopt": {"adopt", "octocat", "--always"}, "suspend": {"suspend", "octocat"}, "hold": {"hold", "octocat", "--for", "1h"}, "refresh": {"refresh", "octocat"}} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, ready())
			w.patching = func() error { return errors.New("unexpected EOF") }
			if code := w.run(args...); code != 1 {
				t.Errorf("it exits with %d", code)
			}
			w.contains(w.err.String(), "unexpected EOF", "Whether the change was made is not known. To see: kubectl ghut status octocat -n team-a\n")

			w = newWorld(t, ready())
			ctx, cancel := context.WithCancel(t.Context())
			w.patching = func() error { cancel(); return ctx.Err() }
			if code := run(ctx, w.env, args); code != 1 {
				t.Errorf("interrupted it exits with %d", code)
			}
			w.contains(w.err.String(), "error: interrupted. Whether the change was made is not known. To see: kubectl ghut status octocat -n team-a\n")
		})
	}
}

func TestCommandThatOnlyLooksSaysThatNothingWasChangedWhenItIsEnded(t *testing.T) {
	for _, args := range [][]string{{"status"}, {"tree"}, {"check"}, {"report", "-o", t.TempDir() + "/report.tar.gz"}, {"token", "octocat"}} {
		w := newWorld(t, ready())
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		w.failing = func(client.Object) error { return ctx.Err() }
		w.listing = ctx.Err
		if code := run(ctx, w.env, args); code != 1 || !strings.HasPrefix(w.err.String(), "error: interrupted. Nothing was changed.") || w.out.Len() > 0 {
			t.Errorf("%q exits with %d: %s%s", args, code, w.out.String(), w.err.String())
		}
	}
}

// client-go logs what it also returns, such as the end of a request whose time is over.
func TestPluginShowsNoLogOfItsLibraries(t *testing.T) {
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	terminal := os.Stderr
	os.Stderr = write
	quiet()
	klog.Error("Unexpected error when reading response body") //nolint:logcheck // It is what client-go does by itself, and what is tried here.
	klog.Flush()                                              //nolint:logcheck // As above.
	os.Stderr = terminal
	write.Close()
	if shown, err := io.ReadAll(read); err != nil || len(shown) > 0 {
		t.Errorf("it shows %q (%v)", shown, err)
	}
}

func TestLoginAgainThatIsEndedEarlyNamesTheWholeCommand(t *testing.T) {
	w := newWorld(t, ready())
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	w.pass = cancel
	if code := run(ctx, w.env, []string{"login", "octocat", "--web", "--again", "--port", "0"}); code != 1 {
		t.Errorf("it exits with %d", code)
	}
	w.contains(w.err.String(), "To begin anew: kubectl ghut login octocat -n team-a --web --again\n")
}
