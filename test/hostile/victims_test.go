package hostile

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/github/githubtest"
	"github.com/githubusertoken/github-user-token-operator/test/suite"
)

// subjects are the resources of a namespace that behave, and what a watch has seen of them.
type subjects struct {
	w         *world
	namespace string
	apps      []string
	names     []string
	// quiet says that what statuses tell meanwhile is not held against them: somebody else writes there, too.
	quiet bool

	mu    sync.Mutex
	known map[string]*subject
	// late is for how long each refresh was due, at most, before its pair stood in the Secret. When it was due and when it
	// was written is told in whole seconds. seen is how much later, at most, a watch of the Secret told of it: the API
	// server's watches lag behind where a tenant keeps it busy.
	late, seen suite.Durations
	// problems are what was false, or should not have come to be.
	problems []string
}

// subject is one of them.
type subject struct {
	name, app, user string
	// login is the refresh token that the user's login returned.
	login  string
	access string
	due    time.Time
	// pairs is how many it had; ready that it was Ready once.
	pairs int
	ready bool
}

// subjects makes resources with a login each, and follows them.
func (w *world) subjects(namespace string, count int, apps []string) *subjects {
	w.t.Helper()
	return w.follow(&subjects{w: w, namespace: namespace, apps: apps, known: map[string]*subject{}}, count)
}

// quietSubjects are subjects that are judged by their end alone.
func (w *world) quietSubjects(namespace string, count int, apps []string) *subjects {
	w.t.Helper()
	return w.follow(&subjects{w: w, namespace: namespace, apps: apps, known: map[string]*subject{}, quiet: true}, count)
}

func (w *world) follow(s *subjects, count int) *subjects {
	w.t.Helper()
	namespace, apps := s.namespace, s.apps
	for i := range count {
		name := fmt.Sprintf("subject-%d", i)
		app := apps[i%len(apps)]
		one := &subject{name: name, app: app, user: namespace + "-" + name}
		one.login = w.login(namespace, app, one.user)
		s.names = append(s.names, name)
		s.known[name] = one
		w.writable[client.ObjectKey{Namespace: namespace, Name: name + "-token"}] = true
	}
	w.watch(the.admin, &corev1.SecretList{}, namespace, func(object client.Object) { s.sawSecret(object.(*corev1.Secret), time.Now()) })
	w.watch(the.admin, &v1alpha1.GitHubUserTokenList{}, namespace, func(object client.Object) { s.sawResource(object.(*v1alpha1.GitHubUserToken), time.Now()) })
	for _, name := range s.names {
		w.create(&corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name + "-seed"},
			StringData: map[string]string{"refresh_token": s.known[name].login},
		})
		w.create(suite.Resource(namespace, name, "github.com", s.known[name].app))
	}
	w.eventually("all of "+namespace+" to be ready", func() (bool, string) {
		s.mu.Lock()
		defer s.mu.Unlock()
		for _, one := range s.known {
			if !one.ready {
				return false, one.name + " is not"
			}
		}
		return true, ""
	})
	return s
}

func (s *subjects) complain(format string, args ...any) {
	if s.quiet {
		return
	}
	s.problems = append(s.problems, time.Now().Format(time.TimeOnly)+" "+fmt.Sprintf(format, args...))
}

func (s *subjects) sawSecret(secret *corev1.Secret, at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	one := s.known[strings.TrimSuffix(secret.Name, "-token")]
	access := string(secret.Data[v1alpha1.KeyAccessToken])
	if one == nil || secret.Name == one.name || access == "" || access == one.access {
		return
	}
	if written := writtenAt(secret); one.pairs > 0 && !one.due.IsZero() && !written.IsZero() {
		const rounding = time.Second
		stored := written.Add(rounding)
		if at.Before(stored) {
			stored = at
		}
		s.late, s.seen = append(s.late, max(0, stored.Sub(one.due))), append(s.seen, at.Sub(written))
	}
	one.access = access
	one.pairs++
	one.due, _ = time.Parse(time.RFC3339, secret.Annotations[v1alpha1.AnnotationNextRefreshAt]) // none while it is not known
}

// writtenAt is when the API server made the newest write of an object, in whole seconds.
func writtenAt(object client.Object) time.Time {
	var newest time.Time
	for _, entry := range object.GetManagedFields() {
		if entry.Time != nil && entry.Time.After(newest) {
			newest = entry.Time.Time
		}
	}
	return newest
}

// sawResource holds what a status says against the truth.
func (s *subjects) sawResource(token *v1alpha1.GitHubUserToken, at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	one := s.known[token.Name]
	ready := meta.FindStatusCondition(token.Status.Conditions, v1alpha1.ConditionReady)
	if one == nil || ready == nil {
		return
	}
	authorized := meta.FindStatusCondition(token.Status.Conditions, v1alpha1.ConditionAuthorized)
	if c := meta.FindStatusCondition(token.Status.Conditions, v1alpha1.ConditionReconciling); c != nil && !s.quiet {
		totals.said(c.Reason)
	}
	switch {
	case meta.IsStatusConditionTrue(token.Status.Conditions, v1alpha1.ConditionStalled):
		s.complain("%s: %s", one.name, suite.Describe(token))
	case authorized != nil && authorized.Status == metav1.ConditionFalse && authorized.Reason != v1alpha1.ReasonReplyLost:
		// Whether a reply was lost indeed is held against the ledger in the end.
		s.complain("%s: %s", one.name, suite.Describe(token))
	case ready.Status == metav1.ConditionTrue:
		one.ready = true
	case one.ready && (authorized == nil || authorized.Status != metav1.ConditionFalse) && !expired(token, at):
		s.complain("%s is not Ready while its token is alive: %s", one.name, suite.Describe(token))
	}
}

