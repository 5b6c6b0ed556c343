package controllers

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/github/githubtest"
	"github.com/githubusertoken/github-user-token-operator/test/suite"
)

// ready waits until a resource is Ready, and returns its pair.
func (w *world) ready(name string) *corev1.Secret {
	w.t.Helper()
	w.condition(name, v1alpha1.ConditionReady, metav1.ConditionTrue, "")
	w.condition(name, v1alpha1.ConditionAuthorized, metav1.ConditionTrue, "")
	return w.alive(name + "-token")
}

// alive makes sure that both tokens of a pair Secret work, and returns it.
func (w *world) alive(secretName string) *corev1.Secret {
	w.t.Helper()
	secret := w.pair(secretName)
	if !w.gh.Alive(access(secret)) {
		w.t.Errorf("the access token in Secret %s is dead", secretName)
	}
	if !w.gh.Alive(refresh(secret)) {
		w.t.Errorf("the refresh token in Secret %s is dead", secretName)
	}
	return secret
}

func access(secret *corev1.Secret) string { return string(secret.Data[v1alpha1.KeyAccessToken]) }

func refresh(secret *corev1.Secret) string { return string(secret.Data[v1alpha1.KeyRefreshToken]) }

// start creates a resource with a fresh login and waits until it is Ready, and until its account is known: that is the last
// write of a login.
func (w *world) start(name string) *corev1.Secret {
	w.t.Helper()
	w.startUnknown(name)
	w.account(name)
	return w.alive(name + "-token")
}

// startUnknown does not wait for the account.
func (w *world) startUnknown(name string) *corev1.Secret {
	w.t.Helper()
	w.seed(name, name)
	w.create(w.resource(name))
	return w.ready(name)
}

// samePair makes sure that a Secret holds the tokens that it held before.
func (w *world) samePair(before, now *corev1.Secret) {
	w.t.Helper()
	if access(before) != access(now) || refresh(before) != refresh(now) {
		w.t.Errorf("Secret %s does not hold the pair that it held", now.Name)
	}
}

// change edits the spec or the metadata of a resource, as kubectl edit does.
func (w *world) change(name string, edit func(*v1alpha1.GitHubUserToken)) {
	w.t.Helper()
	w.eventually("the edit of "+name, func() (bool, string) {
		token := w.get(name)
		edit(token)
		err := admin.Update(w.ctx, token)
		if err != nil && !apierrors.IsConflict(err) {
			w.t.Fatal(err)
		}
		return err == nil, "a conflict"
	})
}

// changeSecret edits a Secret, as kubectl edit does.
func (w *world) changeSecret(name string, edit func(*corev1.Secret)) {
	w.t.Helper()
	w.eventually("the edit of "+name, func() (bool, string) {
		secret := w.pair(name)
		edit(secret)
		err := admin.Update(w.ctx, secret)
		if err != nil && !apierrors.IsConflict(err) {
			w.t.Fatal(err)
		}
		return err == nil, "a conflict"
	})
}

// observed waits until the status speaks of the spec as it is now.
func (w *world) observed(name string) {
	w.t.Helper()
	w.eventually("the operator to look at "+name, func() (bool, string) {
		token := w.get(name)
		return token.Status.ObservedGeneration == token.Generation, suite.Describe(token)
	})
}

// request asks for an exchange by annotation.
func (w *world) request(name, value string) {
	w.t.Helper()
	w.change(name, func(token *v1alpha1.GitHubUserToken) {
		metav1.SetMetaDataAnnotation(&token.ObjectMeta, v1alpha1.AnnotationRefreshRequestedAt, value)
	})
}

// honoured waits until the pair was got that was asked for by this request.
func (w *world) honoured(name, request string) {
	w.t.Helper()
	w.eventually(fmt.Sprintf("request %q of %s to be honoured", request, name), func() (bool, string) {
		secret := w.find(name + "-token")
		if secret == nil {
			return false, "there is no Secret"
		}
		state := secret.Annotations[v1alpha1.AnnotationState]
		return strings.Contains(state, fmt.Sprintf(`"refreshRequestedAt":%q`, request)), state
	})
}

