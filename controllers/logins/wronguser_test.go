package logins

import (
	"fmt"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/runtime"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// told is the events of a test.
type told []string

func (e *told) Eventf(_, _ runtime.Object, kind, reason, _, note string, args ...any) {
	*e = append(*e, kind+" "+reason+": "+fmt.Sprintf(note, args...))
}

func TestWebLoginOfAnotherAccountIsToldByAnEventThatDoesNotNameIt(t *testing.T) {
	var events told
	token := &v1alpha1.GitHubUserToken{Spec: v1alpha1.GitHubUserTokenSpec{User: &v1alpha1.UserSelector{Login: "octocat"}}}
	Tell(&events, token, rotation.Result{Outcome: rotation.Committed})
	Tell(&events, token, rotation.Result{Outcome: rotation.WrongUser, Err: fmt.Errorf("%w: it is hubot (id 7)", rotation.ErrWrongUser)})
	if len(events) != 1 || !strings.HasPrefix(events[0], "Warning WrongUser: ") || strings.Contains(events[0], "hubot") || !strings.Contains(events[0], "Sign in to GitHub as octocat, or") {
		t.Errorf("the events are %q", events)
	}
}
