package gitopstest

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
)

// stage is a moment in the life of a resource, and what others must make of it.
type stage struct {
	name string
	// kstatus is Current, InProgress, Failed or Terminating.
	kstatus string
	// argo is the health that the script finds; empty where Argo CD runs no script.
	argo string
	// argoSays is what its message must say.
	argoSays string
	resource *unstructured.Unstructured
}

var (
	received = metav1.NewTime(time.Date(2026, 3, 4, 0, 0, 0, 0, time.UTC))
	expires  = metav1.NewTime(time.Date(2026, 3, 4, 8, 0, 0, 0, time.UTC))
)

const humanNeeded = "GitHub refused the refresh token. Authorize the App again."

func stages(t *testing.T) []stage {
	t.Helper()
	return []stage{
		{
			name: "applied, and the operator has not seen it", kstatus: "InProgress", argo: "Progressing", argoSays: "Waiting",
			resource: resource(t, func(token *v1alpha1.GitHubUserToken) { token.Status.ObservedGeneration = -1 }),
		},
		{
			name: "the first exchange is under way", kstatus: "InProgress", argo: "Progressing", argoSays: "first",
			resource: resource(t, func(token *v1alpha1.GitHubUserToken) {
				is(token, v1alpha1.ConditionReady, "False", v1alpha1.ReasonPending, "The first exchange is under way.")
				is(token, v1alpha1.ConditionAuthorized, "Unknown", v1alpha1.ReasonNotYetExchanged, "Not tried yet.")
				is(token, v1alpha1.ConditionReconciling, "True", v1alpha1.ReasonExchanging, "Exchanging.")
			}),
		},
		{
			name: "ready", kstatus: "Current", argo: "Healthy", argoSays: "valid",
			resource: resource(t, ready),
		},
		{
			name: "the spec was changed and the operator has not seen it", kstatus: "InProgress", argo: "Progressing", argoSays: "latest",
			resource: resource(t, func(token *v1alpha1.GitHubUserToken) {
				ready(token)
				token.Generation++
			}),
		},
		{
			name: "a refresh is under way while the token works", kstatus: "InProgress", argo: "Healthy", argoSays: "valid",
			resource: resource(t, func(token *v1alpha1.GitHubUserToken) {
				ready(token)
				is(token, v1alpha1.ConditionReconciling, "True", v1alpha1.ReasonExchanging, "Exchanging.")
			}),
		},
		{
			name: "GitHub is down while the token works", kstatus: "InProgress", argo: "Healthy", argoSays: "valid",
			resource: resource(t, func(token *v1alpha1.GitHubUserToken) {
				ready(token)
				is(token, v1alpha1.ConditionReconciling, "True", v1alpha1.ReasonGitHubUnavailable, "The next try is at noon.")
			}),
		},
		{
			name: "the token never expires", kstatus: "Current", argo: "Healthy", argoSays: "never expires",
			resource: resource(t, func(token *v1alpha1.GitHubUserToken) {
				token.Status.LastRefreshTime = &received
				is(token, v1alpha1.ConditionReady, "True", v1alpha1.ReasonTokenDoesNotExpire, "The token never expires.")
				is(token, v1alpha1.ConditionAuthorized, "True", v1alpha1.ReasonNoRefreshToken, "None is needed.")
			}),
		},
		{
			name: "the refresh token was rejected while the access token works", kstatus: "Failed", argo: "Degraded",
			argoSays: humanNeeded + " The current token works until 2026-03-04T08:00:00Z.",
			resource: resource(t, func(token *v1alpha1.GitHubUserToken) {
				ready(token)
				rejected(token)
			}),
		},
		{
			name: "the refresh token was rejected and the access token has expired", kstatus: "Failed", argo: "Degraded", argoSays: humanNeeded,
			resource: resource(t, func(token *v1alpha1.GitHubUserToken) {
				ready(token)
				is(token, v1alpha1.ConditionReady, "False", v1alpha1.ReasonTokenExpired, "The token has expired.")
				rejected(token)
			}),
		},
		{
			name: "the token has expired while GitHub is down", kstatus: "InProgress", argo: "Degraded", argoSays: "has expired",
			resource: resource(t, func(token *v1alpha1.GitHubUserToken) {
				ready(token)
				is(token, v1alpha1.ConditionReady, "False", v1alpha1.ReasonTokenExpired, "The token has expired.")
				is(token, v1alpha1.ConditionReconciling, "True", v1alpha1.ReasonGitHubUnavailable, "The next try is at noon.")
			}),
		},
		{
			name: "suspended while the token works", kstatus: "Current", argo: "Suspended", argoSays: "works until 2026-03-04T08:00:00Z",
			resource: resource(t, func(token *v1alpha1.GitHubUserToken) {
				ready(token)
				token.Spec.Suspend = true
			}),
		},
		{
			name: "suspended before the first exchange", kstatus: "InProgress", argo: "Suspended", argoSays: "suspend",
			resource: resource(t, func(token *v1alpha1.GitHubUserToken) {
				token.Spec.Suspend = true
				is(token, v1alpha1.ConditionReady, "False", v1alpha1.ReasonSuspended, "spec.suspend stops the first exchange.")
				is(token, v1alpha1.ConditionAuthorized, "Unknown", v1alpha1.ReasonNotYetExchanged, "Not tried yet.")
			}),
		},
		{
			name: "stalled by its configuration before there is a token", kstatus: "Failed", argo: "Degraded", argoSays: "client secret",
			resource: resource(t, func(token *v1alpha1.GitHubUserToken) {
				is(token, v1alpha1.ConditionReady, "False", v1alpha1.ReasonClientSecretMissing, "There is no client secret.")
				is(token, v1alpha1.ConditionAuthorized, "Unknown", v1alpha1.ReasonNotYetExchanged, "Not tried yet.")
				is(token, v1alpha1.ConditionStalled, "True", v1alpha1.ReasonClientSecretMissing, "There is no client secret.")
			}),
		},
		{
			name: "stalled by its configuration while the token works", kstatus: "Failed", argo: "Degraded", argoSays: "works until",
			resource: resource(t, func(token *v1alpha1.GitHubUserToken) {
				ready(token)
				is(token, v1alpha1.ConditionStalled, "True", v1alpha1.ReasonIncorrectClientCredentials, "The client secret is wrong.")
			}),
		},
		{
			name: "a device code waits for a person", kstatus: "InProgress", argo: "Suspended", argoSays: "WDJB-MJHT",
			resource: resource(t, func(token *v1alpha1.GitHubUserToken) {
				token.Status.Authorization = &v1alpha1.Authorization{
					UserCode: "WDJB-MJHT", VerificationURI: "https://github.com/login/device", ExpirationTime: expires,
				}
				is(token, v1alpha1.ConditionReady, "False", v1alpha1.ReasonAuthorizationPending, "Enter WDJB-MJHT at GitHub.")
				is(token, v1alpha1.ConditionAuthorized, "False", v1alpha1.ReasonAuthorizationPending, "Enter WDJB-MJHT at GitHub.")
				is(token, v1alpha1.ConditionReconciling, "True", v1alpha1.ReasonAuthorizationPending, "Enter WDJB-MJHT at GitHub.")
			}),
		},
		{
			name: "it is being deleted", kstatus: "Terminating",
			resource: resource(t, func(token *v1alpha1.GitHubUserToken) {
				ready(token)
				token.DeletionTimestamp = &expires
			}),
		},
	}
}

