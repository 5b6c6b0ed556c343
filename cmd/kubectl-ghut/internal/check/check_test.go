package check

import (
	"strings"
	"testing"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/cmd/kubectl-ghut/internal/installation"
)

var now = time.Date(2027, 2, 3, 12, 0, 0, 0, time.UTC)

func judged(t *testing.T, what string, finding Finding, want Verdict) {
	t.Helper()
	if finding.Verdict != want || finding.Says == "" {
		t.Errorf("%s: %+v, want %s", what, finding, want)
	}
}

func TestCheckKubernetes(t *testing.T) {
	for text, want := range map[string]Verdict{"v1.30.9": Fail, "v1.31.0": OK, "v1.37.1+k3s1": OK, "soon": Unknown} {
		judged(t, text, Kubernetes(text), want)
	}
}

func TestCheckDefinition(t *testing.T) {
	crd := &apiextensionsv1.CustomResourceDefinition{}
	crd.Spec.Versions = []apiextensionsv1.CustomResourceDefinitionVersion{{Name: "v1alpha1", Served: true}}
	judged(t, "not established", Definition(crd), Fail)
	crd.Status.Conditions = []apiextensionsv1.CustomResourceDefinitionCondition{{Type: apiextensionsv1.Established, Status: apiextensionsv1.ConditionTrue}}
	judged(t, "established", Definition(crd), OK)
	crd.Spec.Versions[0].Served = false
	judged(t, "not served", Definition(crd), Fail)
}

func TestCheckOperator(t *testing.T) {
	for what, c := range map[string]struct {
		d     installation.Deploy
		leads bool
		want  Verdict
	}{
		"at work":         {installation.Deploy{Wanted: 2, Available: 1, Version: "v1.0.0"}, true, OK},
		"another version": {installation.Deploy{Wanted: 2, Available: 2, Version: "v0.9.0"}, true, Note},
		"scaled down":     {installation.Deploy{Wanted: 0}, false, Fail},
		"not available":   {installation.Deploy{Wanted: 2}, false, Fail},
		"a process":       {installation.Deploy{Wanted: 2}, true, Note},
	} {
		judged(t, what, Operator(c.d, "v1.0.0", c.leads), c.want)
	}
	if says := Operator(installation.Deploy{Wanted: 2, Image: "controller:latest"}, "v1.0.0", true).Says; strings.Contains(says, "of 2") || strings.Contains(says, "controller") || !strings.Contains(says, "as a process elsewhere") {
		t.Errorf("of an operator that is no pod it says %q", says)
	}
}

func TestCheckLease(t *testing.T) {
	holder, seconds := "a-pod", int32(15)
	for what, c := range map[string]struct {
		renewed time.Duration
		holder  *string
		want    Verdict
	}{"held": {-5 * time.Second, &holder, OK}, "silent": {-time.Minute, &holder, Fail}, "free": {0, nil, Fail}} {
		lease := &coordinationv1.Lease{Spec: coordinationv1.LeaseSpec{
			HolderIdentity: c.holder, LeaseDurationSeconds: &seconds, RenewTime: &metav1.MicroTime{Time: now.Add(c.renewed)},
		}}
		judged(t, what, Lease(lease, now), c.want)
	}
}

func TestCheckHostsByWhatResourcesSay(t *testing.T) {
	token := func(host string, ago time.Duration, reason string) v1alpha1.GitHubUserToken {
		token := v1alpha1.GitHubUserToken{ObjectMeta: metav1.ObjectMeta{Namespace: "team-a", Name: "octocat"}}
		token.Spec.App.Host = host
		if ago > 0 {
			token.Status.LastRefreshTime = &metav1.Time{Time: now.Add(-ago)}
		}
		if reason != "" {
			token.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionReconciling, Status: metav1.ConditionTrue, Reason: reason, Message: "no way"}}
		}
		return token
	}
	findings := Hosts([]v1alpha1.GitHubUserToken{
		token("a", time.Hour, ""), token("a", 0, ""), token("b", time.Hour, v1alpha1.ReasonHostUnreachable), token("c", 48*time.Hour, ""), token("d", 0, v1alpha1.ReasonRateLimited),
	}, func(token *v1alpha1.GitHubUserToken) string { return token.Spec.App.Host }, now)
	want := map[string]Verdict{"host a": OK, "host b": Fail, "host c": Unknown, "host d": Unknown}
	if len(findings) != len(want) {
		t.Fatalf("found %+v", findings)
	}
	for _, finding := range findings {
		judged(t, finding.What, finding, want[finding.What])
	}
	if !Failed(findings) || Failed(nil) {
		t.Error("a failure is not told from none")
	}
}

// Each of several Deployments serves a part of the resources, and the lease of one says nothing of another.
func TestCheckOperatorIsAloneInItsNamespace(t *testing.T) {
	a, b, elsewhere := installation.Deploy{Namespace: "system", Name: "a"}, installation.Deploy{Namespace: "system", Name: "b"}, installation.Deploy{Namespace: "other", Name: "a"}
	if !isAlone([]installation.Deploy{a, elsewhere}, "system") || isAlone([]installation.Deploy{a, b, elsewhere}, "system") {
		t.Error("it is not told apart from several")
	}
}
