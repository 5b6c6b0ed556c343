package chaos

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/github/githubtest"
	"github.com/githubusertoken/github-user-token-operator/internal/pairsecret"
	"github.com/githubusertoken/github-user-token-operator/test/suite"
)

// The invariants. settle waits until every subject stands as it must, and judge says whether that was
// the truth, and whether the way there was clean.

// problem says what is not yet, or never will be, as it must be at the end; empty if all is. Once a reply was
// kept or committed the Secret holds the newest pair of the last login, alive, and the status says so. Otherwise
// the reply is lost, and Authorized says that.
func (s *subject) problem() string {
	token, err := s.get()
	if s.gone {
		return s.remains(err)
	}
	if err != nil {
		return err.Error()
	}
	secret, err := s.pair()
	if err != nil {
		return err.Error()
	}
	if secret.Annotations[v1alpha1.AnnotationIntent] != "" {
		return "an intent is left; " + suite.Describe(token)
	}
	authorized := meta.FindStatusCondition(token.Status.Conditions, v1alpha1.ConditionAuthorized)
	ready := meta.FindStatusCondition(token.Status.Conditions, v1alpha1.ConditionReady)
	if authorized == nil || ready == nil || token.Status.ObservedGeneration != token.Generation {
		return "there is no status of this generation"
	}
	if s.lost || s.w.random != nil && authorized.Reason == v1alpha1.ReasonReplyLost {
		return s.lossProblem(secret, ready, authorized, token)
	}
	newest, _ := s.w.gh.Last(s.logins[len(s.logins)-1])
	switch {
	case string(secret.Data[v1alpha1.KeyRefreshToken]) != newest.RefreshToken, string(secret.Data[v1alpha1.KeyAccessToken]) != newest.AccessToken:
		return "the Secret does not hold the newest pair; " + suite.Describe(token)
	case !s.w.gh.Alive(newest.AccessToken), !s.w.gh.Alive(newest.RefreshToken):
		return "the newest pair is dead; " + suite.Describe(token)
	case len(secret.Data[v1alpha1.KeySeedRefreshToken]) != 0 || loginUnderWay(secret) != "":
		return "a login is left under import; " + suite.Describe(token)
	case ready.Status != metav1.ConditionTrue, authorized.Status != metav1.ConditionTrue:
		return suite.Describe(token)
	case !token.Status.AccessTokenExpirationTime.Time.Equal(expiresAt(secret)):
		return "the status tells of another pair"
	case meta.IsStatusConditionTrue(token.Status.Conditions, v1alpha1.ConditionStalled):
		return suite.Describe(token)
	}
	reason := ""
	if c := meta.FindStatusCondition(token.Status.Conditions, v1alpha1.ConditionReconciling); c != nil {
		reason = c.Reason
	}
	if reason != s.reason && s.reason != anyReason {
		return fmt.Sprintf("Reconciling is %q and should be %q; %s", reason, s.reason, suite.Describe(token))
	}
	return ""
}

func expiresAt(secret *corev1.Secret) time.Time {
	at, err := time.Parse(time.RFC3339, string(secret.Data[v1alpha1.KeyExpiresAt]))
	if err != nil {
		return time.Time{}
	}
	return at
}

// lossProblem reports whether it is false that the reply is lost: the token that the Secret holds must have been
// exchanged, and what came of it must not be in the Secret.
func (s *subject) lossProblem(secret *corev1.Secret, ready, authorized *metav1.Condition, token *v1alpha1.GitHubUserToken) string {
	if authorized.Status != metav1.ConditionFalse || authorized.Reason != v1alpha1.ReasonReplyLost ||
		ready.Status != metav1.ConditionFalse {
		return suite.Describe(token)
	}
	last := s.logins[len(s.logins)-1]
	held := string(secret.Data[v1alpha1.KeyRefreshToken])
	if held == "" {
		held = last // The import's reply was lost.
	}
	successor, exchanged := s.w.gh.Successor(held)
	newest, _ := s.w.gh.Last(last)
	if !exchanged || successor.RefreshToken != newest.RefreshToken {
		return "ReplyLost is said of a token that GitHub did not exchange last"
	}
	return ""
}

// remains says what is left of a resource that must be gone.
func (s *subject) remains(err error) string {
	if !apierrors.IsNotFound(err) {
		return "the resource is still there"
	}
	var secrets corev1.SecretList
	if err := s.w.admin.List(s.w.ctx, &secrets, client.InNamespace(s.namespace), client.MatchingLabels{v1alpha1.LabelOwner: s.name}); err != nil {
		return err.Error()
	}
	if len(secrets.Items) > 0 {
		return fmt.Sprintf("%d Secrets of the resource are left", len(secrets.Items))
	}
	return ""
}

