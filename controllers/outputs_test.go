package controllers

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/github/githubtest"
	"github.com/githubusertoken/github-user-token-operator/test/suite"
)

// allFormats is one output of each format, named after its resource.
func allFormats(name string) []v1alpha1.Output {
	return []v1alpha1.Output{
		{Name: name + "-opaque", Format: v1alpha1.OutputFormatOpaque},
		{Name: name + "-basic-auth", Format: v1alpha1.OutputFormatBasicAuth},
		{Name: name + "-registry", Format: v1alpha1.OutputFormatDockerConfigJSON, Registry: "registry.example.com"}, // The host is an address.
		{Name: name + "-git", Format: v1alpha1.OutputFormatGitCredentials},
		{Name: name + "-netrc", Format: v1alpha1.OutputFormatNetrc},
		{Name: name + "-gh", Format: v1alpha1.OutputFormatGitHubCLI},
		{Name: name + "-header", Format: v1alpha1.OutputFormatHeader, Key: "credential"},
	}
}

// startWith is start for a resource with outputs.
func (w *world) startWith(name string, outputs ...v1alpha1.Output) *corev1.Secret {
	w.t.Helper()
	w.seed(name, name)
	token := w.resource(name)
	token.Spec.Outputs = outputs
	w.create(token)
	secret := w.ready(name)
	for _, output := range outputs {
		w.output(output.Name, access(secret))
	}
	w.settle()
	return secret
}

// output waits until a Secret holds a token somewhere in its data, and returns it.
func (w *world) output(name, token string) *corev1.Secret {
	w.t.Helper()
	var found corev1.Secret
	w.eventually("output "+name+" with the current token", func() (bool, string) {
		err := admin.Get(w.ctx, client.ObjectKey{Namespace: w.namespace, Name: name}, &found)
		if err != nil {
			return false, err.Error()
		}
		return holds(&found, token), "it does not hold it"
	})
	return &found
}

func holds(secret *corev1.Secret, token string) bool {
	for _, value := range secret.Data {
		if strings.Contains(string(value), token) {
			return true
		}
	}
	return false
}

// vanishes waits until there is no Secret of a name.
func (w *world) vanishes(name string) {
	w.t.Helper()
	w.eventually("Secret "+name+" to be gone", func() (bool, string) {
		var secret corev1.Secret
		err := admin.Get(w.ctx, client.ObjectKey{Namespace: w.namespace, Name: name}, &secret)
		return apierrors.IsNotFound(err), fmt.Sprint(err)
	})
}

func TestOutputsAreWrittenInEachFormatAndFollowTheToken(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	first := w.startWith("octocat", allFormats("octocat")...)
	token := w.get("octocat")
	for _, output := range token.Spec.Outputs {
		secret := w.output(output.Name, access(first))
		if holds(secret, refresh(first)) {
			t.Errorf("%s holds the refresh token, which nobody asked for", output.Name)
		}
		if controller := metav1.GetControllerOf(secret); controller == nil || controller.UID != token.UID {
			t.Errorf("%s is not controlled by the resource", output.Name)
		}
		pair := w.pair("octocat-token")
		for _, key := range []string{v1alpha1.AnnotationExpiresAt, v1alpha1.AnnotationNextRefreshAt} {
			if value := secret.Annotations[key]; value == "" || value != pair.Annotations[key] {
				t.Errorf("%s says %q for %s, the pair says %q", output.Name, value, key, pair.Annotations[key])
			}
		}
	}
	w.request("octocat", "again")
	w.refreshed("octocat", 2)
	second := w.alive("octocat-token")
	for _, output := range token.Spec.Outputs {
		if secret := w.output(output.Name, access(second)); holds(secret, access(first)) {
			t.Errorf("%s still holds the dead token", output.Name)
		}
	}
	w.quiet()
}

