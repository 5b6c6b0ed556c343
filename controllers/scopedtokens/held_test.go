package scopedtokens

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/credential"
)

// The token server gives out what an output holds for its readers, and nothing else of its Secret.
func TestScopedTokenThatAnOutputHolds(t *testing.T) {
	current, former := credential.NewAccessToken("ghu_current"), credential.NewAccessToken("ghu_former")
	expires := time.Date(2027, 2, 3, 12, 0, 0, 0, time.UTC)
	scope := &v1alpha1.OutputScope{Repositories: []v1alpha1.RepositoryName{"one"}}
	for name, c := range map[string]struct {
		change func(*corev1.Secret, *ledger, *v1alpha1.Output)
		holds  bool
	}{
		"what was made for it": {holds: true},
		"another scope by now": {change: func(_ *corev1.Secret, _ *ledger, o *v1alpha1.Output) {
			o.Scope = &v1alpha1.OutputScope{Repositories: []v1alpha1.RepositoryName{"two"}}
		}},
		"no scope by now": {change: func(_ *corev1.Secret, _ *ledger, o *v1alpha1.Output) { o.Scope = nil }},
		"none yet":        {change: func(_ *corev1.Secret, l *ledger, _ *v1alpha1.Output) { l.Current = nil }},
		"it was taken out": {change: func(s *corev1.Secret, _ *ledger, _ *v1alpha1.Output) {
			s.Data[v1alpha1.KeyScopedTokens] = []byte("ghu_mine\n")
		}},
		"another resource's": {change: func(s *corev1.Secret, _ *ledger, _ *v1alpha1.Output) { s.OwnerReferences[0].UID = "other" }},
		"nobody's":           {change: func(s *corev1.Secret, _ *ledger, _ *v1alpha1.Output) { s.OwnerReferences = nil }},
		"a pair": {change: func(s *corev1.Secret, _ *ledger, _ *v1alpha1.Output) {
			s.Labels[v1alpha1.LabelRole] = v1alpha1.RolePair
		}},
		"no marks": {change: func(s *corev1.Secret, _ *ledger, _ *v1alpha1.Output) { s.Labels = nil }},
		"it is being deleted": {change: func(s *corev1.Secret, _ *ledger, _ *v1alpha1.Output) {
			s.DeletionTimestamp = &metav1.Time{Time: expires}
		}},
		"the form is not known": {change: func(_ *corev1.Secret, l *ledger, _ *v1alpha1.Output) { l.Format++ }},
	} {
		t.Run(name, func(t *testing.T) {
			token := &v1alpha1.GitHubUserToken{ObjectMeta: metav1.ObjectMeta{Namespace: "team-a", Name: "octocat", UID: "uid"}}
			output := &v1alpha1.Output{Name: "agent", Scope: scope}
			l := &ledger{
				Current: &entry{Token: current.Fingerprint(), Parent: "parent", Scope: nameOf(scope), App: "github.com/Iv1", ExpiresAt: expires},
				Retired: []entry{{Token: former.Fingerprint()}},
			}
			secret := &corev1.Secret{
				ObjectMeta: metav1.ObjectMeta{
					Labels:          map[string]string{v1alpha1.LabelRole: v1alpha1.RoleOutput},
					OwnerReferences: []metav1.OwnerReference{{APIVersion: v1alpha1.GroupVersion.String(), Kind: "GitHubUserToken", Name: "octocat", UID: "uid", Controller: new(true)}},
				},
				Data: map[string][]byte{v1alpha1.KeyScopedTokens: []byte("ghu_former\nghu_current\n")},
			}
			if c.change != nil {
				c.change(secret, l, output)
			}
			secret.Annotations = map[string]string{v1alpha1.AnnotationScopedTokens: l.text()}
			if l.Format > 0 {
				secret.Annotations[v1alpha1.AnnotationScopedTokens] = `{"format":99}`
			}
			held, has := HeldBy(token, output, secret)
			if has != c.holds {
				t.Fatalf("it holds one: %t", has)
			}
			if want := (Held{Token: current, Parent: "parent", App: "github.com/Iv1", ExpiresAt: expires}); has && held != want {
				t.Errorf("got %+v", held)
			}
		})
	}
}
