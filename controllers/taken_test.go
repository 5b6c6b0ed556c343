package controllers

import (
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/test/suite"
)

// Two resources may ask for a Secret of one name. Whatever becomes of it, neither gets at the other's pair.

func TestPairSecretPairIsKeptWhenAnotherResourceHasTakenItsSecretsName(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	before := w.start("octocat")
	w.seed("hubot", "hubot")
	other := w.resource("hubot")
	other.Spec.Secret.Name = "octocat-token"
	w.create(other)
	w.refused("hubot", refusal{reason: v1alpha1.ReasonSecretNotOwned})
	held := w.gh.Inject(holdReply(refresh(before)))
	w.request("octocat", "1")
	w.arrived(held)
	w.remove(w.secretNamed("octocat-token"))
	w.force(w.secretNamed("octocat-token"))
	w.condition("hubot", v1alpha1.ConditionReady, metav1.ConditionTrue, "")
	held.Release()
	var newest *corev1.Secret
	w.eventually("the pair in the backup", func() (bool, string) {
		newest = w.find("github-user-token-backup-" + string(w.get("octocat").UID))
		return newest != nil, suite.Describe(w.get("octocat"))
	})
	if !w.gh.Alive(access(newest)) || !w.gh.Alive(refresh(newest)) {
		t.Error("the backup does not hold the pair that was received")
	}
	w.condition("octocat", v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonSecretNotOwned)
	w.quiet()

	// When the name is free again, each goes its way.
	w.change("hubot", func(token *v1alpha1.GitHubUserToken) { token.Spec.Secret.Name = "hubot-token" })
	w.eventually("the pair in its place", func() (bool, string) {
		token := w.get("octocat")
		return strings.Contains(suite.Describe(token), "Ready=True"), suite.Describe(token)
	})
	w.samePair(newest, w.alive("octocat-token"))
	w.ready("hubot")
	w.presented(3)
}

func TestPairSecretResourceDoesNotTouchTheOutputOfAnother(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	w.startWith("octocat", v1alpha1.Output{Name: "shared", Format: v1alpha1.OutputFormatOpaque})
	before := w.pair("shared")
	seed := w.seed("hubot", "hubot")
	other := w.resource("hubot")
	other.Spec.Secret.Name = "shared"
	w.create(other)
	w.refused("hubot", refusal{reason: v1alpha1.ReasonSecretNotOwned})
	w.quiet()
	if now := w.pair("shared"); now.ResourceVersion != before.ResourceVersion {
		t.Errorf("it was written: %v", now.Annotations)
	}
	w.request("octocat", "1")
	w.refreshed("octocat", 2)
	w.output("shared", access(w.alive("octocat-token")))

	w.change("hubot", func(token *v1alpha1.GitHubUserToken) { token.Spec.Secret.Name = "hubot-token" })
	w.ready("hubot")
	if exchanged := w.gh.ExchangesOf(seed); exchanged != 1 {
		t.Errorf("the login was exchanged %d times", exchanged)
	}
	w.presented(3)
}

func TestPairSecretPairMovesToTheNameOfAnOutputThatIsGivenUp(t *testing.T) {
	t.Parallel()
	each(t, map[string]time.Duration{"at once": 0, "with a late watch": 50 * time.Millisecond, "with a very late watch": 300 * time.Millisecond}, func(t *testing.T, lag time.Duration) {
		w := newWorld(t, worldOptions{noOperator: true})
		late := &lateWatch{}
		w.options.config = func(config *rest.Config) { config.Wrap(late.wrap) }
		w.startOperator(w.options)
		before := w.startWith("octocat", v1alpha1.Output{Name: "out", Format: v1alpha1.OutputFormatBasicAuth})
		late.set(lag)
		w.change("octocat", func(token *v1alpha1.GitHubUserToken) {
			token.Spec.Secret.Name, token.Spec.Outputs = "out", nil
		})
		w.eventually("the pair to stand in out", func() (bool, string) {
			token := w.get("octocat")
			return token.Status.SecretName == "out" && strings.Contains(suite.Describe(token), "Ready=True"), suite.Describe(token)
		})
		late.set(0)
		now := w.alive("out")
		w.samePair(before, now)
		if now.Type != corev1.SecretTypeOpaque || now.Data["password"] != nil || now.Labels[v1alpha1.LabelRole] != v1alpha1.RolePair {
			t.Errorf("the pair stands in what was the output: type %s, labels %v", now.Type, now.Labels)
		}
		w.gone(w.secretNamed("octocat-token"))
		if notes := w.eventsOf("octocat", v1alpha1.ReasonSecretNotOwned); len(notes) > 0 {
			t.Errorf("a person was called: %v", notes)
		}
		w.quiet()
		w.presented(1)
	})
}

// An output goes although somebody has edited it and the cache has not heard of that: the resource may go next.
func TestPairSecretOutputThatIsGivenUpGoesThoughItWasJustEdited(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{noOperator: true})
	late := &lateWatch{}
	w.options.config = func(config *rest.Config) { config.Wrap(late.wrap) }
	w.startOperator(w.options)
	w.startWith("octocat", v1alpha1.Output{Name: "out", Format: v1alpha1.OutputFormatOpaque})
	late.set(time.Hour)
	w.patchSecret("out", `{"metadata":{"labels":{"team":"a"}}}`)
	w.change("octocat", func(token *v1alpha1.GitHubUserToken) { token.Spec.Outputs = nil })
	w.gone(w.secretNamed("out"))
	late.set(0)
	w.quiet()
	w.presented(1)
}

// lateWatch delays what watches on Secrets deliver, or holds it back.
type lateWatch struct {
	mu  sync.Mutex
	lag time.Duration
}

func (l *lateWatch) set(lag time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lag = lag
}

func (l *lateWatch) wrap(next http.RoundTripper) http.RoundTripper {
	return roundTripper(func(request *http.Request) (*http.Response, error) {
		response, err := next.RoundTrip(request)
		if err == nil && request.URL.Query().Get("watch") != "" && strings.Contains(request.URL.Path, "/secrets") {
			response.Body = &lateBody{response.Body, l}
		}
		return response, err
	})
}

type lateBody struct {
	io.ReadCloser
	watch *lateWatch
}

// Read waits for as long as the watch is late, counted from when there is something to read.
func (b *lateBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	for began := time.Now(); ; time.Sleep(5 * time.Millisecond) {
		b.watch.mu.Lock()
		lag := b.watch.lag
		b.watch.mu.Unlock()
		if time.Since(began) >= lag {
			return n, err
		}
	}
}
