package appstatus

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/yaml"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/restlimit"
	"github.com/githubusertoken/github-user-token-operator/controllers/runner/runnertest"
	"github.com/githubusertoken/github-user-token-operator/controllers/scope"
	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/github"
	"github.com/githubusertoken/github-user-token-operator/internal/memory"
	"github.com/githubusertoken/github-user-token-operator/internal/problem"
)

// world is a Reconciler of ClusterGitHubApps, or of GitHubApps, among stand-ins.
type world struct {
	*Reconciler

	t       *testing.T
	cluster bool
	client  client.Client
	clock   *runnertest.Clock
	users   []v1alpha1.GitHubUserToken
	admits  func(*v1alpha1.GitHubUserToken) bool
	barred  bool
	sharing Sharing
	// hostErr is why the host may not be called, and answer what GitHub says.
	hostErr, answer error
	// asked are the Apps that GitHub was asked about, and reads the Secrets that were read.
	asked []github.App
	reads []types.NamespacedName
	// version is that of the Secret; empty when there is none. silent is a watch that tells nothing.
	version string
	// value is what makes one client secret another. Default: the version.
	value  string
	silent bool
	// turn is whether there is one.
	turn bool
	// cancelled are those who wait for one no more.
	cancelled []string
	// events are those that were made.
	events []string
	fail   error
}

func newWorld(t *testing.T, cluster bool) *world {
	t.Helper()
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	w := &world{
		t: t, cluster: cluster, version: "1", turn: true, clock: &runnertest.Clock{Start: time.Date(2026, 3, 4, 0, 0, 0, 0, time.UTC), Mono: time.Hour},
		admits: func(*v1alpha1.GitHubUserToken) bool { return true },
		client: fake.NewClientBuilder().WithScheme(scheme).WithStatusSubresource(&v1alpha1.GitHubApp{}, &v1alpha1.ClusterGitHubApp{}).Build(),
	}
	w.Reconciler = New(Options{
		Client: w.client, GitHub: w, SecretNamespace: "operator", Clock: w.clock,
		Users: func(context.Context, string, string, string) ([]v1alpha1.GitHubUserToken, error) {
			return w.users, w.fail
		},
		Admits: func(_ context.Context, _ *v1alpha1.ClusterGitHubApp, token *v1alpha1.GitHubUserToken) (bool, error) {
			return w.admits(token), w.fail
		},
		Bars:    func(context.Context, string, string, string) (bool, error) { return w.barred, w.fail },
		Sharing: func(context.Context, client.Object) (Sharing, error) { return w.sharing, w.fail },
		ClientSecret: func(_ context.Context, secret types.NamespacedName, _ string) (credential.ClientSecret, string, *problem.Problem, error) {
			w.reads = append(w.reads, secret)
			if w.version == "" {
				return credential.ClientSecret{}, "", &problem.Problem{Reason: v1alpha1.ReasonClientSecretMissing, Message: "There is none."}, nil
			}
			return credential.NewClientSecret("secret-" + cmp.Or(w.value, w.version)), w.version, nil, w.fail
		},
		Version: func(types.NamespacedName) (string, bool) { return w.version, !w.silent },
		Memory:  memory.NewStore(), Events: w,
	}, cluster)
	return w
}

// CheckToken implements GitHub.
func (w *world) CheckToken(_ context.Context, who restlimit.Caller, app github.App, token credential.AccessToken) (github.Check, error) {
	if who.UID != "uid" || who.Namespace != w.name().Namespace || who.QueueID != "" {
		w.t.Errorf("it is asked for %+v", who)
	}
	if !w.turn {
		return github.Check{}, &restlimit.WaitingError{Host: app.Host, Until: time.Now().Add(time.Minute)}
	}
	if token != madeUp {
		w.t.Error("GitHub was asked about another token than the one that is made up")
	}
	w.asked = append(w.asked, app)
	return github.Check{}, w.answer
}

// Cancel implements GitHub.
func (w *world) Cancel(id string) { w.cancelled = append(w.cancelled, id) }

// Eventf implements Events.
func (w *world) Eventf(_, _ runtime.Object, kind, reason, _, note string, args ...any) {
	w.events = append(w.events, kind+" "+reason+": "+fmt.Sprintf(note, args...))
}

// CheckHost implements GitHub.
func (w *world) CheckHost(string) error { return w.hostErr }

func (w *world) name() types.NamespacedName {
	if w.cluster {
		return types.NamespacedName{Name: "app"}
	}
	return types.NamespacedName{Namespace: "team-a", Name: "app"}
}

