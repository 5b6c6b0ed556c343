package resourcemetrics

import (
	"fmt"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
)

func statusOfApp(credentials metav1.ConditionStatus, reason string) v1alpha1.GitHubAppStatus {
	return v1alpha1.GitHubAppStatus{Tokens: 3, Conditions: []metav1.Condition{
		{Type: v1alpha1.ConditionReady, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonUsable},
		{Type: v1alpha1.ConditionCredentialsValid, Status: credentials, Reason: reason},
		{Type: "Mine", Status: metav1.ConditionTrue, Reason: "Mine"},
	}}
}

// appObjects are an App of each kind.
func appObjects(like runtime.Object) []any {
	spec := v1alpha1.GitHubAppSpec{Host: "github.com", ClientID: "Iv23liEXAMPLE"}
	switch like.(type) {
	case *v1alpha1.GitHubApp:
		return []any{&v1alpha1.GitHubApp{
			ObjectMeta: metav1.ObjectMeta{Namespace: "team-a", Name: "mine"}, Spec: spec,
			Status: statusOfApp(metav1.ConditionFalse, "GhrSecret"),
		}}
	case *v1alpha1.ClusterGitHubApp:
		return []any{&v1alpha1.ClusterGitHubApp{
			ObjectMeta: metav1.ObjectMeta{Name: "platform"}, Spec: v1alpha1.ClusterGitHubAppSpec{GitHubAppSpec: spec},
			Status: statusOfApp(metav1.ConditionFalse, v1alpha1.ReasonIncorrectClientCredentials),
		}}
	}
	return nil
}

func TestAppMetricsTellOfEachApp(t *testing.T) {
	text, _ := written(t, Options{Objects: appObjects, App: inline, Leading: leading()})
	for _, app := range []struct{ of, reason string }{
		{`kind="GitHubApp",namespace="team-a",name="mine"`, otherReason},
		{`kind="ClusterGitHubApp",namespace="",name="platform"`, v1alpha1.ReasonIncorrectClientCredentials},
	} {
		for _, line := range []string{
			fmt.Sprintf(`githubusertoken_app_info{%s,host="github.com",client_id="Iv23liEXAMPLE"} 1`, app.of),
			fmt.Sprintf(`githubusertoken_app_condition{%s,type="Ready",status="True",reason="Usable"} 1`, app.of),
			fmt.Sprintf(`githubusertoken_app_condition{%s,type="CredentialsValid",status="False",reason=%q} 1`, app.of, app.reason),
			fmt.Sprintf(`githubusertoken_app_tokens{%s} 3`, app.of),
		} {
			if !strings.Contains(text, line+"\n") {
				t.Errorf("this is not written: %s", line)
			}
		}
	}
	if strings.Contains(text, "Mine") || strings.Contains(text, "GhrSecret") {
		t.Error("an invented condition or reason has series")
	}
	if problems, err := promlint.New(strings.NewReader(text)).Lint(); err != nil || len(problems) > 0 {
		t.Errorf("the conventions of Prometheus: %v %v", problems, err)
	}
}

// Without series for each resource, those of Apps that tenants make are not told either.
func TestAppMetricsOfTenantsAreNotAggregated(t *testing.T) {
	text, _ := written(t, Options{Objects: appObjects, App: inline, Leading: leading(), Aggregate: true})
	if strings.Contains(text, "mine") || !strings.Contains(text, `githubusertoken_app_condition{kind="ClusterGitHubApp",namespace="",name="platform",type="Ready"`) {
		t.Error(text)
	}
}
