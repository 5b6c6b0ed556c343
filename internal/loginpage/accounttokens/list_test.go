package accounttokens

import (
	"context"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
)

// server answers with as many resources of a size as it is asked for.
type server struct {
	client.Reader

	size   int
	limits []int64
}

func (s *server) List(_ context.Context, into client.ObjectList, options ...client.ListOption) error {
	asked := client.ListOptions{}
	asked.ApplyOptions(options)
	s.limits = append(s.limits, asked.Limit)
	list := into.(*v1alpha1.GitHubUserTokenList)
	for range asked.Limit {
		token := v1alpha1.GitHubUserToken{ObjectMeta: metav1.ObjectMeta{Namespace: "a", Name: "b", Annotations: map[string]string{"x": strings.Repeat("x", s.size)}}}
		token.Status.Login = &v1alpha1.LoginReport{Account: "github.com/1"}
		list.Items = append(list.Items, token)
	}
	list.Continue = "on"
	return nil
}

// After large resources fewer are asked for at once, so that what tenants write does not take the memory of the page.
func TestMyTokensAreReadInSmallerPartsWhereTheyAreLarge(t *testing.T) {
	for name, c := range map[string]struct {
		size int
		want int64
	}{"small": {100, maxPart}, "of 200 KB": {200 << 10, 5}, "of a megabyte": {1 << 20, 1}} {
		s := &server{size: c.size}
		found, err := List(t.Context(), s, "github.com/1", Place{Namespace: "a"}, func(token *v1alpha1.GitHubUserToken) string { return token.Name })
		if err != nil || found.Next != "on" || len(found.Groups) != 1 || found.Groups[0].Tokens[0] != "b" {
			t.Fatalf("%s: %v, %+v", name, err, found)
		}
		if s.limits[0] != firstPart || s.limits[len(s.limits)-1] != c.want {
			t.Errorf("%s: it asks for %d", name, s.limits)
		}
	}
}
