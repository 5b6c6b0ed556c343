package controllers

import (
	"bytes"
	"context"
	"encoding/json"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/test/suite"
)

// rival is another controller, which changes an object back as soon as the operator has put it right. undo reports whether
// it has found something to change, and is called for every event of the object.
func (w *world) rival(list client.ObjectList, name string, undo func(context.Context, client.Object) (bool, error)) (stop func() (rounds int)) {
	w.t.Helper()
	config := plane.AdminConfig()
	config.QPS = -1
	watching, err := client.NewWithWatch(config, client.Options{Scheme: scheme})
	w.must(err)
	ctx, cancel := context.WithCancel(w.ctx)
	watch, err := watching.Watch(ctx, list, client.InNamespace(w.namespace), client.MatchingFields{"metadata.name": name})
	w.must(err)
	rounds := 0
	var group sync.WaitGroup
	group.Go(func() {
		defer watch.Stop()
		for event := range watch.ResultChan() {
			object, ok := event.Object.(client.Object)
			if !ok || event.Type == "DELETED" {
				continue
			}
			undone, err := undo(ctx, object)
			switch {
			case ctx.Err() != nil:
				return
			case err != nil && !apierrors.IsConflict(err) && !apierrors.IsNotFound(err):
				w.t.Errorf("the rival: %v", err)
			case undone && err == nil:
				rounds++
			}
		}
	})
	return func() int {
		cancel()
		group.Wait()
		return rounds
	}
}

// patching changes the version that was read and no other: what the operator writes in between comes as the next event, and a
// patch that changes nothing would be counted as a round.
func patching(patch string, isDone func(client.Object) bool) func(context.Context, client.Object) (bool, error) {
	return func(ctx context.Context, object client.Object) (bool, error) {
		if isDone(object) {
			return false, nil
		}
		var fields map[string]any
		if err := json.Unmarshal([]byte(patch), &fields); err != nil {
			return false, err
		}
		if err := unstructured.SetNestedField(fields, object.GetResourceVersion(), "metadata", "resourceVersion"); err != nil {
			return false, err
		}
		locked, err := json.Marshal(fields)
		if err != nil {
			return false, err
		}
		return true, admin.Patch(ctx, object, client.RawPatch(types.MergePatchType, locked), client.FieldOwner("mirror"))
	}
}

const (
	// contestRest is longer than the longest pause of a contest, and than it is told of after that.
	contestRest = 6 * time.Minute
	// contestRounds is how often at most something is put right before the contest is told of, and shortly after.
	contestRounds = 7
)

// contest lets a rival fight over something, and makes sure that the fight is bounded, told of and over when the rival is.
func (w *world) contest(kind client.ObjectList, name string, undo func(context.Context, client.Object) (bool, error), says string) {
	w.t.Helper()
	exchanges := len(w.gh.Exchanges())
	then := w.meter.read()
	stop := w.rival(kind, name, undo)
	w.touch("octocat")
	found := w.condition("octocat", v1alpha1.ConditionReconciling, metav1.ConditionTrue, v1alpha1.ReasonContested)
	if !strings.Contains(found.Message, says) {
		w.t.Errorf("the message does not say %q: %s", says, found.Message)
	}
	w.condition("octocat", v1alpha1.ConditionReady, metav1.ConditionTrue, "")
	w.settle()
	writes, reads, _ := w.meter.since(then)
	rounds := stop()
	w.t.Logf("%d rounds, %d writes, %d reads", rounds, len(writes), len(reads))
	if rounds < 4 || rounds > contestRounds {
		w.t.Errorf("the rival has had %d rounds", rounds)
	}
	if len(writes) > 4*contestRounds || len(reads) > 3*contestRounds { // A round is a write and two statuses.
		w.t.Errorf("%d writes and %d reads", len(writes), len(reads))
	}
	if now := len(w.gh.Exchanges()); now != exchanges {
		w.t.Errorf("%d exchanges were made", now-exchanges)
	}
	over := func() (bool, string) {
		token := w.get("octocat")
		return meta.FindStatusCondition(token.Status.Conditions, v1alpha1.ConditionReconciling) == nil, suite.Describe(token)
	}
	for leaps, isOver := 0, false; leaps < 10 && !isOver; leaps++ { // It is put right, then told of for a while, then over.
		w.meter.leap(contestRest)
		w.touch("octocat")
		w.settle()
		isOver, _ = over()
	}
	w.eventually("the contest to be over", over)
}