func TestOutputRotationCostsOneWriteForEachOutput(t *testing.T) {
	t.Parallel()
	for _, k := range []int{0, 1, 6, 16} {
		t.Run(fmt.Sprint(k), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, worldOptions{})
			var outputs []v1alpha1.Output
			for i := range k {
				outputs = append(outputs, v1alpha1.Output{Name: fmt.Sprintf("out-%d", i), Format: v1alpha1.OutputFormatOpaque})
			}
			w.startWith("octocat", outputs...)
			w.account("octocat") // It is learnt once after a login, which costs two writes of its own.
			w.settle()
			then := w.meter.read()
			w.request("octocat", "again")
			w.refreshed("octocat", 2)
			w.settle()
			writes, reads, _ := w.meter.since(then)
			t.Logf("k=%d: %d writes, %d reads: %v", k, len(writes), len(reads), reads)
			if len(writes) != 3+k {
				t.Errorf("%d writes for a rotation with %d outputs, want %d: %v", len(writes), k, 3+k, writes)
			}
			if len(reads) > 1 { // The client secret.
				t.Errorf("%d reads for a rotation, want at most one: %v", len(reads), reads)
			}
		})
	}
}

func TestOutputAllOutputsAreWrittenWithinASecondOfTheOldTokensDeath(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	outputs := allFormats("octocat")
	before := w.startWith("octocat", outputs...)
	const rotations = 10
	var slowest, sum time.Duration
	for i := range rotations {
		seen := w.watchOutputs(len(outputs))
		w.request("octocat", fmt.Sprintf("rotation %d", i))
		written := seen()
		died, dead := w.gh.DiedAt(access(before))
		if !dead {
			t.Fatal("the old token is alive after a rotation")
		}
		took := written.Sub(died)
		slowest, sum = max(slowest, took), sum+took
		w.eventually("the rotation", func() (bool, string) {
			return w.get("octocat").Status.RefreshCount == int64(i+2), suite.Describe(w.get("octocat"))
		})
		before = w.alive("octocat-token")
	}
	t.Logf("from the old token's death to the last of %d outputs: mean %s, slowest %s of %d", len(outputs), sum/rotations, slowest, rotations)
	if slowest > 5*time.Second { // On an idle machine it is some 20 ms; this one is shared.
		t.Errorf("an output was written %s after the old token had died", slowest)
	}
}

// watchOutputs begins to wait for a number of successful writes of outputs, and returns a function that
// says when the last of them was answered.
func (w *world) watchOutputs(count int) func() time.Time {
	w.t.Helper()
	config := plane.AdminConfig()
	watching, err := client.NewWithWatch(config, client.Options{Scheme: scheme})
	w.must(err)
	var existing corev1.SecretList
	selector := client.MatchingLabels{v1alpha1.LabelRole: v1alpha1.RoleOutput}
	w.must(watching.List(w.ctx, &existing, client.InNamespace(w.namespace), selector))
	watch, err := watching.Watch(w.ctx, &existing, client.InNamespace(w.namespace), selector,
		&client.ListOptions{Raw: &metav1.ListOptions{ResourceVersion: existing.ResourceVersion}})
	w.must(err)
	return func() time.Time {
		defer watch.Stop()
		names := map[string]bool{}
		timeout := time.After(deadline)
		for {
			select {
			case event := <-watch.ResultChan():
				secret, ok := event.Object.(*corev1.Secret)
				if !ok {
					w.t.Fatalf("the watch ended: %v", event)
				}
				if names[secret.Name] = true; len(names) == count {
					return time.Now()
				}
			case <-timeout:
				w.t.Fatalf("only %d of %d outputs were written", len(names), count)
			}
		}
	}
}

