package controllers

import (
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/secretwatch"
	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/fairqueue"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// startQueue is a queue, and the order of what is in it.
func startQueue(t *testing.T) (queue *fairqueue.Queue, order func() string) {
	t.Helper()
	queue = fairqueue.New(fairqueue.Options{Workers: 1, RateLimiter: workqueue.DefaultTypedControllerRateLimiter[reconcile.Request]()})
	t.Cleanup(queue.ShutDown)
	return queue, func() string {
		queue.Add(reconcile.Request{NamespacedName: types.NamespacedName{Namespace: "team-a", Name: "event"}})
		var names []string
		for queue.Len() > 0 {
			item, _ := queue.Get()
			queue.Done(item)
			names = append(names, item.Name)
		}
		return strings.Join(names, " ")
	}
}

const (
	startsLast      = "event octocat"
	startsLikeEvent = "octocat event"
)

// rested is the resource with the status that it has when all is well.
func (w *watchWorld) rested(pair *rotation.Pair) *v1alpha1.GitHubUserToken {
	token := w.token.DeepCopy()
	token.Status = v1alpha1.GitHubUserTokenStatus{SecretName: "octocat-token", LastRefreshTime: timeOf(pair.State.IssuedAt), Conditions: []metav1.Condition{
		{Type: v1alpha1.ConditionReady, Status: metav1.ConditionTrue}, {Type: v1alpha1.ConditionAuthorized, Status: metav1.ConditionTrue},
	}}
	return token
}

// What a start finds at rest comes last. Whatever may lose something by that does not.
func TestStartWhatHasSomethingToLoseDoesNotWaitForTheRest(t *testing.T) {
	condition := func(kind string, status metav1.ConditionStatus) func(*v1alpha1.GitHubUserToken) {
		return func(token *v1alpha1.GitHubUserToken) {
			for i := range token.Status.Conditions {
				if token.Status.Conditions[i].Type == kind {
					token.Status.Conditions[i].Status = status
					return
				}
			}
			token.Status.Conditions = append(token.Status.Conditions, metav1.Condition{Type: kind, Status: status})
		}
	}
	for name, c := range map[string]struct {
		token func(*v1alpha1.GitHubUserToken)
		pair  func(*rotation.Pair)
		gone  bool
		want  string
	}{
		"one at rest": {want: startsLast},
		"one with a request that was honoured": {
			token: func(token *v1alpha1.GitHubUserToken) {
				token.Annotations = map[string]string{v1alpha1.AnnotationRefreshRequestedAt: "1"}
			},
			pair: func(pair *rotation.Pair) { pair.State.RefreshRequestedAt = "1" }, want: startsLast,
		},
		"one of which nothing was told yet": {token: func(token *v1alpha1.GitHubUserToken) { token.Status = v1alpha1.GitHubUserTokenStatus{} }, want: startsLikeEvent},
		"one whose spec has changed":        {token: func(token *v1alpha1.GitHubUserToken) { token.Generation++ }, want: startsLikeEvent},
		"one that is being deleted":         {token: func(token *v1alpha1.GitHubUserToken) { token.DeletionTimestamp = &metav1.Time{Time: time.Now()} }, want: startsLikeEvent},
		"one without our finalizer":         {token: func(token *v1alpha1.GitHubUserToken) { token.Finalizers = nil }, want: startsLikeEvent},
		"one that is not ready":             {token: condition(v1alpha1.ConditionReady, metav1.ConditionFalse), want: startsLikeEvent},
		"one whose outcome is not known":    {token: condition(v1alpha1.ConditionAuthorized, metav1.ConditionUnknown), want: startsLikeEvent},
		"one that is being worked on":       {token: condition(v1alpha1.ConditionReconciling, metav1.ConditionTrue), want: startsLikeEvent},
		"one with something wrong":          {token: condition(v1alpha1.ConditionStalled, metav1.ConditionTrue), want: startsLikeEvent},
		"one with a code to enter":          {token: func(token *v1alpha1.GitHubUserToken) { token.Status.Authorization = &v1alpha1.Authorization{} }, want: startsLikeEvent},
		"one that a refresh is asked for": {token: func(token *v1alpha1.GitHubUserToken) {
			token.Annotations = map[string]string{v1alpha1.AnnotationRefreshRequestedAt: "2"}
		}, want: startsLikeEvent},
		"one whose status is of a former pair": {token: func(token *v1alpha1.GitHubUserToken) {
			token.Status.LastRefreshTime = &metav1.Time{Time: time.Now().Add(-time.Hour)}
		}, want: startsLikeEvent},
		"one whose workloads have a former token": {token: func(token *v1alpha1.GitHubUserToken) {
			token.Spec.Handoff, token.Status.LastHandoffTime = &v1alpha1.Handoff{}, &metav1.MicroTime{Time: time.Now().Add(-time.Hour)}
		}, want: startsLikeEvent},
		"one whose pair is gone": {gone: true, want: startsLikeEvent},
		"one with an intent":     {pair: func(pair *rotation.Pair) { pair.Intent = &rotation.Intent{ID: "1", Spends: pair.State.RefreshToken} }, want: startsLikeEvent},
		"one with a login that is being imported": {pair: func(pair *rotation.Pair) {
			pair.State.PendingSeed = credential.NewRefreshToken("ghr_2").Fingerprint()
		}, want: startsLikeEvent},
		"one with a device code": {pair: func(pair *rotation.Pair) { pair.State.Device = &rotation.DeviceAuthorization{UserCode: "ABCD-1234"} }, want: startsLikeEvent},
		"one from a backup":      {pair: func(pair *rotation.Pair) { pair.State.Owner = "another" }, want: startsLikeEvent},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWatchWorld(t)
			pair := w.pair()
			token := w.rested(pair)
			if c.token != nil {
				c.token(token)
			}
			if c.pair != nil {
				next := pair.Clone()
				c.pair(next)
				_, err := w.store.Update(t.Context(), pair, next)
				w.must(err)
			}
			if c.gone {
				w.remove("octocat-token")
			}
			queue, order := startQueue(t)
			low := fairqueue.Low
			addWithPriority(queue, reconcile.Request{NamespacedName: w.name}, low) // As the controller does.
			w.starts().Create(t.Context(), event.CreateEvent{Object: token, IsInInitialList: true}, queue)
			if got := order(); got != c.want {
				t.Errorf("order %s, want %s", got, c.want)
			}
		})
	}
}

