package controllers

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"sync"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/github/githubtest"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
	"github.com/githubusertoken/github-user-token-operator/test/suite"
)

// dataChanges follows every version of the pair Secrets of a namespace, as Reloader does, and holds their data to one change for
// each new access token.
type dataChanges struct {
	w *world

	mu sync.Mutex
	// data are those of the pair as they were last seen, under whatever name, and seen all access tokens.
	data map[string]string
	seen map[string]bool
	// changes counts the changes, and byHand those that are still to come from a person.
	changes, byHand int
}

// watchData begins at once, before there is a pair Secret.
func (w *world) watchData() *dataChanges {
	w.t.Helper()
	config := plane.AdminConfig()
	watching, err := client.NewWithWatch(config, client.Options{Scheme: scheme})
	w.must(err)
	ctx, cancel := context.WithCancel(w.ctx)
	events, err := watching.Watch(ctx, &corev1.SecretList{}, inNamespace(w.namespace), client.MatchingLabels{v1alpha1.LabelRole: v1alpha1.RolePair})
	w.must(err)
	d := &dataChanges{w: w, data: map[string]string{}, seen: map[string]bool{}}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for event := range events.ResultChan() {
			if secret, ok := event.Object.(*corev1.Secret); ok && event.Type != watch.Deleted {
				d.saw(secret)
			}
		}
	}()
	w.t.Cleanup(func() { cancel(); events.Stop(); <-ended })
	return d
}

func (d *dataChanges) saw(secret *corev1.Secret) {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := map[string]string{}
	for key, value := range secret.Data {
		now[key] = string(value)
	}
	if maps.Equal(now, d.data) {
		return
	}
	before, token := d.data, now[v1alpha1.KeyAccessToken]
	d.data = now
	switch {
	case d.byHand > 0:
		d.byHand--
	case token == "" || d.seen[token]:
		d.w.t.Errorf("the data of Secret %s were changed without a new token: %v became %v", secret.Name, keysOf(before), keysOf(now))
	default:
		d.changes++
	}
	d.seen[token] = true
}

func keysOf(data map[string]string) (keys []string) {
	for key := range maps.Keys(data) {
		keys = append(keys, key)
	}
	return keys
}

// is waits until there were so many changes.
func (d *dataChanges) is(want int) {
	d.w.t.Helper()
	d.w.eventually(fmt.Sprintf("%d changes of the data", want), func() (bool, string) {
		d.mu.Lock()
		defer d.mu.Unlock()
		return d.changes == want && d.byHand == 0, fmt.Sprintf("%d changes, and %d by a person are missing", d.changes, d.byHand)
	})
}

// edit has a person change the data.
func (d *dataChanges) edit(name, patch string) {
	d.w.t.Helper()
	d.mu.Lock()
	d.byHand++
	d.mu.Unlock()
	d.w.patchSecret(name, patch)
}

func TestDataOfThePairSecretChangeOnceForEachNewToken(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	data := w.watchData()
	w.start("octocat")
	data.is(1)
	w.request("octocat", "1")
	w.refreshed("octocat", 2)
	data.is(2)

	// A seed that GitHub refuses, and one whose exchange has an unknown outcome and which is taken away.
	refused := w.login("octocat")
	w.gh.Revoke(refused)
	w.secret("octocat-seed", map[string]string{"refresh_token": refused})
	w.says("octocat", v1alpha1.ConditionAuthorized, "The newer login in the seed was refused")
	unanswered := w.login("octocat")
	fault := w.gh.Inject(githubtest.NotJSON().Always().ForRefreshToken(unanswered))
	w.secret("octocat-seed", map[string]string{"refresh_token": unanswered})
	w.arrived(fault)
	w.remove(w.secretNamed("octocat-seed"))
	w.says("octocat", v1alpha1.ConditionAuthorized, "the seed does not hold it any more")
	w.ready("octocat")
	data.is(2)
	fault.Remove()
	w.secret("octocat-seed", map[string]string{"refresh_token": unanswered}) // It was not exchanged, and works.
	w.refreshed("octocat", 1)
	data.is(3)
	w.seed("octocat", "octocat")
	w.eventually("the next login", func() (bool, string) {
		data.mu.Lock()
		defer data.mu.Unlock()
		return data.changes == 4, suite.Describe(w.get("octocat"))
	})
	w.ready("octocat")

	// Labels, a deletion, another name, a new process.
	w.patchSecret("octocat-token", `{"metadata":{"labels":{"edited":"true"}}}`)
	w.settle()
	before := w.ready("octocat")
	w.remove(w.secretNamed("octocat-token"))
	w.eventually("the Secret to be put back", func() (bool, string) {
		now := w.find("octocat-token")
		return now != nil && now.UID != before.UID && now.DeletionTimestamp == nil, "it is not there"
	})
	w.settle()
	w.change("octocat", func(token *v1alpha1.GitHubUserToken) { token.Spec.Secret.Name = "elsewhere" })
	w.gone(w.secretNamed("octocat-token"))
	w.restart()
	w.settle()
	w.samePair(before, w.alive("elsewhere"))
	data.is(4)

	// A person pastes a login: their own change, and one more for its pair.
	data.edit("elsewhere", fmt.Sprintf(`{"stringData":{%q:%q}}`, v1alpha1.KeyRefreshToken, w.login("octocat")))
	data.is(5)
	w.settle()
	data.is(5)
}