func TestContestOutputThatAnotherControllerChangesBack(t *testing.T) {
	t.Parallel()
	for name, undo := range map[string]func(context.Context, client.Object) (bool, error){
		"a key is merged": patching(`{"data":{"theirs":"eA=="}}`, func(object client.Object) bool {
			return object.(*corev1.Secret).Data["theirs"] != nil
		}),
		"the token is replaced": patching(`{"data":{"access_token":"eA=="}}`, func(object client.Object) bool {
			return string(object.(*corev1.Secret).Data["access_token"]) == "x"
		}),
		"a label is stripped": patching(`{"metadata":{"labels":{"team":null}}}`, func(object client.Object) bool {
			return object.GetLabels()["team"] == ""
		}),
		"the marks are stripped": patching(`{"metadata":{"labels":null,"annotations":null}}`, func(object client.Object) bool {
			return len(object.GetLabels()) == 0
		}),
		"it is deleted": func(ctx context.Context, object client.Object) (bool, error) {
			return true, admin.Delete(ctx, object)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, worldOptions{})
			pair := w.startWith("octocat", v1alpha1.Output{Name: "out", Format: v1alpha1.OutputFormatOpaque, Labels: v1alpha1.Labels{"team": "a"}})
			w.contest(&corev1.SecretList{}, "out", undo, `output "out"`)
			out := w.output("out", access(pair))
			if len(out.Data) != 2 || out.Labels["team"] != "a" || out.Labels[v1alpha1.LabelRole] != v1alpha1.RoleOutput {
				t.Errorf("the output is not as it should be: %d keys, labels %v", len(out.Data), out.Labels)
			}
			w.quiet()
		})
	}
}

func TestContestNewTokenGoesIntoAnOutputThatIsContested(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	w.startWith("octocat", v1alpha1.Output{Name: "out", Format: v1alpha1.OutputFormatOpaque})
	stop := w.rival(&corev1.SecretList{}, "out", patching(`{"data":{"theirs":"eA=="}}`, func(object client.Object) bool {
		return object.(*corev1.Secret).Data["theirs"] != nil
	}))
	w.condition("octocat", v1alpha1.ConditionReconciling, metav1.ConditionTrue, v1alpha1.ReasonContested)
	w.request("octocat", "again")
	w.refreshed("octocat", 2)
	w.output("out", access(w.alive("octocat-token")))
	stop()
}

func TestContestOutputThatIsNotAskedForAndMadeAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	pair := w.startWith("octocat", v1alpha1.Output{Name: "out", Format: v1alpha1.OutputFormatOpaque})
	again := w.output("out", access(pair)).DeepCopy()
	again.ResourceVersion, again.UID = "", ""
	ctx, cancel := context.WithCancel(w.ctx)
	var group sync.WaitGroup
	rounds := 0
	group.Go(func() {
		for ctx.Err() == nil {
			if admin.Create(ctx, again.DeepCopy()) == nil {
				rounds++
			}
			_ = trueClock.Sleep(ctx, 20*time.Millisecond)
		}
	})
	w.change("octocat", func(token *v1alpha1.GitHubUserToken) { token.Spec.Outputs = nil })
	found := w.condition("octocat", v1alpha1.ConditionReconciling, metav1.ConditionTrue, v1alpha1.ReasonContested)
	if !strings.Contains(found.Message, `makes output "out" again`) {
		t.Errorf("the message: %s", found.Message)
	}
	w.settle()
	cancel()
	group.Wait()
	if rounds > contestRounds {
		t.Errorf("it was removed and made again %d times", rounds)
	}
	w.meter.leap(contestRest)
	w.touch("octocat")
	w.vanishes("out")
}