func TestOutputThatSomebodyChangesIsRestoredWithoutAnExchange(t *testing.T) {
	t.Parallel()
	edit := func(change func(*corev1.Secret)) func(*world, *corev1.Secret) {
		return func(w *world, secret *corev1.Secret) {
			change(secret)
			w.must(admin.Update(w.ctx, secret))
		}
	}
	for name, do := range map[string]func(*world, *corev1.Secret){
		"deleted":            func(w *world, secret *corev1.Secret) { w.must(admin.Delete(w.ctx, secret)) },
		"a value is edited":  edit(func(secret *corev1.Secret) { secret.Data["password"] = []byte("edited") }),
		"a key is removed":   edit(func(secret *corev1.Secret) { delete(secret.Data, "url") }),
		"a key is added":     edit(func(secret *corev1.Secret) { secret.Data["added"] = []byte("x") }),
		"a label is removed": edit(func(secret *corev1.Secret) { delete(secret.Labels, "team") }),
		"the operator's labels are removed": edit(func(secret *corev1.Secret) {
			delete(secret.Labels, v1alpha1.LabelRole)
			delete(secret.Labels, v1alpha1.LabelOwner)
		}),
		"all annotations are removed":    edit(func(secret *corev1.Secret) { secret.Annotations = nil }),
		"the owner reference is removed": edit(func(secret *corev1.Secret) { secret.OwnerReferences = nil }),
		"it is made immutable, and stale": func(w *world, secret *corev1.Secret) {
			secret.Immutable = new(true)
			secret.Annotations[v1alpha1.AnnotationSource] = "another"
			w.must(admin.Update(w.ctx, secret))
		},
		"replaced by one of another type": func(w *world, secret *corev1.Secret) {
			w.must(admin.Delete(w.ctx, secret))
			again := secret.DeepCopy()
			again.ResourceVersion, again.UID, again.Type = "", "", corev1.SecretTypeOpaque
			again.Data["password"] = []byte("edited")
			w.eventually("the name to be free for a moment", func() (bool, string) {
				err := admin.Create(w.ctx, again)
				return err == nil || apierrors.IsAlreadyExists(err), fmt.Sprint(err)
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, worldOptions{})
			pair := w.startWith("octocat", v1alpha1.Output{Name: "out", Format: v1alpha1.OutputFormatBasicAuth, Labels: map[string]string{"team": "a"}})
			good := w.output("out", access(pair))
			exchanges := len(w.gh.Exchanges())
			do(w, good.DeepCopy())
			w.eventually("the output to be as it was", func() (bool, string) {
				var now corev1.Secret
				if err := admin.Get(w.ctx, client.ObjectKeyFromObject(good), &now); err != nil {
					return false, err.Error()
				}
				same := len(now.Data) == 3 && string(now.Data["password"]) == access(pair) && string(now.Data["url"]) == string(good.Data["url"]) &&
					now.Labels["team"] == "a" && now.Labels[v1alpha1.LabelRole] == v1alpha1.RoleOutput && now.Type == corev1.SecretTypeBasicAuth &&
					now.Annotations[v1alpha1.AnnotationSource] == good.Annotations[v1alpha1.AnnotationSource] && metav1.GetControllerOf(&now) != nil
				return same, fmt.Sprintf("%d keys, labels %v, type %s", len(now.Data), now.Labels, now.Type)
			})
			w.quiet()
			if now := len(w.gh.Exchanges()); now != exchanges {
				t.Errorf("%d exchanges were made to restore an output", now-exchanges)
			}
		})
	}
}

func TestOutputStartWithOutputsThatAreRightReadsAndWritesNoSecret(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	w.startWith("octocat", allFormats("octocat")...)
	w.account("octocat")
	w.settle()
	w.stop()
	then := w.meter.read()
	w.restart()
	w.quiet()
	writes, reads, looks := w.meter.since(then)
	if looks == 0 {
		t.Error("the operator has not looked at the resource at all")
	}
	for _, request := range append(writes, reads...) {
		if strings.Contains(request, "/secrets/") {
			t.Errorf("a start with outputs that are right makes the request %s", request)
		}
	}
}

