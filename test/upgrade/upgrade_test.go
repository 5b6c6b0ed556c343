package upgrade

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/hack/demo/stage"
	"github.com/githubusertoken/github-user-token-operator/test/suite"
)

// before is what stood there before the upgrade.
type before struct {
	account string
	tokens  map[string][]byte
	status  v1alpha1.GitHubUserTokenStatus
}

func TestUpgradeTakesEveryShapeAcross(t *testing.T) {
	w := &world{t: t, ctx: context.Background()}
	w.secret(stage.Namespace, "platform-app", "client_secret", clientSecret)

	// The definitions are the previous ones.
	w.namespace("previous")
	unknown := suite.Resource("previous", "octocat", "github.com", theApp)
	unknown.Spec.Login = suite.DeviceLogin()
	if err := the.admin.Create(w.ctx, unknown, client.DryRunAll, client.FieldValidation(metav1.FieldValidationStrict)); err == nil || !strings.Contains(err.Error(), "unknown field") {
		t.Fatalf("a present field is answered with %v", err)
	}

	// The previous API: everything becomes Ready, and each chain is beyond its login.
	all := map[client.ObjectKey]*before{}
	files, err := filepath.Glob("testdata/*/*.yaml")
	w.must(err)
	for _, file := range files {
		if filepath.Base(filepath.Dir(file)) == "crd" {
			continue
		}
		name := strings.NewReplacer("/", "-", "_", "-").Replace(strings.TrimSuffix(strings.TrimPrefix(file, "testdata/"), ".yaml"))
		w.namespace(name)
		for _, key := range w.createAll(file, name) {
			all[key] = &before{account: w.login(key)}
		}
	}
	if len(all) < 11 {
		t.Fatalf("there are only %d shapes", len(all))
	}
	// One waits for a person while the upgrade is made.
	w.namespace("waiting")
	waiting := w.createAll("testdata/samples/device_flow.yaml", "waiting")[0]
	code := w.code(waiting)
	for key := range all {
		w.ready(key)
	}
	w.rotateAll(all)
	for key, b := range all {
		b.tokens, b.status = w.pair(key).Data, w.get(key).Status
	}
	edges := w.edges()
	presented, requests := len(the.gh.Presentations()), the.gh.PendingDevices()

	// The upgrade.
	w.must(the.stage.Operator.Stop(w.ctx))
	w.must(the.stage.Plane.Apply(w.ctx, filepath.Join(the.stage.Root, "config/crd")))
	w.must(the.stage.Operator.Start(w.ctx))

	same := func(step string) {
		t.Helper()
		if got := len(the.gh.Presentations()); got != presented {
			t.Fatalf("%s: %d tokens were presented", step, got-presented)
		}
		if now := the.gh.PendingDevices(); !slices.Equal(now, requests) {
			t.Fatalf("%s: the codes are %v, before %v", step, now, requests)
		}
		for key, b := range all {
			if !reflect.DeepEqual(w.pair(key).Data, b.tokens) {
				t.Errorf("%s: %s has another pair", step, key)
			}
			now := w.get(key).Status
			if now.RefreshCount != b.status.RefreshCount || !reflect.DeepEqual(reasons(now), reasons(b.status)) {
				t.Errorf("%s: the status of %s is %v, before %v", step, key, reasons(now), reasons(b.status))
			}
		}
	}
	changeAll := func(step string, edit func(*v1alpha1.GitHubUserToken)) {
		t.Helper()
		for key := range all {
			w.change(key, edit)
		}
		for key := range all {
			w.observed(key)
		}
		same(step)
	}
	for _, key := range append(edges, slices.Collect(maps.Keys(all))...) {
		w.writable(key)
	}
	changeAll("after a note", func(token *v1alpha1.GitHubUserToken) {
		metav1.SetMetaDataAnnotation(&token.ObjectMeta, "example.com/note", "x")
	})
	// A change of the spec is looked at by the operator, so that what it would have done is done by then.
	changeAll("after a change of the spec", func(token *v1alpha1.GitHubUserToken) {
		if token.Spec.Secret.Labels == nil {
			token.Spec.Secret.Labels = v1alpha1.Labels{}
		}
		token.Spec.Secret.Labels["upgraded"] = "yes"
	})
	for key := range all {
		w.eventually("the label of the pair of "+key.String(), func() (bool, string) {
			labels := w.pair(key).Labels
			return labels["upgraded"] == "yes", fmt.Sprint(labels)
		})
	}
	changeAll("after the move to the present fields", present)
	if shown := w.get(waiting).Status.Authorization; shown == nil || shown.UserCode != code {
		t.Errorf("the code of who waits is %v, before %s", shown, code)
	}
	w.change(waiting, present)
	w.observed(waiting)
	same("after the move of who waits")
	w.must(the.gh.ApproveDevice(code, "monalisa"))
	w.ready(waiting)

	// And the chains go on.
	w.rotateAll(all)
	for key, b := range all {
		if got := w.get(key).Status; got.RefreshCount != b.status.RefreshCount+1 || got.User == nil || !strings.EqualFold(got.User.Login, b.account) {
			t.Errorf("%s was refreshed %d times, before %d, and belongs to %v", key, got.RefreshCount, b.status.RefreshCount, got.User)
		}
	}
	w.served(all)
	if got, want := len(the.gh.Presentations()), presented+len(all); got != want {
		t.Errorf("%d tokens were presented, want %d", got, want)
	}
	w.seen(all)
	w.scopedAcross(client.ObjectKey{Namespace: "samples-outputs", Name: "hubot"}) // The login of one of octocat has ended.
}

