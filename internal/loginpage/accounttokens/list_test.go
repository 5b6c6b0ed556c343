package accounttokens

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/boundedreply"
)

// server answers with as many resources of a size as it is asked for.
type server struct {
	client.Reader

	size   int
	limits []int64
	// later is the size of those after the first part, and most how much is read of an answer; none where they are 0.
	later, most int
}

func (s *server) List(_ context.Context, into client.ObjectList, options ...client.ListOption) error {
	asked := client.ListOptions{}
	asked.ApplyOptions(options)
	s.limits = append(s.limits, asked.Limit)
	list := into.(*v1alpha1.GitHubUserTokenList)
	size := s.size
	if s.later > 0 && len(s.limits) > 1 {
		size = s.later
	}
	if s.most > 0 && int(asked.Limit)*size > s.most {
		return fmt.Errorf("read: %w", boundedreply.ErrTooLarge)
	}
	for range asked.Limit {
		token := v1alpha1.GitHubUserToken{ObjectMeta: metav1.ObjectMeta{Namespace: "a", Name: "b", Annotations: map[string]string{"x": strings.Repeat("x", size)}}}
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

// Small resources before large ones have more asked for than is read. It is asked for again, and in the end one at a time.
func TestMyTokensAreReadInSmallerPartsWhereOneIsTooLarge(t *testing.T) {
	s := &server{size: 100, later: 1 << 20, most: 2 << 20}
	found, err := List(t.Context(), s, "github.com/1", Place{Namespace: "a"}, func(token *v1alpha1.GitHubUserToken) string { return token.Name })
	if err != nil || len(found.Groups) != 1 || len(found.Groups[0].Tokens) <= firstPart {
		t.Fatalf("%v, %+v", err, found)
	}
	if !slices.Equal(s.limits[:4], []int64{firstPart, 10, 2, 1}) || slices.Max(s.limits[3:]) != 1 {
		t.Errorf("it asks for %d", s.limits)
	}
	s = &server{size: 3 << 20, most: 2 << 20}
	if _, err := List(t.Context(), s, "github.com/1", Place{Namespace: "a"}, func(token *v1alpha1.GitHubUserToken) string { return token.Name }); err == nil || len(s.limits) > 3 {
		t.Errorf("of one that is not read it is said %v, after %d", err, s.limits)
	}
}
