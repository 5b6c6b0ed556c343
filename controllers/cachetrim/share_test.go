package cachetrim

import (
	"encoding/json"
	"testing"
	"unsafe"

	"k8s.io/apimachinery/pkg/api/equality"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
)

const written = `{"apiVersion":"githubusertoken.dev/v1alpha1","kind":"GitHubUserToken",
	"metadata":{"name":"octocat","namespace":"team-a","uid":"b971d3a5","resourceVersion":"354","finalizers":["githubusertoken.dev/pair-protection"]},
	"spec":{"app":{"host":"github.com","clientID":"Iv23li","ref":{"kind":"GitHubApp","name":"app"},"clientSecretRef":{"name":"github-app","key":"client_secret"}},
		"refreshTokenRef":{"name":"octocat-seed","key":"refresh_token"},"deletionPolicy":"Delete","secret":{"name":"octocat-token"},
		"outputs":[{"name":"octocat-git","format":"BasicAuth"}]},
	"status":{"secretName":"octocat-token","user":{"login":"octocat","id":1},"conditions":[
		{"type":"Ready","status":"True","reason":"TokenValid","message":"The access token works until 2026-11-30T12:28:29Z.","lastTransitionTime":"2026-11-30T04:28:29Z"},
		{"type":"Authorized","status":"True","reason":"RefreshTokenValid","message":"The refresh token is believed to be good.","lastTransitionTime":"2026-11-30T04:28:29Z"},
		{"type":"Other","status":"False","reason":"TokenValid","message":"The refresh token is believed to be good.","lastTransitionTime":"2026-11-30T04:28:29Z"}]}}`

func decoded(t *testing.T) *v1alpha1.GitHubUserToken {
	t.Helper()
	token := &v1alpha1.GitHubUserToken{}
	if err := json.Unmarshal([]byte(written), token); err != nil {
		t.Fatal(err)
	}
	return token
}

func TestCacheSharesTextsAndChangesNone(t *testing.T) {
	want, one, another := decoded(t), decoded(t), decoded(t)
	for range 2 {
		shareTexts(one)
		shareTexts(another)
		if !equality.Semantic.DeepEqual(one, want) {
			t.Fatalf("%+v\nwant %+v", one, want)
		}
	}
	same := func(what, a, b string) {
		t.Helper()
		if a == "" || unsafe.StringData(a) != unsafe.StringData(b) {
			t.Errorf("%s is there twice: %q, %q", what, a, b)
		}
	}
	texts := func(token *v1alpha1.GitHubUserToken) []string {
		return []string{
			token.Kind, token.APIVersion, token.Namespace, token.Finalizers[0], token.Spec.App.Host, token.Spec.App.ClientID,
			token.Spec.App.Ref.Kind, token.Spec.App.Ref.Name, token.Spec.App.ClientSecretRef.Name, token.Spec.App.ClientSecretRef.Key,
			token.Spec.RefreshTokenRef.Key, string(token.Spec.DeletionPolicy), string(token.Spec.Outputs[0].Format),
			token.Status.Conditions[0].Type, string(token.Status.Conditions[0].Status), token.Status.Conditions[0].Reason, token.Status.Conditions[1].Message,
		}
	}
	for i, text := range texts(one) {
		same("what two resources have in common", text, texts(another)[i])
	}
	same("the Secret's name", one.Spec.Secret.Name, one.Status.SecretName)
	same("the login", one.Name, one.Status.User.Login)
	if n := cap(one.Status.Conditions); n != 3 {
		t.Errorf("there is room for %d conditions", n)
	}
}