func ready(token *v1alpha1.GitHubUserToken) {
	token.Status.LastRefreshTime, token.Status.AccessTokenExpirationTime = &received, &expires
	is(token, v1alpha1.ConditionReady, "True", v1alpha1.ReasonTokenValid, "The token is valid.")
	is(token, v1alpha1.ConditionAuthorized, "True", v1alpha1.ReasonRefreshTokenValid, "The refresh token is good.")
}

func rejected(token *v1alpha1.GitHubUserToken) {
	is(token, v1alpha1.ConditionAuthorized, "False", v1alpha1.ReasonRefreshTokenRejected, humanNeeded)
	is(token, v1alpha1.ConditionStalled, "True", v1alpha1.ReasonRefreshTokenRejected, humanNeeded)
}

// is sets a condition, in the place of one of the same type.
func is(token *v1alpha1.GitHubUserToken, conditionType string, status metav1.ConditionStatus, reason, message string) {
	condition := metav1.Condition{
		Type: conditionType, Status: status, Reason: reason, Message: message,
		ObservedGeneration: token.Generation, LastTransitionTime: received,
	}
	for i := range token.Status.Conditions {
		if token.Status.Conditions[i].Type == conditionType {
			token.Status.Conditions[i] = condition
			return
		}
	}
	token.Status.Conditions = append(token.Status.Conditions, condition)
}

// resource is a resource as the API server sends it, after a change.
func resource(t *testing.T, change func(*v1alpha1.GitHubUserToken)) *unstructured.Unstructured {
	t.Helper()
	token := &v1alpha1.GitHubUserToken{
		TypeMeta:   metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: "GitHubUserToken"},
		ObjectMeta: metav1.ObjectMeta{Namespace: "team-a", Name: "octocat", Generation: 3},
		Spec:       v1alpha1.GitHubUserTokenSpec{App: v1alpha1.App{ClientID: "Iv23liEXAMPLE"}},
		Status:     v1alpha1.GitHubUserTokenStatus{ObservedGeneration: 3},
	}
	change(token)
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(token)
	if err != nil {
		t.Fatal(err)
	}
	return &unstructured.Unstructured{Object: content}
}