func TestOutputEditWhileTheOperatorIsDownIsNoticedAfterwards(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	pair := w.startWith("octocat", allFormats("octocat")...)
	w.stop()
	w.output("octocat-opaque", access(pair))
	w.changeSecret("octocat-opaque", func(edited *corev1.Secret) { edited.Data["access_token"] = []byte("edited") }) // The metadata stays as it was.
	w.must(admin.Delete(w.ctx, w.output("octocat-netrc", access(pair))))
	exchanges := len(w.gh.Exchanges())
	w.restart()
	w.output("octocat-opaque", access(pair))
	w.output("octocat-netrc", access(pair))
	w.quiet()
	if now := len(w.gh.Exchanges()); now != exchanges {
		t.Errorf("%d exchanges were made to restore an output", now-exchanges)
	}
}

func TestOutputsFollowTheSpec(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	pair := w.startWith("octocat",
		v1alpha1.Output{Name: "kept", Format: v1alpha1.OutputFormatOpaque, Labels: map[string]string{"old": "x"}, Annotations: map[string]string{"example.com/old": "x"}},
		v1alpha1.Output{Name: "dropped", Format: v1alpha1.OutputFormatNetrc})
	w.output("kept", access(pair))
	w.changeSecret("kept", func(kept *corev1.Secret) { kept.Labels["theirs"] = "stays" })

	w.change("octocat", func(token *v1alpha1.GitHubUserToken) {
		token.Spec.Outputs = []v1alpha1.Output{
			{Name: "kept", Format: v1alpha1.OutputFormatBasicAuth, Labels: map[string]string{"new": "y"}},
			{Name: "added", Format: v1alpha1.OutputFormatGitCredentials},
		}
	})
	w.output("added", access(pair))
	w.vanishes("dropped")
	w.eventually("the output to be created anew with its new type", func() (bool, string) {
		var now corev1.Secret
		if err := admin.Get(w.ctx, client.ObjectKeyFromObject(w.secretNamed("kept")), &now); err != nil {
			return false, err.Error()
		}
		return now.Type == corev1.SecretTypeBasicAuth && len(now.Data) == 3 && now.Labels["new"] == "y" && now.Labels["old"] == "", string(now.Type)
	})

	w.change("octocat", func(token *v1alpha1.GitHubUserToken) {
		token.Spec.Outputs = []v1alpha1.Output{{Name: "kept", Format: v1alpha1.OutputFormatBasicAuth, Username: "octocat"}}
	})
	w.vanishes("added")
	w.eventually("the user name to change and the label to go", func() (bool, string) {
		now := w.output("kept", access(pair))
		return string(now.Data["username"]) == "octocat" && now.Labels["new"] == "", fmt.Sprint(now.Labels)
	})
	w.samePair(pair, w.pair("octocat-token"))
	w.quiet()

	w.change("octocat", func(token *v1alpha1.GitHubUserToken) { token.Spec.Outputs = nil })
	w.vanishes("kept")
	w.quiet()
}

func TestOutputForeignSecretOfAnOutputsNameIsNeverTouched(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	w.secret("taken", map[string]string{"theirs": "x"})
	before := w.pair("taken")
	w.seed("octocat", "octocat")
	token := w.resource("octocat")
	token.Spec.Outputs = []v1alpha1.Output{{Name: "taken", Format: v1alpha1.OutputFormatOpaque}, {Name: "free", Format: v1alpha1.OutputFormatOpaque}}
	w.create(token)
	stalled := w.condition("octocat", v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonOutputNotOwned)
	if !strings.Contains(stalled.Message, `"taken"`) {
		t.Errorf("the message does not name the Secret: %s", stalled.Message)
	}
	pair := w.ready("octocat")
	w.output("free", access(pair))
	if next := w.get("octocat").Status.NextRefreshTime; next == nil {
		t.Error("nextRefreshTime is gone because of an output")
	}
	w.quiet()

	w.request("octocat", "again")
	w.refreshed("octocat", 2)
	current := w.alive("octocat-token")
	w.output("free", access(current))
	if now := w.pair("taken"); now.ResourceVersion != before.ResourceVersion {
		t.Error("the foreign Secret was touched")
	}

	w.must(admin.Delete(w.ctx, before))
	w.output("taken", access(current))
	w.eventually("Stalled to go", func() (bool, string) {
		text := suite.Describe(w.get("octocat"))
		return !strings.Contains(text, v1alpha1.ConditionStalled), text
	})
}