// settle waits until all subjects stand as they must. With a moment at which the operator was killed it holds it
// to its promise for that.
func (w *world) settle(killed time.Time) {
	w.t.Helper()
	w.settleThese(w.subjects, killed)
}

func (w *world) settleThese(subjects []*subject, killed time.Time) {
	w.t.Helper()
	end := time.Now().Add(w.patience)
	if !killed.IsZero() {
		end = killed.Add(within)
	}
	open := slices.Clone(subjects)
	for {
		presented := w.presented()
		open = slices.DeleteFunc(open, func(s *subject) bool { return presented[s.login] >= s.due && s.problem() == "" })
		if len(open) == 0 {
			break
		}
		if time.Now().After(end) {
			for _, s := range open[:min(len(open), 10)] {
				w.t.Errorf("%s has not settled; its tokens were presented %d times: %s", s.name, presented[s.login], s.problem())
			}
			w.t.Fatalf("%d of %d resources have not settled", len(open), len(subjects))
		}
		time.Sleep(100 * time.Millisecond)
	}
	if !killed.IsZero() {
		totals.settledAfter(time.Since(killed))
	}
}

// presented counts for each login how often its refresh tokens were presented.
func (w *world) presented() map[string]int {
	presented := map[string]int{}
	for _, p := range w.gh.Presentations() {
		presented[p.User]++
	}
	return presented
}

// judge ends a test: nothing may change any more, and everything is held against the ledger.
func (w *world) judge() {
	w.t.Helper()
	w.settle(time.Time{})
	w.judgeLedger()
	w.judgeOutboxes()
	w.search()
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, found := range w.stored {
		w.t.Error(found)
		totals.with(func(f *figures) { f.doubleSpends++ })
	}
}

func (w *world) judgeLedger() {
	w.t.Helper()
	presented, again := w.presented(), map[string]int{}
	for _, p := range w.gh.DoubleSpends() {
		again[p.User]++
	}
	truthful := 0
	for _, s := range w.subjects {
		lost := s.lost
		if w.random != nil {
			lost = s.judgeLoss()
		}
		if lost {
			truthful++
		}
		if n := again[s.login]; n > 0 && !lost {
			w.t.Errorf("%s: a spent refresh token was presented %d times", s.name, n)
			totals.with(func(f *figures) { f.doubleSpends += n })
		}
		switch n := presented[s.login]; {
		case s.due >= 0 && n != s.due:
			w.t.Errorf("%s: tokens were presented %d times, but %d times were due", s.name, n, s.due)
		case s.due < 0 && n > s.most:
			w.t.Errorf("%s: tokens were presented %d times, but at most %d times were due", s.name, n, s.most)
		}
	}
	for _, v := range w.gh.Violations() {
		if v.Rule != githubtest.SpentTokenPresented {
			w.t.Errorf("GitHub saw a violation: %s %s", v.Rule, v.Detail)
		}
	}
	totals.with(func(f *figures) {
		f.resources += len(w.subjects)
		f.rotations += len(w.gh.Exchanges())
		f.truthful += truthful
	})
}

// watchForDoubleSpends is asked at the moment at which GitHub is presented a token: a spent one must not come
// when its successor is stored.
func (w *world) watchForDoubleSpends(p githubtest.Presentation) {
	if p.Fault != "" {
		totals.fault("GitHub: " + p.Fault)
	}
	if !p.AfterSuccess {
		return
	}
	ctx, cancel := context.WithTimeout(w.ctx, 5*time.Second)
	defer cancel()
	for _, namespace := range w.namespaces {
		var secrets corev1.SecretList
		if w.admin.List(ctx, &secrets, client.InNamespace(namespace), client.HasLabels{v1alpha1.LabelRole}) != nil {
			return // The API server is down: nothing can have been presented on its strength.
		}
		for _, secret := range secrets.Items {
			state, known := w.gh.StateOf(string(secret.Data[v1alpha1.KeyRefreshToken]))
			if known && state.User == p.User && state.Fingerprint != p.Fingerprint && loginUnderWay(&secret) != p.Fingerprint {
				w.mu.Lock()
				w.stored = append(w.stored, fmt.Sprintf("%s: a refresh token was presented after its successor was stored", secret.Name))
				w.mu.Unlock()
			}
		}
	}
}

// loginUnderWay names the token of a login that is being imported; empty when there is none.
func loginUnderWay(secret *corev1.Secret) string {
	pair, _ := pairsecret.FromMetadata(&secret.ObjectMeta)
	return string(pair.LoginFromSeed())
}

// history is when the operator was killed at random, and what was in its outbox then.
type history struct{ kills []killed }

type killed struct {
	at time.Time
	// kept are the access tokens, by fingerprint, that were in the outbox of which the next process knew.
	kept map[string]bool
}

// unkept is for how long before a kill a pair may have been on its way to the outbox or, when the outbox was lost
// with its pod, to the Secret.
const unkept = 3 * time.Second

