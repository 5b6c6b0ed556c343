package upgrade

import (
	"path/filepath"
	"strings"

	"k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/test/suite"
)

// scopedAcross has a resource of the former API get a scoped output after the upgrade, and then puts the former definitions back: they know no scoped
// outputs. What was asked to hold a token that can do less never holds the user's own.
func (w *world) scopedAcross(key client.ObjectKey) {
	w.t.Helper()
	const name = "agent-reads"
	output := func() *corev1.Secret {
		var secret corev1.Secret
		err := the.admin.Get(w.ctx, client.ObjectKey{Namespace: key.Namespace, Name: name}, &secret)
		if errors.IsNotFound(err) {
			return nil
		}
		w.must(err)
		return &secret
	}
	safe := func(step string) {
		w.t.Helper()
		for _, token := range []string{v1alpha1.KeyAccessToken, v1alpha1.KeyRefreshToken} {
			if secret := output(); secret != nil && holdsAny(secret, string(w.pair(key).Data[token])) {
				w.t.Errorf("%s: it holds the user's own %s", step, token)
			}
		}
	}
	w.change(key, func(token *v1alpha1.GitHubUserToken) {
		token.Spec.ScopedOutputs = []v1alpha1.ScopedOutput{{
			Output: v1alpha1.Output{Name: name, Format: v1alpha1.OutputFormatOpaque},
			Scope:  v1alpha1.OutputScope{Target: "octo-org", Permissions: map[string]v1alpha1.PermissionLevel{"contents": "read"}},
		}}
	})
	made := ""
	w.eventually("a scoped output of "+key.String(), func() (bool, string) {
		if secret := output(); secret != nil {
			made = string(secret.Data[v1alpha1.KeyAccessToken])
		}
		limits, limited := the.gh.RestrictionOf(made)
		return limited && limits.Scoped && the.gh.Alive(made), suite.Describe(w.get(key))
	})
	safe("after the upgrade")
	w.must(the.stage.Operator.Stop(w.ctx))
	w.must(the.stage.Operator.Start(w.ctx))
	w.ready(key)
	if secret := output(); secret == nil || string(secret.Data[v1alpha1.KeyAccessToken]) != made {
		w.t.Error("a start has changed the scoped output")
	}

	w.must(the.stage.Operator.Stop(w.ctx))
	w.must(the.stage.Plane.Apply(w.ctx, filepath.Join(the.stage.Root, "test/upgrade/testdata/crd")))
	w.eventually("the former definitions to be served", func() (bool, string) {
		return len(w.get(key).Spec.ScopedOutputs) == 0, "it has scoped outputs"
	})
	w.must(the.stage.Operator.Start(w.ctx))
	w.eventually("the scoped output to go", func() (bool, string) {
		safe("under the former definitions")
		return output() == nil && !the.gh.Alive(made), "it is there, or its token is alive"
	})
	if !meta.IsStatusConditionTrue(w.get(key).Status.Conditions, v1alpha1.ConditionReady) {
		w.t.Errorf("%s", suite.Describe(w.get(key)))
	}
}

func holdsAny(secret *corev1.Secret, token string) bool {
	for _, value := range secret.Data {
		if strings.Contains(string(value), token) {
			return true
		}
	}
	return false
}
