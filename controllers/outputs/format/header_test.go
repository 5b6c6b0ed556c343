package format_test

import (
	"net/http"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/outputs/format"
)

func TestOutputHeaderIsTheWholeValueAndNothingBeside(t *testing.T) {
	for _, test := range []struct {
		name string
		spec v1alpha1.Output
		want map[string]string
	}{
		{"by default", v1alpha1.Output{}, map[string]string{"authorization": "Bearer " + accessToken}},
		{"for Envoy Gateway", v1alpha1.Output{Key: "credential"}, map[string]string{"credential": "Bearer " + accessToken}},
		{"by GitHub's older scheme", v1alpha1.Output{Prefix: "token"}, map[string]string{"authorization": "token " + accessToken}},
		{"with the header's name, for curl -H @FILE", v1alpha1.Output{Prefix: "Authorization: Bearer"},
			map[string]string{"authorization": "Authorization: Bearer " + accessToken}},
		{"a word that only begins like Basic", v1alpha1.Output{Prefix: "Basics"}, map[string]string{"authorization": "Basics " + accessToken}},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.spec.Format = v1alpha1.OutputFormatHeader
			rendered := render(t, test.spec, newPair(accessToken, refreshToken), format.Defaults{UserLogin: "octocat"})
			if rendered.Type != string(corev1.SecretTypeOpaque) {
				t.Errorf("type is %s", rendered.Type)
			}
			wantData(t, rendered, test.want)
		})
	}
}

// git's servers take Basic alone. A user name enters the content there and nowhere else.
func TestOutputHeaderOfTheSchemeBasicIsReadByServers(t *testing.T) {
	for _, test := range []struct{ prefix, username, want string }{
		{"Basic", "", "x-access-token"},
		{"basic", "octocat", "octocat"},
	} {
		spec := v1alpha1.Output{Format: v1alpha1.OutputFormatHeader, Prefix: test.prefix, Username: test.username}
		rendered := render(t, spec, newPair(accessToken, refreshToken), format.Defaults{UserLogin: "monalisa"})
		request := http.Request{Header: http.Header{"Authorization": {string(rendered.Data["authorization"])}}}
		if name, password, ok := request.BasicAuth(); !ok || name != test.want || password != accessToken {
			t.Errorf("%s: a server reads %t, the user name %q", test.prefix, ok, name)
		}
	}
	spec := v1alpha1.Output{Name: "out", Format: v1alpha1.OutputFormatHeader, Prefix: "Authorization: Basic"}
	before := format.Fingerprint(spec, newPair(accessToken, refreshToken), format.Defaults{})
	spec.Username = "octocat"
	if after := format.Fingerprint(spec, newPair(accessToken, refreshToken), format.Defaults{}); after == before {
		t.Error("another user name goes unnoticed")
	}
}
