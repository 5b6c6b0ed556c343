package alternates

import (
	"context"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
)

// shown is a cache of resources by name.
type shown struct {
	client.Reader

	tokens map[string]*v1alpha1.GitHubUserToken
}

func (s shown) Get(_ context.Context, key client.ObjectKey, into client.Object, _ ...client.GetOption) error {
	found := s.tokens[key.Name]
	if found == nil {
		return apierrors.NewNotFound(schema.GroupResource{}, key.Name)
	}
	found.DeepCopyInto(into.(*v1alpha1.GitHubUserToken))
	return nil
}

func TestOtherOfIsNewsToBoth(t *testing.T) {
	first := primary()
	second := &v1alpha1.GitHubUserToken{ObjectMeta: metav1.ObjectMeta{Namespace: "team-a", Name: "octocat-alternate", Annotations: map[string]string{v1alpha1.AnnotationAlternateOf: "uid"}}}
	plain := &v1alpha1.GitHubUserToken{ObjectMeta: metav1.ObjectMeta{Namespace: "team-a", Name: "octocat"}}
	named := &v1alpha1.GitHubUserToken{ObjectMeta: metav1.ObjectMeta{Namespace: "team-a", Name: "octocat-alternate"}}
	for name, c := range map[string]struct {
		tokens []*v1alpha1.GitHubUserToken
		of     string
		want   string
	}{
		"the first":                         {[]*v1alpha1.GitHubUserToken{first, second}, "octocat", "octocat-alternate"},
		"the second":                        {[]*v1alpha1.GitHubUserToken{first, second}, "octocat-alternate", "octocat"},
		"a first whose second is not there": {[]*v1alpha1.GitHubUserToken{first}, "octocat", ""},
		"one with the strategy Replace":     {[]*v1alpha1.GitHubUserToken{plain, named}, "octocat", ""},
		"one that merely has the name":      {[]*v1alpha1.GitHubUserToken{plain, named}, "octocat-alternate", ""},
	} {
		cache := shown{tokens: map[string]*v1alpha1.GitHubUserToken{}}
		for _, token := range c.tokens {
			cache.tokens[token.Name] = token
		}
		want := types.NamespacedName{}
		if c.want != "" {
			want = types.NamespacedName{Namespace: "team-a", Name: c.want}
		}
		if got := OtherOf(context.Background(), cache, types.NamespacedName{Namespace: "team-a", Name: c.of}); got != want {
			t.Errorf("%s: the other one is %s, want %s", name, got, want)
		}
	}
}
