package pairsecret

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
)

// Somebody may put any controller reference on a Secret. The state says whose the pair is.
func TestPairIsWhoseItsStateSays(t *testing.T) {
	ours := v1alpha1.GroupVersion.WithKind("GitHubUserToken")
	reference := func(name, uid string, kind schema.GroupVersionKind) []metav1.OwnerReference {
		return []metav1.OwnerReference{*metav1.NewControllerRef(&metav1.ObjectMeta{Name: name, UID: types.UID(uid)}, kind)}
	}
	for name, c := range map[string]struct {
		state              string
		owners             []metav1.OwnerReference
		controlled, orphan bool
	}{
		"its resource":                      {`{"owner":"u","ownerName":"octocat"}`, reference("octocat", "u", ours), true, false},
		"a former resource of its name":     {`{"owner":"u","ownerName":"octocat"}`, reference("octocat", "v", ours), true, false},
		"another resource":                  {`{"owner":"u","ownerName":"octocat"}`, reference("hubot", "h", ours), false, true},
		"something else":                    {`{"owner":"u","ownerName":"octocat"}`, reference("web", "w", schema.GroupVersionKind{Group: "apps", Version: "v1", Kind: "Deployment"}), false, true},
		"nobody":                            {`{"owner":"u","ownerName":"octocat"}`, nil, false, true},
		"a resource, and the state is lost": {"garbled", reference("hubot", "h", ours), true, false},
		"something else, without a state":   {"", reference("web", "w", schema.GroupVersionKind{Group: "apps", Version: "v1", Kind: "Deployment"}), false, false},
	} {
		t.Run(name, func(t *testing.T) {
			meta := &metav1.ObjectMeta{Namespace: "team-a", Name: "octocat-token", OwnerReferences: c.owners, Annotations: map[string]string{v1alpha1.AnnotationState: c.state}}
			pair, _ := FromMetadata(meta)
			if pair.Controlled != c.controlled || pair.Orphan != c.orphan || !pair.Controlled && pair.Owner.Name != "" {
				t.Errorf("controlled %t by %q, orphan %t", pair.Controlled, pair.Owner.Name, pair.Orphan)
			}
		})
	}
}