// patchSecret applies a JSON merge patch to a Secret.
func (w *world) patchSecret(name, patch string) {
	w.t.Helper()
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: name}}
	w.must(admin.Patch(w.ctx, secret, client.RawPatch(types.MergePatchType, []byte(patch))))
}

// remove deletes an object and does not wait.
func (w *world) remove(object client.Object) {
	w.t.Helper()
	w.must(client.IgnoreNotFound(admin.Delete(w.ctx, object)))
}

// secretNamed and resourceNamed are objects to delete.
func (w *world) secretNamed(name string) *corev1.Secret {
	return &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: name}}
}

func (w *world) resourceNamed(name string) *v1alpha1.GitHubUserToken {
	return &v1alpha1.GitHubUserToken{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: name}}
}

// gone waits until an object does not exist any more.
func (w *world) gone(object client.Object) {
	w.t.Helper()
	w.eventually(object.GetName()+" to be gone", func() (bool, string) {
		err := admin.Get(w.ctx, client.ObjectKeyFromObject(object), object)
		if err != nil && !apierrors.IsNotFound(err) {
			w.t.Fatal(err)
		}
		return err != nil, "it has the finalizers " + strings.Join(object.GetFinalizers(), ", ")
	})
}

// absent makes sure that there is no Secret of a name.
func (w *world) absent(secretName string) {
	w.t.Helper()
	if err := admin.Get(w.ctx, client.ObjectKeyFromObject(w.secretNamed(secretName)), &corev1.Secret{}); !apierrors.IsNotFound(err) {
		w.t.Errorf("there is a Secret %s, or it cannot be looked for: %v", secretName, err)
	}
}

// refusal is how the conditions speak of what keeps a resource from going on.
type refusal struct {
	reason string
	// says is a part of the message: what to do.
	says string
	// unauthorized says that Authorized is False for the same reason.
	unauthorized bool
	// retried says that the operator tries again by itself, so that the resource is Reconciling, not Stalled.
	retried bool
	// working says that the resource is Ready all the same: its token still works.
	working bool
}

// refused waits until the conditions of a resource are as they should be.
func (w *world) refused(name string, want refusal) {
	w.t.Helper()
	obstacle, other := v1alpha1.ConditionStalled, v1alpha1.ConditionReconciling
	if want.retried {
		obstacle, other = other, obstacle
	}
	found := w.condition(name, obstacle, metav1.ConditionTrue, want.reason)
	if !strings.Contains(found.Message, want.says) {
		w.t.Errorf("%s of %s says %q, and not %q", obstacle, name, found.Message, want.says)
	}
	token := w.get(name)
	if meta.FindStatusCondition(token.Status.Conditions, other) != nil {
		w.t.Errorf("%s is Stalled and Reconciling at once: %s", name, suite.Describe(token))
	}
	ready := meta.FindStatusCondition(token.Status.Conditions, v1alpha1.ConditionReady)
	switch {
	case ready == nil:
		w.t.Errorf("%s has no condition Ready: %s", name, suite.Describe(token))
	case want.working != (ready.Status == metav1.ConditionTrue):
		w.t.Errorf("%s is Ready=%s: %s", name, ready.Status, suite.Describe(token))
	case !want.working && (ready.Reason != want.reason || !strings.Contains(ready.Message, want.says)):
		w.t.Errorf("Ready of %s does not tell why: %s", name, suite.Describe(token))
	}
	authorized := meta.FindStatusCondition(token.Status.Conditions, v1alpha1.ConditionAuthorized)
	switch {
	case authorized == nil:
		w.t.Errorf("%s has no condition Authorized: %s", name, suite.Describe(token))
	case want.unauthorized != (authorized.Status == metav1.ConditionFalse):
		w.t.Errorf("%s is Authorized=%s: %s", name, authorized.Status, suite.Describe(token))
	case want.unauthorized && (authorized.Reason != want.reason || !strings.Contains(authorized.Message, want.says)):
		w.t.Errorf("Authorized of %s does not tell what to do: %s", name, suite.Describe(token))
	}
	if token.Status.ObservedGeneration != token.Generation {
		w.t.Errorf("the status of %s speaks of generation %d, not %d", name, token.Status.ObservedGeneration, token.Generation)
	}
}

