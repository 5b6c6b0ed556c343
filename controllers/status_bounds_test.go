package controllers

import (
	"fmt"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/lifecycle"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// fullStatus has each text as long as statusOf lets it be, so many more, and so many conditions of others.
func fullStatus(more, conditions int) v1alpha1.GitHubUserTokenStatus {
	status := v1alpha1.GitHubUserTokenStatus{
		ObservedGeneration: 1, RefreshCount: 1 << 62, SecretName: strings.Repeat("a", 253),
		User: &v1alpha1.User{Login: strings.Repeat("a", maxLogin+more), ID: 1 << 62},
		Authorization: &v1alpha1.Authorization{
			UserCode: strings.Repeat("A", maxUserCode+more), VerificationURI: strings.Repeat("a", maxPage+more),
			ExpirationTime: new(metav1.NewTime(time.Unix(1<<31, 0))),
		},
	}
	for i := range conditions {
		status.Conditions = append(status.Conditions, metav1.Condition{
			Type: fmt.Sprintf("Foreign%d", i), Status: metav1.ConditionTrue, Reason: "Foreign", Message: strings.Repeat("ü", maxMessage/2),
			LastTransitionTime: metav1.NewTime(time.Unix(1<<31, 0)),
		})
	}
	return status
}

func TestStatusBoundsAreThoseOfTheSchema(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{noOperator: true})
	token := w.resource("octocat")
	w.create(token)
	write := func(status v1alpha1.GitHubUserTokenStatus) error {
		full := w.get("octocat")
		full.Status = status
		return admin.Status().Update(w.ctx, full, client.DryRunAll)
	}
	if err := write(fullStatus(0, maxConditions)); err != nil {
		t.Errorf("the largest status that the operator may write is refused: %v", err)
	}
	err := write(fullStatus(1, maxConditions+1))
	for _, field := range []string{"status.user.login", "status.authorization.userCode", "status.authorization.verificationURI", "status.conditions"} {
		if !strings.Contains(errorText(err), field) {
			t.Errorf("more in %s is not refused, so that the bound is another one: %v", field, err)
		}
	}
}

func TestStatusTellsNothingThatTheSchemaRefuses(t *testing.T) {
	t.Parallel()
	within := map[string]func(*rotation.State, *rotation.DeviceAuthorization){
		"a login that is too long": func(s *rotation.State, _ *rotation.DeviceAuthorization) {
			s.User.Login = strings.Repeat("a", maxLogin+1)
		},
		"a login that is empty":     func(s *rotation.State, _ *rotation.DeviceAuthorization) { s.User.Login = "" },
		"a login that is no text":   func(s *rotation.State, _ *rotation.DeviceAuthorization) { s.User.Login = "\xff" },
		"an account without an id":  func(s *rotation.State, _ *rotation.DeviceAuthorization) { s.User.ID = 0 },
		"an account below all":      func(s *rotation.State, _ *rotation.DeviceAuthorization) { s.User.ID = -1 },
		"fewer refreshes than none": func(s *rotation.State, _ *rotation.DeviceAuthorization) { s.RefreshCount = -1 },
		"a code that is too long": func(_ *rotation.State, d *rotation.DeviceAuthorization) {
			d.UserCode = strings.Repeat("A", maxUserCode+1)
		},
		"a page that is too long": func(_ *rotation.State, d *rotation.DeviceAuthorization) {
			d.VerificationURI = strings.Repeat("a", maxPage+1)
		},
		"a code that is not there":   func(_ *rotation.State, d *rotation.DeviceAuthorization) { d.UserCode = "" },
		"all that is in order stays": func(*rotation.State, *rotation.DeviceAuthorization) {},
	}
	for what, edit := range within {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			s := stageScope()
			s.Pair.State.RefreshCount = 4
			device := &rotation.DeviceAuthorization{UserCode: "WDJB-MJHT", VerificationURI: "https://github.com/login/device", ExpiresAt: s.Now.Add(time.Minute)}
			edit(&s.Pair.State, device)
			var status v1alpha1.GitHubUserTokenStatus
			for i := range maxConditions - 1 {
				status.Conditions = append(status.Conditions, metav1.Condition{Type: fmt.Sprintf("Foreign%d", i)})
			}
			s.Token.Status = status
			told := statusOf(s, rotation.Decision{}, lifecycle.Result{Offered: device}, nil, nil)
			if user := told.User; user != nil && (user.Login == "" || len(user.Login) > maxLogin || strings.ToValidUTF8(user.Login, "") != user.Login || user.ID < 1) {
				t.Errorf("the account is %+v", user)
			}
			if code := told.Authorization; code != nil && (code.UserCode == "" || len(code.UserCode) > maxUserCode || len(code.VerificationURI) > maxPage) {
				t.Errorf("the code is %+v", code)
			}
			if told.RefreshCount < 0 || len(told.Conditions) > maxConditions {
				t.Errorf("%d refreshes and %d conditions", told.RefreshCount, len(told.Conditions))
			}
			if what == "all that is in order stays" && (told.User == nil || told.Authorization == nil || told.RefreshCount == 0) {
				t.Errorf("the status tells too little: %+v", told)
			}
			for _, kind := range []string{v1alpha1.ConditionReady, v1alpha1.ConditionAuthorized} {
				if !strings.Contains(describeAll(told.Conditions), kind) {
					t.Errorf("%s is missing", kind)
				}
			}
		})
	}
}