func TestOutputTwoResourcesWithOneOutputNameDoNotFight(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	pair := w.startWith("first", v1alpha1.Output{Name: "shared", Format: v1alpha1.OutputFormatOpaque})
	w.seed("second", "second")
	second := w.resource("second")
	second.Spec.Outputs = []v1alpha1.Output{{Name: "shared", Format: v1alpha1.OutputFormatOpaque}}
	w.create(second)
	w.condition("second", v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonOutputNotOwned)
	w.ready("second")
	w.output("shared", access(pair))
	w.quiet()
}

func TestOutputsGoWithTheirResource(t *testing.T) {
	t.Parallel()
	for _, policy := range []v1alpha1.DeletionPolicy{v1alpha1.DeletionPolicyDelete, v1alpha1.DeletionPolicyRetain} {
		t.Run(string(policy), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, worldOptions{})
			w.startWith("octocat", allFormats("octocat")...)
			w.change("octocat", func(token *v1alpha1.GitHubUserToken) { token.Spec.DeletionPolicy = policy })
			w.must(admin.Delete(w.ctx, w.get("octocat")))
			for _, output := range allFormats("octocat") {
				w.vanishes(output.Name)
			}
			if policy == v1alpha1.DeletionPolicyRetain {
				w.alive("octocat-token")
			} else {
				w.vanishes("octocat-token")
			}
		})
	}
}

func TestOutputThatTheAPIServerRefusesIsReportedAndRotationsGoOn(t *testing.T) {
	t.Parallel()
	each(t, map[string]githubtest.App{"tokens as ever": {}, "tokens with dots": {LongTokens: true}}, refuseAnOutput)
}

func refuseAnOutput(t *testing.T, app githubtest.App) {
	var refusing writeRefusal
	w := newWorld(t, worldOptions{app: app, noOperator: true})
	w.options.config = func(config *rest.Config) { config.Wrap(refusing.wrap) }
	w.startOperator(w.options)
	refusing.set("refused-output")
	w.seed("octocat", "octocat")
	token := w.resource("octocat")
	token.Spec.Outputs = []v1alpha1.Output{{Name: "refused-output", Format: v1alpha1.OutputFormatOpaque}, {Name: "other", Format: v1alpha1.OutputFormatOpaque}}
	w.create(token)
	trouble := w.condition("octocat", v1alpha1.ConditionReconciling, metav1.ConditionTrue, v1alpha1.ReasonOutputNotWritten)
	for _, want := range []string{"refused-output", "policy says no", "next try"} {
		if !strings.Contains(trouble.Message, want) {
			t.Errorf("the message does not say %q: %s", want, trouble.Message)
		}
	}
	pair := w.ready("octocat")
	w.output("other", access(pair))
	if strings.Contains(trouble.Message, access(pair)) {
		t.Error("the message quotes the token, as the admission webhook did")
	}
	w.request("octocat", "again")
	w.refreshed("octocat", 2)
	w.output("other", access(w.alive("octocat-token")))

	refusing.set("")
	w.output("refused-output", access(w.pair("octocat-token")))
	w.eventually("Reconciling to go", func() (bool, string) {
		text := suite.Describe(w.get("octocat"))
		return !strings.Contains(text, v1alpha1.ConditionReconciling), text
	})
}

// writeRefusal answers writes of one Secret as an admission webhook might that quotes what it was sent.
type writeRefusal struct {
	mu   sync.Mutex
	name string
}

func (f *writeRefusal) set(name string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.name = name
}