// login logs a person in, by a seed or by a code, and returns the account.
func (w *world) login(key client.ObjectKey) (account string) {
	w.t.Helper()
	token := w.get(key)
	account = key.Name
	if user := token.Spec.User; user != nil {
		account = strings.ToLower(user.Login)
	}
	if ref := token.Spec.RefreshTokenRef; ref != nil {
		app := theApp
		if shared := token.Spec.App.Ref; shared != nil && shared.Kind == v1alpha1.KindClusterGitHubApp {
			app = platformApp
		}
		w.secret(key.Namespace, ref.Name, ref.Key, the.gh.Mint(app, account).RefreshToken)
	} else {
		w.must(the.gh.ApproveDevice(w.code(key), account))
	}
	return account
}

// code waits for a code, and returns it.
func (w *world) code(key client.ObjectKey) (code string) {
	w.t.Helper()
	w.eventually("a code of "+key.String(), func() (bool, string) {
		token := w.get(key)
		if token.Status.Authorization != nil {
			code = token.Status.Authorization.UserCode
		}
		return code != "", suite.Describe(token)
	})
	return code
}

// ready waits until all is well, and the account is known.
func (w *world) ready(key client.ObjectKey) {
	w.t.Helper()
	w.eventually(key.String()+" to be Ready", func() (bool, string) {
		token := w.get(key)
		well := meta.IsStatusConditionTrue(token.Status.Conditions, v1alpha1.ConditionReady) &&
			meta.IsStatusConditionTrue(token.Status.Conditions, v1alpha1.ConditionAuthorized) &&
			meta.FindStatusCondition(token.Status.Conditions, v1alpha1.ConditionStalled) == nil &&
			meta.FindStatusCondition(token.Status.Conditions, v1alpha1.ConditionReconciling) == nil
		return well && token.Status.User != nil && token.Status.Authorization == nil, suite.Describe(token)
	})
	if secret := w.pair(key); !the.gh.Alive(string(secret.Data[v1alpha1.KeyAccessToken])) || !the.gh.Alive(string(secret.Data[v1alpha1.KeyRefreshToken])) {
		w.t.Errorf("the pair of %s is dead", key)
	}
}