func (w *world) create(edit func(*v1alpha1.ClusterGitHubAppSpec)) {
	w.t.Helper()
	spec := v1alpha1.ClusterGitHubAppSpec{GitHubAppSpec: v1alpha1.GitHubAppSpec{
		Host: "github.example.com", ClientID: "Iv23li", ClientSecretRef: &v1alpha1.ClientSecretReference{Name: "app", Key: "client_secret"},
	}}
	if edit != nil {
		edit(&spec)
	}
	meta := metav1.ObjectMeta{Namespace: w.name().Namespace, Name: w.name().Name, UID: "uid", Generation: 3}
	var object client.Object = &v1alpha1.GitHubApp{ObjectMeta: meta, Spec: spec.GitHubAppSpec}
	if w.cluster {
		object = &v1alpha1.ClusterGitHubApp{ObjectMeta: meta, Spec: spec}
	}
	if err := w.client.Create(w.t.Context(), object); err != nil {
		w.t.Fatal(err)
	}
}

// reconcile returns the App as it is then, nil when it is gone, and when to come back.
func (w *world) reconcile() (app, time.Duration) {
	w.t.Helper()
	result, err := w.Reconcile(w.t.Context(), ctrl.Request{NamespacedName: w.name()})
	if err != nil {
		w.t.Fatal(err)
	}
	found := w.empty()
	if err := w.client.Get(w.t.Context(), w.name(), found); err != nil {
		return nil, result.RequeueAfter
	}
	return found, result.RequeueAfter
}

func (w *world) expect(kind string, status metav1.ConditionStatus, reason, part string) {
	w.t.Helper()
	found, _ := w.reconcile()
	condition := meta.FindStatusCondition(found.AppStatus().Conditions, kind)
	if condition == nil || condition.Status != status || condition.Reason != reason || !strings.Contains(condition.Message, part) || condition.ObservedGeneration != 3 {
		w.t.Errorf("%s is %+v, want %s, %s, %q", kind, condition, status, reason, part)
	}
}

var updateStatuses = flag.Bool("update-statuses", false, "write the files of the statuses anew")

// keepStatus compares an App with the one that was written down for the tests of GitOps tools, or writes it down.
func (w *world) keepStatus(name string, found app) {
	w.t.Helper()
	kept := found.DeepCopyObject().(client.Object)
	kept.SetResourceVersion("")
	kind := v1alpha1.KindGitHubApp
	if w.cluster {
		kind = v1alpha1.KindClusterGitHubApp
	}
	kept.GetObjectKind().SetGroupVersionKind(v1alpha1.GroupVersion.WithKind(kind))
	text, err := yaml.Marshal(kept)
	if err != nil {
		w.t.Fatal(err)
	}
	file := filepath.Join("../../test/gitops/testdata/appstatuses", strings.ReplaceAll(name, " ", "-")+".yaml")
	if *updateStatuses {
		if err := os.WriteFile(file, text, 0o644); err != nil {
			w.t.Fatal(err)
		}
	}
	if before, err := os.ReadFile(file); err != nil || string(before) != string(text) {
		w.t.Errorf("%s is not up to date (%v); run this test with -update-statuses", file, err)
	}
}

