package pairsecret

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// A webhook is shown the whole Secret, also by a write that was made from its metadata alone, as a fence is.
func TestAnErrorQuotesNoTokenThatOnlyTheAPIServerKnows(t *testing.T) {
	access, refresh := "ghu_"+strings.Repeat("q7W", 12), "ghr_"+strings.Repeat("Zx9", 25)
	known, _ := FromMetadata(&metav1.ObjectMeta{Namespace: "team-a", Name: "octocat-token"})
	quoted := map[string]string{"access_token": access, "refresh_token": base64.StdEncoding.EncodeToString([]byte(refresh))}
	refused := apierrors.NewForbidden(schema.GroupResource{Resource: "secrets"}, "octocat-token", fmt.Errorf("admission webhook denied %v", quoted))
	for name, pair := range map[string]*rotation.Pair{"from metadata": known, "of a read": nil} {
		text := explain("update", known.Ref, pair, refused).Error()
		for _, secret := range quoted {
			if strings.Contains(text, secret) {
				t.Errorf("%s: a token stands in the error", name)
			}
		}
		if !strings.Contains(text, "team-a/octocat-token") || !strings.Contains(text, "admission webhook denied") {
			t.Errorf("%s: the error does not say any more what is wrong: %s", name, text)
		}
	}
}