// What the operator keeps on the pair Secret beside tokens.
func TestContestPairSecretWhoseMetadataAnotherControllerChangesBack(t *testing.T) {
	t.Parallel()
	for name, undo := range map[string]func(context.Context, client.Object) (bool, error){
		"a label of the spec": patching(`{"metadata":{"labels":{"team":null}}}`, func(object client.Object) bool {
			return object.GetLabels()["team"] == ""
		}),
		"a label of the operator's": patching(`{"metadata":{"labels":{"`+v1alpha1.LabelOwner+`":null}}}`, func(object client.Object) bool {
			return object.GetLabels()[v1alpha1.LabelOwner] == ""
		}),
		"the time of the next refresh": patching(`{"metadata":{"annotations":{"`+v1alpha1.AnnotationNextRefreshAt+`":null}}}`, func(object client.Object) bool {
			return object.GetAnnotations()[v1alpha1.AnnotationNextRefreshAt] == ""
		}),
		"the finalizer": patching(`{"metadata":{"finalizers":null}}`, func(object client.Object) bool {
			return len(object.GetFinalizers()) == 0
		}),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, worldOptions{})
			w.seed("octocat", "octocat")
			token := w.resource("octocat")
			token.Spec.Secret.Labels = v1alpha1.Labels{"team": "a"}
			w.create(token)
			before := w.ready("octocat")
			w.account("octocat")
			w.settle()
			w.contest(&corev1.SecretList{}, "octocat-token", undo, `Secret "octocat-token"`)
			now := w.alive("octocat-token")
			w.samePair(before, now)
			if now.Labels["team"] != "a" || now.Labels[v1alpha1.LabelOwner] == "" || now.Annotations[v1alpha1.AnnotationNextRefreshAt] == "" ||
				!slices.Contains(now.Finalizers, v1alpha1.Finalizer) {
				t.Errorf("the metadata is not as it should be: %+v", now.ObjectMeta)
			}
			w.quiet()
		})
	}
}

// A mirror that writes the access token back which it has read before. Each round costs an exchange, unless it is bounded.
func TestContestAccessTokenThatAnotherControllerWritesBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	w.start("octocat")
	old := w.pair("octocat-token")
	w.request("octocat", "now")
	w.refreshed("octocat", 2)
	w.ready("octocat")
	w.settle()
	exchanges, then := len(w.gh.Exchanges()), w.meter.read()
	patch, err := json.Marshal(map[string]any{"data": map[string][]byte{v1alpha1.KeyAccessToken: old.Data[v1alpha1.KeyAccessToken]}})
	w.must(err)
	stop := w.rival(&corev1.SecretList{}, "octocat-token", patching(string(patch), func(object client.Object) bool {
		return access(object.(*corev1.Secret)) == access(old)
	}))
	found := w.condition("octocat", v1alpha1.ConditionReconciling, metav1.ConditionTrue, v1alpha1.ReasonContested)
	if !strings.Contains(found.Message, `overwrites the access token in Secret "octocat-token"`) || !strings.Contains(found.Message, "The next try is at") {
		t.Errorf("the message says neither what happens nor when it is tried again: %s", found.Message)
	}
	w.condition("octocat", v1alpha1.ConditionReady, metav1.ConditionFalse, "")
	w.settle()
	writes, reads, _ := w.meter.since(then)
	rounds := stop()
	exchanged := len(w.gh.Exchanges()) - exchanges
	t.Logf("%d rounds, %d exchanges, %d writes, %d reads", rounds, exchanged, len(writes), len(reads))
	if rounds > contestRounds || exchanged > contestRounds {
		t.Errorf("the rival has had %d rounds, and %d exchanges were made", rounds, exchanged)
	}
	if len(writes) > 8*contestRounds || len(reads) > 4*contestRounds { // A round is a fence, a commit, a take-up, statuses and an event.
		t.Errorf("%d writes and %d reads", len(writes), len(reads))
	}

	// The rival is gone. The next try brings a token that stays.
	w.meter.leap(contestRest)
	w.touch("octocat")
	w.ready("octocat")
	w.quiet()
}