func TestAppStatusConditions(t *testing.T) {
	none := func(spec *v1alpha1.ClusterGitHubAppSpec) { spec.ClientSecretRef = nil }
	for name, c := range map[string]struct {
		cluster      bool
		edit         func(*v1alpha1.ClusterGitHubAppSpec)
		change       func(*world)
		ready        metav1.ConditionStatus
		reason, part string
		valid        string // reason of CredentialsValid; empty when it is absent
	}{
		"all is well":                      {ready: "True", reason: "Usable", part: "The App can be used.", valid: "CredentialsAccepted"},
		"of the cluster":                   {cluster: true, ready: "True", reason: "Usable", part: "The App can be used.", valid: "CredentialsAccepted"},
		"without a client secret":          {edit: none, ready: "True", reason: "Usable", part: "device flow"},
		"a wrong client secret":            {change: func(w *world) { w.answer = &github.Error{Reason: github.IncorrectClientCredentials} }, ready: "False", reason: "IncorrectClientCredentials", part: "does not accept", valid: "IncorrectClientCredentials"},
		"an unknown client ID":             {change: func(w *world) { w.answer = &github.Error{Reason: github.UnknownClient} }, ready: "False", reason: "IncorrectClientCredentials", part: "clientID", valid: "IncorrectClientCredentials"},
		"an outage says nothing":           {change: func(w *world) { w.answer = &github.Error{Reason: github.ServerError} }, ready: "True", reason: "Usable", part: "Nothing is known against the App. GitHub has not said yet", valid: "NotYetChecked"},
		"a turn is waited for":             {change: func(w *world) { w.turn = false }, ready: "Unknown", reason: "NotYetChecked", part: "when it is this App's turn", valid: "NotYetChecked"},
		"no Secret":                        {change: func(w *world) { w.version = "" }, ready: "False", reason: "ClientSecretMissing", part: "There is none.", valid: "ClientSecretMissing"},
		"a host that is not allowed":       {change: func(w *world) { w.hostErr = errors.New("it is not allowed") }, ready: "False", reason: "HostNotAllowed", part: "it is not allowed"},
		"a namespace that is kept from it": {change: func(w *world) { w.barred = true }, ready: "False", reason: "AppNotUsable", part: scope.AppNotUsable, valid: "CredentialsAccepted"},
		"one other App of the same":        {change: func(w *world) { w.sharing.Others = 1 }, ready: "True", reason: "Usable", part: "with another GitHubApp or ClusterGitHubApp", valid: "CredentialsAccepted"},
		"several of the same":              {change: func(w *world) { w.sharing = Sharing{3, true} }, ready: "True", reason: "Usable", part: "with 3 other GitHubApps or ClusterGitHubApps of the same host and client ID. tokenRequestsPerHour does not count", valid: "CredentialsAccepted"},
		"a selector that is none": {cluster: true, edit: func(spec *v1alpha1.ClusterGitHubAppSpec) {
			spec.AllowedNamespaces.Selector = &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "a", Operator: "?"}}}
		}, ready: "False", reason: "SelectorInvalid", part: "malformed", valid: "CredentialsAccepted"},
		"no known namespace for the secrets": {cluster: true, change: func(w *world) { w.options.SecretNamespace = "" }, ready: "False", reason: "ClientSecretMissing", part: "--cluster-resource-namespace"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, c.cluster)
			if c.change != nil {
				c.change(w)
			}
			w.create(c.edit)
			w.expect(v1alpha1.ConditionReady, c.ready, c.reason, c.part)
			found, _ := w.reconcile()
			valid := ""
			if condition := meta.FindStatusCondition(found.AppStatus().Conditions, v1alpha1.ConditionCredentialsValid); condition != nil {
				valid = condition.Reason
			}
			if valid != c.valid {
				t.Errorf("CredentialsValid is %q, want %q", valid, c.valid)
			}
			if found.AppStatus().ObservedGeneration != 3 {
				t.Error("the status speaks of another spec")
			}
			for kind, want := range map[string]bool{
				v1alpha1.ConditionStalled:     c.ready == "False" && c.reason != v1alpha1.ReasonIncorrectClientCredentials,
				v1alpha1.ConditionReconciling: c.reason == v1alpha1.ReasonIncorrectClientCredentials || c.ready == "Unknown",
			} {
				condition := meta.FindStatusCondition(found.AppStatus().Conditions, kind)
				if (condition != nil) != want || want && (condition.Reason != c.reason || condition.Status != "True") {
					t.Errorf("%s is %+v", kind, condition)
				}
			}
			w.keepStatus(name, found)
		})
	}
}

func TestAppStatusSecretOfTheClusterIsInTheOperatorsNamespace(t *testing.T) {
	for cluster, want := range map[bool]string{true: "operator", false: "team-a"} {
		w := newWorld(t, cluster)
		w.create(nil)
		w.reconcile()
		if len(w.reads) != 1 || w.reads[0] != (types.NamespacedName{Namespace: want, Name: "app"}) {
			t.Errorf("read were %v", w.reads)
		}
	}
}