func expired(token *v1alpha1.GitHubUserToken, at time.Time) bool {
	const rounding = time.Second
	end := token.Status.AccessTokenExpirationTime
	return end == nil || !at.Add(rounding).Before(end.Time)
}

// request asks for a refresh of one of them now.
func (s *subjects) request(name string) {
	s.w.t.Helper()
	patch := fmt.Appendf(nil, `{"metadata":{"annotations":{%q:%q}}}`, v1alpha1.AnnotationRefreshRequestedAt, time.Now().Format(time.RFC3339Nano))
	token := &v1alpha1.GitHubUserToken{ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: name}}
	s.w.must(the.admin.Patch(s.w.ctx, token, client.RawPatch(types.MergePatchType, patch)))
}

// pairs is how many pairs each of them had so far.
func (s *subjects) pairs() map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	counts := map[string]int{}
	for name, one := range s.known {
		counts[name] = one.pairs
	}
	return counts
}

// goOn waits until each of them was refreshed once more.
func (s *subjects) goOn(during string) {
	s.w.t.Helper()
	before := s.pairs()
	s.w.eventually("each of "+s.namespace+" to be refreshed during "+during, func() (bool, string) {
		for name, count := range s.pairs() {
			if count <= before[name] && !s.lost(name) {
				return false, name + " was not"
			}
		}
		return true, ""
	})
}

// lost reports whether a kill has cost one of them its last reply, as it says itself.
func (s *subjects) lost(name string) bool {
	s.mu.Lock()
	one := *s.known[name]
	s.mu.Unlock()
	_, lost := one.problem(s.w.ctx, s.namespace, s.w.kills)
	return lost
}

// problem says what is not, at the end, as it must be; empty if all is. The Secret holds the newest pair of the
// login, alive, and the status says so; or the reply was lost, which only a kill can cause, and it says that.
func (s *subject) problem(ctx context.Context, namespace string, kills []time.Time) (problem string, lost bool) {
	var token v1alpha1.GitHubUserToken
	if err := the.admin.Get(ctx, client.ObjectKey{Namespace: namespace, Name: s.name}, &token); err != nil {
		return err.Error(), false
	}
	var secret corev1.Secret
	if err := the.admin.Get(ctx, client.ObjectKey{Namespace: namespace, Name: s.name + "-token"}, &secret); err != nil {
		return err.Error(), false
	}
	newest, _ := the.gh.Last(s.login)
	authorized := meta.FindStatusCondition(token.Status.Conditions, v1alpha1.ConditionAuthorized)
	if authorized != nil && authorized.Reason == v1alpha1.ReasonReplyLost && lostByKill(newest, kills) {
		return "", true
	}
	switch {
	case string(secret.Data[v1alpha1.KeyRefreshToken]) != newest.RefreshToken, string(secret.Data[v1alpha1.KeyAccessToken]) != newest.AccessToken:
		return "the Secret does not hold the newest pair; " + suite.Describe(&token) + "; " + marks(&secret), false
	case secret.Annotations[v1alpha1.AnnotationIntent] != "":
		return "an intent is left; " + suite.Describe(&token) + "; " + marks(&secret), false
	case !the.gh.Alive(newest.AccessToken), !the.gh.Alive(newest.RefreshToken):
		return "the newest pair is dead; " + suite.Describe(&token), false
	case !meta.IsStatusConditionTrue(token.Status.Conditions, v1alpha1.ConditionReady),
		authorized == nil || authorized.Status != metav1.ConditionTrue:
		return suite.Describe(&token) + "; " + marks(&secret), false
	}
	return "", false
}

// marks tells by what the operator may know a Secret as its own.
func marks(secret *corev1.Secret) string {
	var owners []string
	for _, owner := range secret.OwnerReferences {
		owners = append(owners, fmt.Sprintf("%s %s (%s)", owner.Kind, owner.Name, owner.UID))
	}
	return fmt.Sprintf("the Secret has the labels %v, the owners %v, the finalizers %v, the intent %q and the state %s", secret.Labels, owners,
		secret.Finalizers, secret.Annotations[v1alpha1.AnnotationIntent], secret.Annotations[v1alpha1.AnnotationState])
}

// lostByKill reports whether GitHub made the exchange so shortly before a kill that its reply may not have been kept.
func lostByKill(newest githubtest.Pair, kills []time.Time) bool {
	const unkept = 3 * time.Second
	fingerprint := githubtest.Fingerprint(newest.AccessToken)
	for _, p := range the.gh.Exchanges() {
		for _, at := range kills {
			if age := at.Sub(p.At); p.NewAccess == fingerprint && age > -unkept && age < unkept {
				return true
			}
		}
	}
	return false
}