// presented makes sure of how many refresh tokens the stand-in was shown, ever.
func (w *world) presented(want int) {
	w.t.Helper()
	if got := w.gh.Presentations(); len(got) != want {
		w.t.Errorf("%d refresh tokens were presented, want %d: %+v", len(got), want, got)
	}
}

// each runs the cases of a table in parallel.
func each[C any](t *testing.T, cases map[string]C, run func(*testing.T, C)) {
	t.Helper()
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			run(t, c)
		})
	}
}

// restart ends the operator and starts another one on the same outbox, as a container is restarted.
func (w *world) restart() {
	w.t.Helper()
	w.stop()
	w.startOperator(w.options)
}

// spend exchanges a refresh token as somebody else would, past the operator.
func (w *world) spend(token string) {
	w.t.Helper()
	reply, err := w.site.Client().PostForm(w.site.URL+"/login/oauth/access_token", url.Values{
		"grant_type": {"refresh_token"}, "client_id": {clientID}, "client_secret": {clientSecret}, "refresh_token": {token},
	})
	w.must(err)
	_ = reply.Body.Close()
	if w.gh.Alive(token) {
		w.t.Fatal("the token was not spent")
	}
}

// refreshed waits until a resource has stored so many pairs since its login.
func (w *world) refreshed(name string, count int64) {
	w.t.Helper()
	w.eventually(fmt.Sprintf("pair %d of %s", count, name), func() (bool, string) {
		token := w.get(name)
		return token.Status.RefreshCount == count, fmt.Sprintf("pair %d; %s", token.Status.RefreshCount, suite.Describe(token))
	})
}

// find is a Secret, nil when there is none.
func (w *world) find(name string) *corev1.Secret {
	w.t.Helper()
	var secret corev1.Secret
	err := admin.Get(w.ctx, client.ObjectKey{Namespace: w.namespace, Name: name}, &secret)
	if apierrors.IsNotFound(err) {
		return nil
	}
	w.must(err)
	return &secret
}

// restored waits until a deleted Secret is back with the pair that it held.
func (w *world) restored(before *corev1.Secret) *corev1.Secret {
	w.t.Helper()
	var now *corev1.Secret
	w.eventually("Secret "+before.Name+" to be put back", func() (bool, string) {
		now = w.find(before.Name)
		return now != nil && now.DeletionTimestamp == nil && now.UID != before.UID, "it is not there"
	})
	w.samePair(before, now)
	return now
}

func inNamespace(name string) client.ListOption { return client.InNamespace(name) }

// holdReply makes the exchange of a refresh token and keeps its reply.
func holdReply(token string) githubtest.Fault {
	return githubtest.Hold().AfterCommit().ForRefreshToken(token)
}

// arrived waits until a fault has been met.
func (w *world) arrived(fault *githubtest.Injection) {
	w.t.Helper()
	select {
	case <-fault.Arrived():
	case <-time.After(deadline):
		w.t.Fatal("no request arrived at GitHub")
	}
}

// says waits until the message of a condition has a certain part.
func (w *world) says(name, kind, part string) {
	w.t.Helper()
	w.eventually(kind+" of "+name+" to say: "+part, func() (bool, string) {
		token := w.get(name)
		condition := meta.FindStatusCondition(token.Status.Conditions, kind)
		return condition != nil && strings.Contains(condition.Message, part), suite.Describe(token)
	})
}

func keyOfObject(object client.Object) client.ObjectKey { return client.ObjectKeyFromObject(object) }

func (w *world) namespaceNamed(name string) *corev1.Namespace {
	return &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}
}

// force takes the finalizers off an object, if it still exists.
func (w *world) force(object client.Object) {
	w.t.Helper()
	w.must(client.IgnoreNotFound(admin.Patch(w.ctx, object, client.RawPatch(types.MergePatchType, []byte(`{"metadata":{"finalizers":null}}`)))))
}