func TestAppStatusAsksGitHubWhenItMayHaveChangedAndOnceADay(t *testing.T) {
	w := newWorld(t, true)
	w.create(nil)
	look := func(asked, read int, why string) {
		t.Helper()
		w.reconcile()
		if len(w.asked) != asked || len(w.reads) != read {
			t.Errorf("%s: asked %d times, read %d times, want %d, %d", why, len(w.asked), len(w.reads), asked, read)
		}
	}
	look(1, 1, "at first")
	look(1, 1, "nothing has changed")
	w.clock.Mono += 23 * time.Hour
	look(1, 1, "within a day")
	w.clock.Mono += time.Hour
	look(2, 2, "a day later")
	w.version, w.value = "2", "2"
	look(3, 3, "another version of the Secret")
	w.version = "2 again"
	look(3, 4, "another version of the same value")
	look(3, 4, "nothing has changed since")
	w.silent = true
	look(3, 5, "a watch that tells nothing")
	w.silent = false
	w.answer = &github.Error{Reason: github.IncorrectClientCredentials}
	w.version, w.value = "3", ""
	_, again := w.reconcile()
	if len(w.asked) != 4 || again != time.Minute {
		t.Errorf("after a refusal it is looked at again in %s", again)
	}
	w.clock.Mono += 2 * time.Minute
	look(5, 7, "some time after a refusal")
	w.version, w.value = "3 again", "3"
	look(6, 8, "another version of a value that was refused")
	look(6, 8, "nothing has changed since")
	if w.asked[4].ClientSecret != credential.NewClientSecret("secret-3") || w.asked[4].ClientID != "Iv23li" {
		t.Errorf("asked about %v", w.asked[4].ClientID)
	}
}

// GitHub has refused the App to somebody who uses it, as its client secret was deleted there.
func TestAppStatusOfAnAppThatIsDoubtedIsFoundOutAnew(t *testing.T) {
	w := newWorld(t, true)
	w.create(nil)
	w.reconcile()
	w.answer = &github.Error{Reason: github.IncorrectClientCredentials}
	w.clock.Mono += doubtPause / 2
	w.Doubt(w.name())
	if _, again := w.reconcile(); len(w.asked) != 1 || again != doubtPause/2 {
		t.Errorf("asked %d times within a minute, and again after %s", len(w.asked), again)
	}
	w.clock.Mono += doubtPause / 2
	w.reconcile()
	if len(w.asked) != 2 {
		t.Errorf("asked %d times", len(w.asked))
	}
	w.expect(v1alpha1.ConditionCredentialsValid, metav1.ConditionFalse, v1alpha1.ReasonIncorrectClientCredentials, "")
	w.Doubt(w.name())
	w.clock.Mono += doubtPause / 2
	if w.reconcile(); len(w.asked) != 2 {
		t.Error("what is known to be refused was doubted")
	}
	w.Doubt(types.NamespacedName{Name: "another"})
}

func TestAppStatusThatIsRightIsNotWritten(t *testing.T) {
	w := newWorld(t, false)
	w.create(nil)
	first, again := w.reconcile()
	w.clock.Mono += 10 * time.Minute
	second, _ := w.reconcile()
	if first.GetResourceVersion() != second.GetResourceVersion() {
		t.Error("it was written again")
	}
	if again != countPause {
		t.Errorf("its users are counted again in %s", again)
	}
}

func using(namespace string, user int64, last time.Time) v1alpha1.GitHubUserToken {
	token := v1alpha1.GitHubUserToken{ObjectMeta: metav1.ObjectMeta{Namespace: namespace}}
	if user != 0 {
		token.Status.User = &v1alpha1.User{ID: user}
	}
	if !last.IsZero() {
		token.Status.LastRefreshTime = &metav1.Time{Time: last}
	}
	return token
}

func TestAppStatusCountsThoseWhoMayUseIt(t *testing.T) {
	w := newWorld(t, true)
	now := w.clock.Now()
	w.users = []v1alpha1.GitHubUserToken{
		using("a", 1, now.Add(-time.Hour)), using("a", 1, now.Add(-time.Minute)), using("b", 2, time.Time{}), using("b", 0, time.Time{}), using("refused", 3, now),
	}
	// One that is held by others only has no pair any more.
	released := using("a", 4, now)
	released.DeletionTimestamp, released.Finalizers = new(metav1.NewTime(now)), []string{"example.com/mine"}
	deleted := using("a", 1, time.Time{})
	deleted.DeletionTimestamp, deleted.Finalizers = released.DeletionTimestamp, []string{v1alpha1.Finalizer}
	w.users = append(w.users, released, deleted)
	w.admits = func(token *v1alpha1.GitHubUserToken) bool { return token.Namespace != "refused" }
	w.create(nil)
	found, _ := w.reconcile()
	status := found.AppStatus()
	if status.Tokens != 5 || status.Accounts != 2 || !status.LastUseTime.Time.Equal(now.Add(-time.Minute)) {
		t.Errorf("counted are %+v", status)
	}
}