// rotateAll has each chain refreshed once.
func (w *world) rotateAll(all map[client.ObjectKey]*before) {
	w.t.Helper()
	counts := map[client.ObjectKey]int64{}
	for key := range all {
		counts[key] = w.get(key).Status.RefreshCount
		w.change(key, func(token *v1alpha1.GitHubUserToken) {
			metav1.SetMetaDataAnnotation(&token.ObjectMeta, v1alpha1.AnnotationRefreshRequestedAt, fmt.Sprint(counts[key]))
		})
	}
	for key := range all {
		w.eventually(key.String()+" to be refreshed", func() (bool, string) {
			token := w.get(key)
			return token.Status.RefreshCount == counts[key]+1, fmt.Sprint(token.Status.RefreshCount, " ", suite.Describe(token))
		})
		w.ready(key)
	}
}

// observed waits until the status speaks of the spec as it is now.
func (w *world) observed(key client.ObjectKey) {
	w.t.Helper()
	w.eventually("the operator to look at "+key.String(), func() (bool, string) {
		token := w.get(key)
		return token.Status.ObservedGeneration == token.Generation, suite.Describe(token)
	})
}

// present moves a resource to the present fields, as the documents say.
func present(token *v1alpha1.GitHubUserToken) {
	if flow := token.Spec.DeviceFlow; flow != nil {
		token.Spec.DeviceFlow, token.Spec.Login = nil, suite.DeviceLogin()
		token.Spec.Login.Scopes = flow.Scopes
	}
	if token.Spec.Handoff != nil {
		for i := range token.Spec.Handoff.Restart {
			token.Spec.Handoff.Restart[i].APIGroup = "apps"
		}
	}
}

// reasons are the conditions without their times.
func reasons(status v1alpha1.GitHubUserTokenStatus) map[string]string {
	found := map[string]string{}
	for _, c := range status.Conditions {
		found[c.Type] = string(c.Status) + " " + c.Reason
	}
	return found
}

// edges creates the resources at the edge of what was accepted, suspended, so that nothing is asked of GitHub for them.
func (w *world) edges() (keys []client.ObjectKey) {
	w.t.Helper()
	text, err := os.ReadFile("testdata/edges.yaml")
	w.must(err)
	var specs []map[string]any
	w.must(yaml.Unmarshal(text, &specs))
	w.must(the.admin.Create(w.ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "edges"}}))
	for i, spec := range specs {
		spec["suspend"] = true
		object := &unstructured.Unstructured{Object: map[string]any{"spec": spec}}
		object.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind("GitHubUserToken"))
		object.SetNamespace("edges")
		object.SetName(fmt.Sprintf("edge-%d", i))
		w.must(the.admin.Create(w.ctx, object, client.FieldValidation(metav1.FieldValidationStrict)))
		keys = append(keys, client.ObjectKeyFromObject(object))
	}
	return keys
}

// writable makes sure that a resource may be written as it is, and that one like it may be created: of what stands already the API
// server does not look at what a write leaves as it was.
func (w *world) writable(key client.ObjectKey) {
	w.t.Helper()
	object := &unstructured.Unstructured{} // which leaves nothing out, as the types do
	object.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind("GitHubUserToken"))
	w.must(the.admin.Get(w.ctx, key, object))
	again := object.DeepCopy()
	again.SetAnnotations(map[string]string{"example.com/touched": "x"})
	if err := the.admin.Patch(w.ctx, again, client.MergeFrom(object), client.DryRunAll); err != nil {
		w.t.Errorf("%s cannot be written: %v", key, err)
	}
	again = object.DeepCopy()
	again.SetName(key.Name + "-again")
	again.SetResourceVersion("")
	again.SetUID("")
	if err := the.admin.Create(w.ctx, again, client.DryRunAll); err != nil {
		w.t.Errorf("one like %s cannot be created: %v", key, err)
	}
}
