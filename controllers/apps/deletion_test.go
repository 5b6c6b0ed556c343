package apps

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/runtime"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/github"
)

// told are the events of a test.
type told []string

func (e *told) Eventf(_, _ runtime.Object, _, reason, _, note string, args ...any) {
	*e = append(*e, reason+": "+fmt.Sprintf(note, args...))
}

func TestAppDeletionPolicyIsJudgedByTheAppOfThePairAsWell(t *testing.T) {
	chain := github.App{Host: host, ClientID: clientID}.Key()
	only := func(policies ...v1alpha1.DeletionPolicy) v1alpha1.AppPolicy {
		return v1alpha1.AppPolicy{DeletionPolicies: policies}
	}
	for name, c := range map[string]struct {
		app    v1alpha1.App
		policy v1alpha1.AppPolicy
		chains []string
		wanted v1alpha1.DeletionPolicy
		want   v1alpha1.DeletionPolicy
	}{
		"the App itself forbids it":                      {toShared, only("Delete"), []string{chain}, "Retain", "Delete"},
		"the App of the pair forbids it":                 {inline(host, "Iv23liOTHER"), only("Delete"), []string{chain}, "Retain", "Delete"},
		"also to revoke":                                 {inline(host, "Iv23liOTHER"), only("Delete"), []string{chain}, "Revoke", "Delete"},
		"also of a second pair, and however it is spelt": {inline(host, "Iv23liOTHER"), only("Delete"), []string{"github.com/Iv23liMINE", strings.ToUpper(chain)}, "Retain", "Delete"},
		"neither forbids it":                             {inline(host, "Iv23liOTHER"), only("Retain", "Delete"), []string{chain}, "Retain", "Retain"},
		"there is no pair":                               {inline(host, "Iv23liOTHER"), only("Delete"), nil, "Retain", "Retain"},
		"what else it forbids does not matter":           {inline(host, "Iv23liOTHER"), v1alpha1.AppPolicy{User: v1alpha1.UserRequired}, []string{chain}, "Retain", "Retain"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStandIn()
			s.shared().Policy = c.policy
			token := resource("team-a", c.app)
			token.Spec.DeletionPolicy = c.wanted
			var events told
			permitted, err := Deletions{Resolver: s.resolver(), Events: &events}.Permitted(t.Context(), token, c.chains)
			if err != nil || permitted.Spec.DeletionPolicy != c.want {
				t.Fatalf("%s is carried out as %+v, %v", c.wanted, permitted, err)
			}
			if tells := len(events) == 1; tells != (c.want != c.wanted) || tells && !strings.Contains(events[0], "does not allow spec.deletionPolicy "+string(c.wanted)) {
				t.Errorf("the events are %q", events)
			}
			if token.Spec.DeletionPolicy != c.wanted {
				t.Error("the resource itself was changed")
			}
		})
	}
}

// Of several Apps with one host and client ID it takes one that allows the deletion policy.
func TestAppDeletionPolicyThatOneOfSeveralAllowsIsCarriedOut(t *testing.T) {
	s := newStandIn()
	s.shared().Policy = v1alpha1.AppPolicy{User: v1alpha1.UserRequired, DeletionPolicies: []v1alpha1.DeletionPolicy{"Delete"}}
	second := s.offered["shared"].DeepCopy()
	second.Name, second.Spec.Policy.DeletionPolicies = "second", []v1alpha1.DeletionPolicy{"Retain"}
	s.offered["second"] = second
	token := resource("team-a", inline(host, "Iv23liOTHER"))
	token.Spec.DeletionPolicy = v1alpha1.DeletionPolicyRetain
	deletions := Deletions{Resolver: s.resolver(), Events: &told{}}
	chains := []string{github.App{Host: host, ClientID: clientID}.Key()}
	for range 10 { // Their order is by chance.
		permitted, err := deletions.Permitted(t.Context(), token, chains)
		if err != nil || permitted != token {
			t.Fatalf("got %+v, %v", permitted, err)
		}
	}
	s.err = errors.New("the cache is not there")
	if _, err := deletions.Permitted(t.Context(), token, chains); !errors.Is(err, s.err) {
		t.Errorf("got the error %v", err)
	}
}