func TestOutputsAreRestoredAfterACrashBetweenTheCommitAndThem(t *testing.T) {
	t.Parallel()
	var cut writeRefusal
	w := newWorld(t, worldOptions{noOperator: true})
	w.options.config = func(config *rest.Config) { config.Wrap(cut.wrap) }
	w.startOperator(w.options)
	w.startWith("octocat", v1alpha1.Output{Name: "late-output", Format: v1alpha1.OutputFormatNetrc})
	cut.set("late-output") // As if the process had died before this write.
	w.request("octocat", "again")
	w.refreshed("octocat", 2)
	current := w.alive("octocat-token")
	if holds(w.pair("late-output"), access(current)) {
		t.Fatal("the output was written")
	}
	w.stop()
	cut.set("")
	exchanges := len(w.gh.Exchanges())
	w.restart()
	w.output("late-output", access(w.alive("octocat-token")))
	if now := len(w.gh.Exchanges()); now != exchanges {
		t.Errorf("%d exchanges were made to restore an output", now-exchanges)
	}
}

func TestOutputHostOfOutputsIsThatOfTheTokenAndNotOfAnEditedSpec(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{app: githubtest.App{}})
	pair := w.startWith("octocat", v1alpha1.Output{Name: "out", Format: v1alpha1.OutputFormatGitCredentials})
	w.change("octocat", func(token *v1alpha1.GitHubUserToken) { token.Spec.App.Host = "elsewhere.example.com" })
	w.condition("octocat", v1alpha1.ConditionAuthorized, metav1.ConditionFalse, v1alpha1.ReasonAppChanged)
	if text := string(w.output("out", access(pair)).Data[".git-credentials"]); strings.Contains(text, "elsewhere") {
		t.Error("the token of one host is offered to another")
	}
	w.quiet()
}

// wrap puts the refusal between the operator and the API server.
func (f *writeRefusal) wrap(next http.RoundTripper) http.RoundTripper {
	return roundTripper(func(request *http.Request) (*http.Response, error) {
		f.mu.Lock()
		name := f.name
		f.mu.Unlock()
		if request.Method == http.MethodGet || name == "" {
			return next.RoundTrip(request)
		}
		if body, err := io.ReadAll(request.Body); err == nil {
			request.Body = io.NopCloser(bytes.NewReader(body))
			if strings.Contains(request.URL.Path, "/secrets") && strings.Contains(string(body), name) {
				return forbidden("admission webhook denied the request: policy says no to " + strconv.Quote(string(body))), nil
			}
		}
		return next.RoundTrip(request)
	})
}

// forbidden is a reply of the API server.
func forbidden(message string) *http.Response {
	recorder := httptest.NewRecorder()
	recorder.Header().Set("Content-Type", "application/json")
	recorder.WriteHeader(http.StatusForbidden)
	_ = json.NewEncoder(recorder).Encode(metav1.Status{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Status"}, Status: metav1.StatusFailure,
		Reason: metav1.StatusReasonForbidden, Code: http.StatusForbidden, Message: message,
	})
	return recorder.Result()
}

// The key under which scoped tokens stand in other Secrets is one that a user may choose for the token itself.
func TestOutputsPlainOneWithTheKeyOfScopedTokens(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	before := w.startWith("octocat", v1alpha1.Output{Name: "plain", Format: v1alpha1.OutputFormatOpaque, Key: "scoped_tokens"})
	holds := func(pair *corev1.Secret) {
		w.eventually("the output to hold the token", func() (bool, string) {
			secret := w.find("plain")
			if secret == nil {
				return false, "it is not there"
			}
			return string(secret.Data["scoped_tokens"]) == access(pair) && len(secret.Finalizers) == 0, fmt.Sprint(secret.Finalizers)
		})
	}
	holds(before)
	w.request("octocat", "1")
	w.refreshed("octocat", 2)
	holds(w.alive("octocat-token"))
	w.quiet()
	w.change("octocat", func(token *v1alpha1.GitHubUserToken) { token.Spec.Outputs = nil })
	w.gone(w.secretNamed("plain"))
}
