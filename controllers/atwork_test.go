package controllers

import (
	"context"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/explain"
	"github.com/githubusertoken/github-user-token-operator/controllers/lifecycle"
	"github.com/githubusertoken/github-user-token-operator/internal/memory"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation/rules"
)

// What this process has begun for a former resource of the name may take long: its pair is stored as soon as the API server
// takes it. Whoever waits for that is told so once, and not a word of another replica, or of an answer that did not arrive.
func TestExchangeWaitingForOwnWorkIsToldOnce(t *testing.T) {
	t.Parallel()
	token, writes := stageScope().Token, 0
	r := &Reconciler{reports: memory.NewSlot[reported](memory.NewStore()), Recorder: events.NewFakeRecorder(100)}
	r.Client = interceptor.NewClient(nil, interceptor.Funcs{
		SubResourcePatch: func(_ context.Context, _ client.Client, _ string, object client.Object, _ client.Patch, _ ...client.SubResourcePatchOption) error {
			writes++
			token = object.(*v1alpha1.GitHubUserToken).DeepCopy()
			return nil
		},
	})
	for second := range 120 {
		s := stageScope()
		s.Token, s.Now = token, stageNow.Add(time.Duration(second)*time.Second)
		s.Pair.Intent = &rotation.Intent{ID: "1", Spends: s.Pair.State.RefreshToken, App: s.Input.App, Holder: rotation.Holder{Process: "this"}}
		s.Input.Me, s.Input.Now, s.Input.IntentAtWork, s.Input.IntentSeen = s.Pair.Intent.Holder, s.Now, true, s.Now.Sub(stageNow)
		decision := rules.Decide(s.Input)
		if decision.Action != rotation.ActionWait || !decision.At.After(s.Now) {
			t.Fatalf("after %d seconds it is decided: %+v", second, decision)
		}
		if _, err := r.writeStatus(t.Context(), token, statusOf(s, decision, lifecycle.Result{Problem: explain.Decision(s, decision)}, nil, nil)); err != nil {
			t.Fatal(err)
		}
	}
	if writes != 1 {
		t.Errorf("two minutes of waiting made %d writes", writes)
	}
	if token.Status.NextRefreshTime != nil {
		t.Errorf("the next try is told to be at %v", token.Status.NextRefreshTime)
	}
	for _, kind := range []string{v1alpha1.ConditionReconciling, v1alpha1.ConditionAuthorized} {
		told := meta.FindStatusCondition(token.Status.Conditions, kind)
		if told == nil || told.Reason != v1alpha1.ReasonOutcomeUnknown || !strings.Contains(told.Message, "still at work on an exchange") {
			t.Errorf("%s says %+v", kind, told)
		}
	}
}