func TestAppStatusDeletionWaitsForThoseWhoMayUseIt(t *testing.T) {
	for _, cluster := range []bool{true, false} {
		w := newWorld(t, cluster)
		w.users = []v1alpha1.GitHubUserToken{using("team-a", 1, time.Time{}), using("team-a", 2, time.Time{})}
		w.create(nil)
		held, _ := w.reconcile()
		if len(held.GetFinalizers()) != 1 {
			t.Fatal("the App has no finalizer")
		}
		if err := w.client.Delete(t.Context(), held); err != nil {
			t.Fatal(err)
		}
		w.expect(v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonInUse, "when the 2 GitHubUserTokens that use it have gone")
		w.users = w.users[:1]
		w.expect(v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonInUse, "the one GitHubUserToken that uses it")
		if w.admits = func(*v1alpha1.GitHubUserToken) bool { return false }; !cluster {
			w.users = nil
		}
		if gone, _ := w.reconcile(); gone != nil {
			t.Errorf("it is still there, %v", gone.GetFinalizers())
		}
		w.reconcile()
		if w.options.Memory.Len() > 0 || len(w.cancelled) == 0 {
			t.Error("something of it is remembered")
		}
	}
}

// A process that has just started takes nothing back that the status tells, for no other reason than that it waits for its turn. Of
// another spec it is not known yet.
func TestAppStatusThatIsReadyStaysSoAfterARestart(t *testing.T) {
	for generation, want := range map[int64]metav1.ConditionStatus{3: metav1.ConditionTrue, 2: metav1.ConditionUnknown} {
		w := newWorld(t, true)
		w.create(nil)
		found, _ := w.reconcile()
		for _, kind := range []string{v1alpha1.ConditionReady, v1alpha1.ConditionCredentialsValid} {
			meta.FindStatusCondition(found.AppStatus().Conditions, kind).ObservedGeneration = generation
		}
		if err := w.client.Status().Update(t.Context(), found); err != nil {
			t.Fatal(err)
		}
		w.options.Memory.Forget("uid") // As after a restart.
		w.turn = false
		found, _ = w.reconcile()
		if ready := meta.FindStatusCondition(found.AppStatus().Conditions, v1alpha1.ConditionReady); ready.Status != want {
			t.Errorf("generation %d: Ready is %+v", generation, ready)
		}
	}
}

// An outage takes back nothing that GitHub has said of this very client secret.
func TestAppStatusOutageTakesBackNoAnswer(t *testing.T) {
	for name, answer := range map[string]error{"True": nil, "False": &github.Error{Reason: github.IncorrectClientCredentials}} {
		w := newWorld(t, true)
		w.answer = answer
		w.create(nil)
		w.reconcile()
		w.clock.Mono += 25 * time.Hour
		w.answer = &github.Error{Reason: github.ServerError}
		found, again := w.reconcile()
		valid := meta.FindStatusCondition(found.AppStatus().Conditions, v1alpha1.ConditionCredentialsValid)
		if string(valid.Status) != name || len(w.asked) != 2 || again > time.Minute {
			t.Errorf("%s: it is %+v, asked %d times, again after %s", name, valid, len(w.asked), again)
		}
	}
}

// Nor does a restart, and it is told once: what the status tells of another spec, or of a Secret that was missing, is no answer.
func TestAppStatusRestartInAnOutageTakesBackNoAnswer(t *testing.T) {
	refused := &github.Error{Reason: github.IncorrectClientCredentials}
	outage := func(w *world) { w.answer = &github.Error{Reason: github.ServerError} }
	for name, c := range map[string]struct {
		answer       error
		edit, happen func(*world)
		generation   int64
		valid, ready string
		events       int
	}{
		"accepted, in an outage":              {happen: outage, valid: "CredentialsAccepted", ready: "Usable"},
		"refused, in an outage":               {answer: refused, happen: outage, valid: "IncorrectClientCredentials", ready: "IncorrectClientCredentials", events: 1},
		"refused, while a turn is waited for": {answer: refused, happen: func(w *world) { w.turn = false }, valid: "IncorrectClientCredentials", ready: "IncorrectClientCredentials", events: 1},
		"refused of another spec":             {answer: refused, happen: outage, generation: 2, valid: "NotYetChecked", ready: "Usable", events: 1},
		"there was no Secret":                 {edit: func(w *world) { w.version = "" }, happen: func(w *world) { w.version = "2"; outage(w) }, valid: "NotYetChecked", ready: "Usable", events: 1},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, true)
			w.answer = c.answer
			if c.edit != nil {
				c.edit(w)
			}
			w.create(nil)
			found, _ := w.reconcile()
			if c.generation != 0 {
				meta.FindStatusCondition(found.AppStatus().Conditions, v1alpha1.ConditionCredentialsValid).ObservedGeneration = c.generation
				if err := w.client.Status().Update(t.Context(), found); err != nil {
					t.Fatal(err)
				}
			}
			c.happen(w)
			for range 2 {
				w.options.Memory.Forget("uid") // As after a restart.
				for range 2 {
					found, _ = w.reconcile()
					w.clock.Mono += time.Hour
				}
			}
			valid := meta.FindStatusCondition(found.AppStatus().Conditions, v1alpha1.ConditionCredentialsValid)
			ready := meta.FindStatusCondition(found.AppStatus().Conditions, v1alpha1.ConditionReady)
			if valid.Reason != c.valid || ready.Reason != c.ready {
				t.Errorf("CredentialsValid is %+v, and Ready %+v", valid, ready)
			}
			if c.answer == nil || c.generation != 0 {
				return
			}
			if meta.FindStatusCondition(found.AppStatus().Conditions, v1alpha1.ConditionReconciling) == nil {
				t.Error("it does not say that GitHub is asked again")
			}
			w.answer, w.turn = c.answer, true
			w.reconcile()
			if len(w.events) != c.events {
				t.Errorf("the events are %q", w.events)
			}
		})
	}
}