// A Secret in which something was begun has its resource looked at, whether that is there or not.
func TestStartSecretsInWhichSomethingWasBegunDoNotWaitForTheRest(t *testing.T) {
	now := metav1.Now()
	for name, c := range map[string]struct {
		change func(client.Object)
		want   string
	}{
		"a pair": {func(client.Object) {}, startsLast},
		"a pair that is being deleted": {func(secret client.Object) {
			secret.SetDeletionTimestamp(&now)
		}, startsLikeEvent},
		"a first fence": {func(secret client.Object) {
			secret.SetAnnotations(map[string]string{v1alpha1.AnnotationIntent: `{"id":"1"}`})
		}, startsLikeEvent},
		"a device code": {func(secret client.Object) { secret.GetLabels()[v1alpha1.LabelRole] = v1alpha1.RoleLogin }, startsLikeEvent},
		"a backup":      {func(secret client.Object) { secret.GetLabels()[v1alpha1.LabelRole] = v1alpha1.RoleBackup }, startsLikeEvent},
		"an output":     {func(secret client.Object) { secret.GetLabels()[v1alpha1.LabelRole] = v1alpha1.RoleOutput }, startsLast},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWatchWorld(t)
			secret := pairMetadata("team-a", "octocat", time.Now().Add(time.Hour))
			c.change(secret)
			queue, order := startQueue(t)
			w.secretEvents().Create(t.Context(), event.CreateEvent{Object: secret, IsInInitialList: true}, queue)
			if got := order(); got != c.want {
				t.Errorf("order %s, want %s", got, c.want)
			}
		})
	}
}

// A login may have come while no operator ran.
func TestStartLoginThatHasComeMeanwhileDoesNotWaitForTheRest(t *testing.T) {
	for secret, want := range map[string]string{"octocat-seed": startsLikeEvent, "github-app": startsLast} {
		t.Run(secret, func(t *testing.T) {
			w := newWatchWorld(t)
			w.token.Spec.RefreshTokenRef = &v1alpha1.RefreshTokenReference{Name: "octocat-seed", Key: "refresh_token"}
			w.pair()
			queue, order := startQueue(t)
			w.must(w.queue.Start(t.Context(), queue))
			w.tellNamed(t.Context(), w.token, secretwatch.Change{Name: types.NamespacedName{Namespace: "team-a", Name: secret}, First: true, Found: true})
			if got := order(); got != want {
				t.Errorf("order %s, want %s", got, want)
			}
		})
	}
}