// judgeLoss reports whether a subject's last reply is lost at the end of a random run, and complains unless that was one
// of the two impossible cases: GitHub made the exchange right before the process was killed, and the reply was not
// in an outbox that the next process had.
func (s *subject) judgeLoss() (lost bool) {
	token, err := s.get()
	s.w.must(err)
	authorized := meta.FindStatusCondition(token.Status.Conditions, v1alpha1.ConditionAuthorized)
	if authorized == nil || authorized.Reason != v1alpha1.ReasonReplyLost {
		return false
	}
	newest, _ := s.w.gh.Last(s.logins[len(s.logins)-1])
	fingerprint := githubtest.Fingerprint(newest.AccessToken)
	for _, p := range s.w.gh.Exchanges() {
		if p.NewAccess != fingerprint {
			continue
		}
		for _, k := range s.w.random.kills {
			if age := k.at.Sub(p.At); age > -unkept && age < unkept && !k.kept[fingerprint] {
				return true
			}
		}
	}
	s.w.t.Errorf("%s: the pair of an exchange that nothing disturbed is lost", s.name)
	totals.with(func(f *figures) { f.lost++ })
	return true
}

// judgeOutboxes wants nothing left there in the end. It waits, for a pair that stands in its Secret is removed from the
// outbox a moment later, and under load the last pairs of a short life are still being exchanged.
func (w *world) judgeOutboxes() {
	w.t.Helper()
	for _, r := range w.replicas {
		if r.over() {
			continue
		}
		w.eventually(r.name+" leaves nothing in its outbox", func() (bool, string) {
			left, err := filepath.Glob(filepath.Join(r.outbox, "replies", "reply-*.json"))
			w.must(err)
			return len(left) == 0, fmt.Sprintf("%d records", len(left))
		})
	}
}

// search looks for tokens and client secrets in all that the operator tells, including what each process says of all
// its goroutines when it is asked to quit.
func (w *world) search() {
	w.t.Helper()
	canaries := 0
	for _, s := range w.subjects {
		for _, token := range s.logins {
			for token != "" {
				if !suite.Tokens.MatchString(token) {
					w.t.Fatal("the search would not find GitHub's tokens")
				}
				canaries++
				pair, _ := w.gh.Successor(token)
				token = pair.RefreshToken
			}
		}
	}
	told := map[string][]byte{"the API server's objects": w.told()}
	for _, r := range w.replicas {
		if !r.over() {
			told[r.name+"'s metrics"] = r.metricsPage()
			w.must(r.life.cmd.Process.Signal(syscall.SIGCONT))
			w.must(r.life.cmd.Process.Signal(syscall.SIGQUIT))
			r.exitCode()
		}
		told[r.name+"'s log and goroutines"] = []byte(r.logs())
		if strings.Contains(r.logs(), "WARNING: DATA RACE") {
			w.t.Errorf("%s: the race detector complains; see its log", r.name)
			w.t.Log(r.logs())
		}
		w.must(filepath.WalkDir(r.home, func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() {
				return err
			}
			content, err := os.ReadFile(path)
			told[path] = content
			return err
		}))
	}
	searched := 0
	for where, text := range told {
		searched += len(text)
		found := suite.Tokens.Match(text) || suite.EncodedTokens.Match(text)
		for _, secret := range w.secrets {
			found = found || bytes.Contains(text, []byte(secret))
		}
		if found {
			w.t.Errorf("a token or a client secret stands in %s", where)
		}
	}
	totals.with(func(f *figures) {
		f.searchedBytes += searched
		f.searchedCanaries += 2*canaries + len(w.secrets)
	})
}

// told is all that stands on the API server, except the data of Secrets.
func (w *world) told() []byte {
	w.t.Helper()
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	for _, namespace := range append(slices.Clone(w.namespaces), w.system) {
		var secrets corev1.SecretList
		for _, list := range []client.ObjectList{
			&v1alpha1.GitHubUserTokenList{}, &corev1.EventList{}, &eventsv1.EventList{}, &coordinationv1.LeaseList{}, &secrets,
		} {
			w.must(w.admin.List(w.ctx, list, client.InNamespace(namespace)))
			if list != client.ObjectList(&secrets) {
				w.must(encoder.Encode(list))
			}
		}
		for _, secret := range secrets.Items {
			w.must(encoder.Encode(secret.ObjectMeta))
		}
	}
	return text.Bytes()
}

func (r *replica) metricsPage() []byte {
	r.w.t.Helper()
	ctx, cancel := context.WithTimeout(r.w.ctx, r.w.patience)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+r.metrics+"/metrics", nil)
	r.w.must(err)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		r.w.t.Errorf("%s serves no metrics: %v", r.name, err)
		return nil
	}
	defer response.Body.Close()
	page, err := io.ReadAll(response.Body)
	r.w.must(err)
	return page
}