// Of a client secret that has come since the start the status says nothing yet.
func TestAppStatusRestartHoldsNothingAgainstAClientSecretThatComesThen(t *testing.T) {
	w := newWorld(t, true)
	w.answer = &github.Error{Reason: github.IncorrectClientCredentials}
	w.create(nil)
	w.reconcile()
	w.options.Memory.Forget("uid") // As after a restart.
	w.turn = false
	w.expect(v1alpha1.ConditionCredentialsValid, metav1.ConditionFalse, v1alpha1.ReasonIncorrectClientCredentials, "")
	w.version = "2"
	w.expect(v1alpha1.ConditionCredentialsValid, metav1.ConditionUnknown, v1alpha1.ReasonNotYetChecked, "")
}

// Whoever administers an App is told by an event when its client secret begins to fail, and when it is good again: once each,
// also when GitHub is not to be asked in between.
func TestAppStatusEventsTellWhenCredentialsFailAndAreGoodAgain(t *testing.T) {
	refused := &github.Error{Reason: github.IncorrectClientCredentials}
	for _, cluster := range []bool{true, false} {
		w := newWorld(t, cluster)
		look := func(version string, answer error, want ...string) {
			t.Helper()
			w.events, w.version, w.answer = nil, version, answer
			for range 3 {
				w.reconcile()
				w.clock.Mono += 25 * time.Hour
			}
			if len(w.events) != len(want) {
				t.Fatalf("cluster: %v: the events are %q, want %q", cluster, w.events, want)
			}
			for i := range want {
				if !strings.HasPrefix(w.events[i], want[i]) || cluster && strings.Contains(w.events[i], "There is none") {
					t.Errorf("cluster: %v: the events are %q, want %q", cluster, w.events, want)
				}
			}
		}
		w.create(nil)
		look("1", nil) // That it is good from the beginning is no news.
		look("2", refused, "Warning IncorrectClientCredentials: ")
		look("3", refused)
		w.turn = false
		look("4", nil)
		w.turn = true
		look("4", nil, "Normal CredentialsAccepted: GitHub accepts")
		look("", nil, "Warning ClientSecretMissing: ")
		w.options.Memory.Forget("uid") // As after a restart.
		look("", nil)
		look("5", &github.Error{Reason: github.ServerError})
		look("5", nil, "Normal CredentialsAccepted: ")
	}
}

// What cannot be found out lets no App go, and takes back nothing that was told.
func TestAppStatusOfWhatIsNotKnownIsAnError(t *testing.T) {
	w := newWorld(t, true)
	w.create(nil)
	before, _ := w.reconcile()
	if err := w.client.Delete(t.Context(), before); err != nil {
		t.Fatal(err)
	}
	w.fail = errors.New("the cache is not there")
	if _, err := w.Reconcile(t.Context(), ctrl.Request{NamespacedName: w.name()}); !errors.Is(err, w.fail) {
		t.Errorf("the error is %v", err)
	}
	after := w.empty()
	if err := w.client.Get(t.Context(), w.name(), after); err != nil || len(after.GetFinalizers()) != 1 {
		t.Errorf("it was let go: %v", err)
	}
}
