package test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
)

// accessToken is the access token in a Secret, as the administrator reads it.
func accessToken(t *testing.T, ns, name string) string {
	t.Helper()
	var secret corev1.Secret
	if err := json.Unmarshal([]byte(kubectl(t, "get", "secret", name, "-n", ns, "-o", "json")), &secret); err != nil {
		t.Fatal(err)
	}
	return string(secret.Data[v1alpha1.KeyAccessToken])
}

func TestPluginSteersAResource(t *testing.T) {
	t.Parallel()
	ns := namespace(t, "steer")
	seeded(t, ns, "mojombo")
	before := accessToken(t, ns, "mojombo-token")

	contains(t, ghut(t, limited, 0, "refresh", "mojombo", "-n", ns, "--wait"), "mojombo has a new token", "(in 7h 5")
	if now := accessToken(t, ns, "mojombo-token"); now == before || !aliveAtGitHub(t, now) || aliveAtGitHub(t, before) {
		t.Error("the token of before was not replaced")
	}

	contains(t, ghut(t, limited, 0, "hold", "mojombo", "-n", ns, "--for", "2h"), "No refresh of mojombo before")
	held, err := time.Parse(time.RFC3339, get(t, ns, "mojombo").Annotations[v1alpha1.AnnotationHoldUntil])
	if err != nil || time.Until(held) < time.Hour {
		t.Errorf("it is held until %s (%v)", held, err)
	}
	contains(t, ghut(t, viewer, 0, "status", "mojombo", "-n", ns), "A refresh is put off until")
	contains(t, ghut(t, limited, 0, "hold", "mojombo", "-n", ns, "--for", "20h"), "refreshed shortly before that all the same")
	contains(t, ghut(t, limited, 1, "hold", "mojombo", "-n", ns), "say one of --for, --until and --release")
	contains(t, ghut(t, limited, 1, "hold", "mojombo", "-n", ns, "--until", "2020-01-01T00:00:00Z"), "is over already")
	ghut(t, limited, 0, "hold", "mojombo", "-n", ns, "--release")
	if _, held := get(t, ns, "mojombo").Annotations[v1alpha1.AnnotationHoldUntil]; held {
		t.Error("it is still held")
	}

	ghut(t, limited, 0, "suspend", "mojombo", "-n", ns)
	if !get(t, ns, "mojombo").Spec.Suspend {
		t.Error("it is not suspended")
	}
	contains(t, ghut(t, limited, 2, "refresh", "mojombo", "-n", ns), "kubectl ghut resume mojombo -n steer")
	contains(t, ghut(t, viewer, 0, "status", "mojombo", "-n", ns), "It is suspended")
	contains(t, ghut(t, limited, 0, "resume", "mojombo", "-n", ns), "mojombo is not suspended any more. Its token is refreshed when it is due.")
	contains(t, ghut(t, limited, 0, "resume", "mojombo", "-n", ns), "mojombo was not suspended. Its token is refreshed when it is due.")
	if get(t, ns, "mojombo").Spec.Suspend {
		t.Error("it is still suspended")
	}

	contains(t, ghut(t, limited, 1, "adopt", "mojombo", "-n", ns), "has no pair that is to be vouched for")
	contains(t, ghut(t, viewer, 1, "suspend", "mojombo", "-n", ns), `you may not patch githubusertokens (API group "githubusertoken.dev") in namespace steer`)
}

func TestPluginRevokesAndLogsOut(t *testing.T) {
	t.Parallel()
	ns := namespace(t, "leave")
	seeded(t, ns, "leaver")
	token := accessToken(t, ns, "leaver-token")

	refused := begin(t, limited, "somebody\n", "logout", "leaver", "-n", ns)
	if code := refused.exit(); code != 1 || !aliveAtGitHub(t, token) {
		t.Errorf("without the name it exits with %d: %s", code, refused.err.String())
	}
	said := begin(t, limited, "leaver\n", "logout", "leaver", "-n", ns)
	if code := said.exit(); code != 0 {
		t.Fatalf("logout exits with %d: %s", code, said.err.String())
	}
	contains(t, said.out.String(), "leaver is deleted", "leaver was made anew, and is suspended. To log in again: kubectl ghut resume leaver -n leave, and put the refresh token of a new login into the Secret leaver-seed")
	if aliveAtGitHub(t, token) {
		t.Error("the token lives on")
	}
	again := until(t, ns, "leaver", "it is suspended", func(token *v1alpha1.GitHubUserToken) bool {
		return token.Spec.Suspend && len(token.Status.Conditions) > 0
	})
	if isReady(again) || again.Spec.Secret.Name != "leaver-token" || again.Spec.DeletionPolicy != v1alpha1.DeletionPolicyDelete {
		t.Errorf("it was made anew as %+v", again.Spec)
	}
	contains(t, ghut(t, viewer, 2, "status", "leaver", "-n", ns), "NeedsPerson (Suspended)", "kubectl ghut resume leaver -n leave")

	seeded(t, ns, "reporter")
	token = accessToken(t, ns, "reporter-token")
	contains(t, ghut(t, editor, 0, "revoke", "reporter", "-n", ns, "--yes"), "its tokens have ended at GitHub")
	if aliveAtGitHub(t, token) {
		t.Error("the token lives on")
	}
	if left := kubectl(t, "get", "ghut,secrets", "-n", ns, "-o", "name"); strings.Contains(left, "reporter-token") || strings.Contains(left, "/reporter\n") {
		t.Errorf("these are left: %s", left)
	}
}
