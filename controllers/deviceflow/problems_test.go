package deviceflow

import (
	"errors"
	"testing"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/github"
	"github.com/githubusertoken/github-user-token-operator/internal/problem"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

func TestDeviceFlowSentences(t *testing.T) {
	anybody, pinnedLogin, pinnedID, seeded := healthy().Token, healthy(), healthy(), healthy().Token
	pinned("octocat", 583231)(pinnedLogin)
	pinned("", 583231)(pinnedID)
	seeded.Spec.RefreshTokenRef = &v1alpha1.RefreshTokenReference{Name: "octocat-seed", Key: "refresh_token"}
	none, cause := &login{}, &login{cause: "There is no refresh token."}
	failed := &problem.Problem{Message: "GitHub is down."}
	for name, c := range map[string]struct {
		problem *problem.Problem
		want    problem.Problem
	}{
		"a code for anybody": {
			enterCode(anybody, offered(nil), none, nil, 0),
			problem.Problem{Reason: v1alpha1.ReasonAuthorizationPending, Unauthorized: true, Message: "Open https://github.com/login/device and enter the code WDJB-MJHT before 2026-03-04T02:15:00Z."},
		},
		"a code for a login, and why": {
			enterCode(pinnedLogin.Token, offered(nil), cause, nil, 0),
			problem.Problem{Reason: v1alpha1.ReasonAuthorizationPending, Unauthorized: true, Message: "Open https://github.com/login/device, signed in as octocat, and enter the code WDJB-MJHT before 2026-03-04T02:15:00Z. There is no refresh token."},
		},
		"a code for an id, and a poll that failed": {
			enterCode(pinnedID.Token, offered(nil), none, failed, 0),
			problem.Problem{Reason: v1alpha1.ReasonAuthorizationPending, Unauthorized: true, Message: "Open https://github.com/login/device, signed in as the account with the id 583231, and enter the code WDJB-MJHT before 2026-03-04T02:15:00Z. At present the operator cannot see whether this was done: GitHub is down."},
		},
		"before there is a code": {
			codeRequested(cause, 0),
			problem.Problem{Reason: v1alpha1.ReasonAuthorizationPending, Unauthorized: true, Message: "The operator is requesting a code from GitHub for a person to enter. There is no refresh token."},
		},
		"after the last code": {
			askForAnother(anybody, v1alpha1.ReasonAuthorizationExpired),
			problem.Problem{Reason: v1alpha1.ReasonAuthorizationExpired, Stalled: true, Unauthorized: true, Message: "Nobody entered a code at GitHub while codes were offered. To get another code, set the annotation githubusertoken.dev/refresh-requested-at to any new value."},
		},
		"after a refusal, where there may be a seed": {
			askForAnother(seeded, v1alpha1.ReasonAuthorizationDenied),
			problem.Problem{Reason: v1alpha1.ReasonAuthorizationDenied, Stalled: true, Unauthorized: true, Message: "The authorization was denied at GitHub. To get another code, set the annotation githubusertoken.dev/refresh-requested-at to any new value. Or put a new refresh token into key \"refresh_token\" of Secret \"octocat-seed\"."},
		},
		"an App without the device flow waits for its owner": {
			atGitHub(&github.Error{Reason: github.DeviceFlowDisabled, Host: "github.com"}),
			problem.Problem{Reason: v1alpha1.ReasonDeviceFlowDisabled, Stalled: true, Unauthorized: true, OfApp: true, Message: "github.com: the App has no device flow: enable it in the App's settings."},
		},
		"an outage": {
			atGitHub(&github.Error{Reason: github.ServerError, Host: "github.com"}),
			problem.Problem{Reason: v1alpha1.ReasonGitHubUnavailable, Message: "github.com: GitHub failed while it handled the request."},
		},
		"an error of nobody's": {
			atGitHub(errors.New("no answer")),
			problem.Problem{Reason: v1alpha1.ReasonGitHubUnavailable, Message: "No answer."},
		},
		"a namespace that is being deleted": {
			atStore(rotation.ErrTerminating),
			problem.Problem{Reason: v1alpha1.ReasonNamespaceTerminating, Message: "The namespace is being deleted, so nobody is asked to log in."},
		},
		"a write that the API server refused": {
			atStore(rotation.ErrDenied),
			problem.Problem{Reason: v1alpha1.ReasonAPIServerUnavailable, Message: "No code is shown, because it could not be stored first: the API server refused the write. " +
				"Whoever has set up what refuses that must let the operator write Secrets in this namespace; it is tried again."},
		},
	} {
		t.Run(name, func(t *testing.T) {
			if *c.problem != c.want {
				t.Errorf("got  %+v\nwant %+v", *c.problem, c.want)
			}
		})
	}
}