// A pair Secret that comes back from a backup is taken over, and proven, and its data stay.
func TestDataOfARestoredPairSecretStay(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	data := w.watchData()
	w.start("octocat")
	backup := w.backUp("octocat")
	w.lose(backup)
	w.bringBack(backup, nil, nil)
	w.ready("octocat")
	w.settle()
	data.is(1)
}

func TestDataOfThePairSecretChangeOnceForALoginByACode(t *testing.T) {
	t.Parallel()
	w := withDevice(t, 0)
	data := w.watchData()
	w.create(w.withoutSeed("octocat"))
	first := w.code("octocat")
	w.deviceCode("octocat")
	w.must(w.gh.DenyDevice(first))
	w.condition("octocat", v1alpha1.ConditionAuthorized, metav1.ConditionFalse, v1alpha1.ReasonAuthorizationDenied)
	w.noCode("octocat")
	w.request("octocat", "again")
	second := w.code("octocat", first)
	codes := w.codesOf("octocat")
	if len(codes) != 1 || !strings.HasPrefix(codes[0].Name, "github-user-token-login-"+string(w.get("octocat").UID)) || !metav1.IsControlledBy(&codes[0], w.get("octocat")) {
		t.Fatalf("the Secrets with codes are %v", codes)
	}
	data.is(0)
	w.enter(second, "octocat")
	w.ready("octocat")
	w.noCode("octocat")
	data.is(1)
}

// A code that is deleted costs another code, and one that is offered goes with its resource.
func TestDeviceCodesGo(t *testing.T) {
	t.Parallel()
	w := withDevice(t, 0)
	w.create(w.withoutSeed("octocat"))
	first := w.code("octocat")
	w.deviceCode("octocat")
	codes := w.codesOf("octocat")
	w.remove(&codes[0])
	w.code("octocat", first)
	w.deviceCode("octocat")
	for _, policy := range []v1alpha1.DeletionPolicy{v1alpha1.DeletionPolicyDelete, v1alpha1.DeletionPolicyRetain, v1alpha1.DeletionPolicyRevoke} {
		name := strings.ToLower(string(policy))
		token := w.withoutSeed(name)
		token.Spec.DeletionPolicy = policy
		w.create(token)
		w.code(name)
		w.deviceCode(name)
		w.orphanAndDelete(name)
		w.gone(w.resourceNamed(name))
		w.eventually("the device code of "+name+" to be removed", func() (bool, string) {
			return len(w.codesOf(name)) == 0, "it is there"
		})
	}
}

// An earlier version has fenced a login with its token in the pair Secret, and died.
func TestALoginThatAnEarlierVersionHasBegunGoesOn(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	data := w.watchData()
	w.start("octocat")
	w.settle()
	w.stop()
	token := w.login("octocat")
	w.secret("octocat-seed", map[string]string{"refresh_token": token})
	fingerprint := credential.NewRefreshToken(token).Fingerprint()
	secret := w.pair("octocat-token")
	var state map[string]any
	w.must(json.Unmarshal([]byte(secret.Annotations[v1alpha1.AnnotationState]), &state))
	state["pendingSeed"] = fingerprint
	changed, err := json.Marshal(state)
	w.must(err)
	intent, err := json.Marshal(map[string]any{
		"format": 1, "id": "earlier", "holder": rotation.Holder{Outbox: "former", Process: "former"}, "spends": fingerprint, "app": state["app"],
		"startedAt": secret.CreationTimestamp,
	})
	w.must(err)
	patch, err := json.Marshal(map[string]any{
		"metadata":   map[string]any{"annotations": map[string]string{v1alpha1.AnnotationState: string(changed), v1alpha1.AnnotationIntent: string(intent)}},
		"stringData": map[string]string{v1alpha1.KeySeedRefreshToken: token},
	})
	w.must(err)
	data.edit("octocat-token", string(patch))
	w.startOperator(w.options)
	w.condition("octocat", v1alpha1.ConditionReconciling, metav1.ConditionTrue, v1alpha1.ReasonOutcomeUnknown)
	w.meter.leap(rotation.IntentTimeout)
	w.touch("octocat")
	w.refreshed("octocat", 1)
	data.is(2)
	if left := w.ready("octocat").Data[v1alpha1.KeySeedRefreshToken]; left != nil {
		t.Error("the token of the login was left in the pair Secret")
	}
	w.quiet()
	w.presented(2)
}

// An earlier version has put a device code into the pair Secret.
func TestACodeThatAnEarlierVersionHasOfferedGoesOn(t *testing.T) {
	t.Parallel()
	w := withDevice(t, 0)
	data := w.watchData()
	w.create(w.withoutSeed("octocat"))
	code := w.code("octocat")
	device := w.deviceCode("octocat")
	w.stop()
	data.edit("octocat-token", fmt.Sprintf(`{"stringData":{%q:%q}}`, v1alpha1.KeyDeviceCode, device))
	codes := w.codesOf("octocat")
	w.remove(&codes[0])
	w.startOperator(w.options)
	w.enter(code, "octocat")
	secret := w.ready("octocat")
	data.is(1)
	if secret.Data[v1alpha1.KeyDeviceCode] != nil {
		t.Error("the code was left in the pair Secret")
	}
}