// A mirror that writes the refresh token back has destroyed the one that was there. What it writes is spent, and is not
// presented again and again.
func TestContestRefreshTokenThatAnotherControllerWritesBack(t *testing.T) {
	t.Parallel()
	each(t, map[string][]string{
		"the refresh token": {v1alpha1.KeyRefreshToken},
		"both tokens":       {v1alpha1.KeyAccessToken, v1alpha1.KeyRefreshToken},
	}, func(t *testing.T, keys []string) {
		w := newWorld(t, worldOptions{spendsTwice: true})
		w.start("octocat")
		old := w.pair("octocat-token")
		w.request("octocat", "now")
		w.refreshed("octocat", 2)
		w.ready("octocat")
		w.settle()
		data := map[string][]byte{}
		for _, key := range keys {
			data[key] = old.Data[key]
		}
		patch, err := json.Marshal(map[string]any{"data": data})
		w.must(err)
		stop := w.rival(&corev1.SecretList{}, "octocat-token", patching(string(patch), func(object client.Object) bool {
			now := object.(*corev1.Secret)
			for key, value := range data {
				if !bytes.Equal(now.Data[key], value) {
					return false
				}
			}
			return true
		}))
		w.condition("octocat", v1alpha1.ConditionAuthorized, metav1.ConditionFalse, "")
		w.settle()
		rounds := stop()
		if n := len(w.gh.PresentationsOf(refresh(old))); rounds > contestRounds || n > 2 {
			t.Errorf("%d rounds, and the spent token was presented %d times", rounds, n)
		}
		w.seed("octocat", "octocat") // The next login heals.
		w.ready("octocat")
		w.quiet()
	})
}

func TestContestResourceWhoseFinalizerAnotherControllerTakesOff(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	w.start("octocat")
	w.settle()
	undo := patching(`{"metadata":{"finalizers":null}}`, func(object client.Object) bool { return len(object.GetFinalizers()) == 0 })
	w.contest(&v1alpha1.GitHubUserTokenList{}, "octocat", undo, "takes the operator's finalizer off this resource")
	if !slices.Contains(w.get("octocat").Finalizers, v1alpha1.Finalizer) {
		t.Error("the resource has no finalizer")
	}
	w.quiet()
}

// The status cannot tell of a contest over the status.
func TestContestStatusThatAnotherControllerWrites(t *testing.T) {
	t.Parallel()
	for name, released := range map[string]bool{"it lives": false, "only others hold it": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			contestStatus(t, released)
		})
	}
}

func contestStatus(t *testing.T, released bool) {
	t.Helper()
	w := newWorld(t, worldOptions{})
	ready := metav1.ConditionTrue
	if w.start("octocat"); released {
		w.change("octocat", func(token *v1alpha1.GitHubUserToken) { token.Finalizers = append(token.Finalizers, "example.com/mine") })
		t.Cleanup(func() { w.force(w.resourceNamed("octocat")) })
		w.remove(w.resourceNamed("octocat"))
		w.says("octocat", v1alpha1.ConditionReady, "the operator is done with it")
		ready = metav1.ConditionFalse
	}
	w.settle()
	then := w.meter.read()
	stop := w.rival(&v1alpha1.GitHubUserTokenList{}, "octocat", func(ctx context.Context, object client.Object) (bool, error) {
		if len(object.(*v1alpha1.GitHubUserToken).Status.Conditions) == 0 {
			return false, nil
		}
		return true, admin.Status().Patch(ctx, object, client.RawPatch(types.MergePatchType, []byte(`{"status":{"conditions":null}}`)))
	})
	w.eventually("the event", func() (bool, string) {
		return len(w.eventsOf("octocat", eventStatusContested)) == 1, "there is none"
	})
	w.settle()
	writes, reads, _ := w.meter.since(then)
	if rounds := stop(); rounds > contestRounds || len(writes) > 3*contestRounds || len(reads) > contestRounds {
		t.Errorf("the rival has had %d rounds, and the operator made %d writes and %d reads", rounds, len(writes), len(reads))
	}
	w.meter.leap(contestRest)
	w.touch("octocat")
	w.condition("octocat", v1alpha1.ConditionReady, ready, "")
	w.quiet()
	if n := len(w.eventsOf("octocat", eventStatusContested)); n != 1 {
		t.Errorf("%d events tell of it", n)
	}
}
