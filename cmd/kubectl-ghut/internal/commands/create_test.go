package commands

import (
	"errors"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/cmd/kubectl-ghut/internal/cluster"
)

func TestLoginMakesNoResourceForAnAppThatIsNotThere(t *testing.T) {
	for app, says := range map[string]string{
		"githubapp/bots":        "error: there is no GitHubApp bots in namespace team-a, so nothing was made. Make the App first, or name another with --app",
		"clustergithubapp/bots": "error: there is no ClusterGitHubApp bots, so nothing was made.",
	} {
		w := newWorld(t)
		if code := w.run("login", "octocat", "--create", "--app", app); code != 1 {
			t.Errorf("%s: it exits with %d", app, code)
		}
		w.contains(w.err.String(), says)
		var left v1alpha1.GitHubUserTokenList
		if err := w.client.List(t.Context(), &left); err != nil || len(left.Items) > 0 {
			t.Errorf("%s: it has left %d resources: %v", app, len(left.Items), err)
		}
	}
}

// Whoever may not read the App is told by the operator that it cannot be used, and by the command what that leaves.
func TestLoginThatComesToNothingSaysWhatItHasMade(t *testing.T) {
	w := newWorld(t)
	w.failing = func(object client.Object) error {
		if _, isApp := object.(*v1alpha1.ClusterGitHubApp); isApp {
			return apierrors.NewForbidden(schema.GroupResource{Group: "githubusertoken.dev", Resource: "clustergithubapps"}, "bots", errors.New(`cannot get resource "clustergithubapps"`))
		}
		return nil
	}
	w.pass = func() {
		token := w.token("octocat")
		token.Status.Conditions = []metav1.Condition{
			condition("Ready", "False", "AppNotUsable"), condition("Authorized", "Unknown", "AppNotUsable"), condition("Stalled", "True", "AppNotUsable"),
		}
		w.report(token)
	}
	args := []string{"login", "octocat", "--create", "--app", "clustergithubapp/bots"}
	if code := w.run(args...); code != 3 {
		t.Errorf("it exits with %d", code)
	}
	const left = "error: message of AppNotUsable. The GitHubUserToken octocat was made for this login, and is left. To remove it: kubectl delete ghut octocat -n team-a\n"
	w.contains(w.err.String(), left)
	// One that was there before is nothing that the command has left.
	w.err.Reset()
	if code := w.run(args...); code != 3 || w.err.String() != "error: message of AppNotUsable\n" {
		t.Errorf("it exits with %d: %s", code, w.err.String())
	}
}

func TestLoginThatIsEndedEarlySaysWhatItHasMade(t *testing.T) {
	const left = "The GitHubUserToken octocat was made for this login, and is left. To remove it: kubectl delete ghut octocat -n team-a\n"
	w := newWorld(t)
	if code := w.run("login", "octocat", "--create", "--app", "Iv23liEXAMPLE", "--timeout", "1ms"); code == 0 {
		t.Error("it exits with 0")
	}
	w.contains(w.err.String(), "it has taken longer than --timeout, 1ms. ", left)
	// One that is not made by this command is not its to remove.
	w.err.Reset()
	w.run("login", "octocat", "--create", "--app", "Iv23liEXAMPLE", "--timeout", "1ms")
	if text := w.err.String(); strings.Contains(text, "is left") {
		t.Errorf("it says %s", text)
	}
}

func TestLoginByTheWebFlowNamesTheDeviceFlowOnlyWhereTheResourceHasIt(t *testing.T) {
	both, web := resource(), resource()
	web.Spec.Login.Methods = []v1alpha1.LoginMethod{v1alpha1.LoginMethodWebFlow}
	for token, want := range map[*v1alpha1.GitHubUserToken]string{both: ", or kubectl ghut login octocat -n team-a --device", web: ""} {
		w := newWorld(t, token)
		task := &task{environment: w.env, Cluster: &cluster.Cluster{Namespace: "team-a"}, name: "octocat", token: token}
		if got := task.orByCode(); got != want {
			t.Errorf("of %v it says %q", token.Spec.Login.Methods, got)
		}
	}
}

// What was forgotten is said before somebody has to undo anything, by the name of the flag.
func TestLoginSaysAtWhichGitHubTheAppIsAndWhichFlagIsMissing(t *testing.T) {
	for says, args := range map[string][]string{
		"for an App at github.com (--host names another)": {"--app", "Iv23liEXAMPLE"},
		"for an App at octocorp.ghe.com.":                 {"--app", "Iv23liEXAMPLE", "--host", "octocorp.ghe.com"},
		"name the Secret that has it by --client-secret":  {"--app", "Iv23liEXAMPLE", "--link"},
	} {
		w := newWorld(t)
		w.run(append([]string{"login", "octocat", "--create", "--timeout", "1ms"}, args...)...)
		w.contains(w.err.String(), says)
	}
	w := newWorld(t)
	w.run("login", "octocat", "--create", "--app", "Iv23liEXAMPLE", "--web", "--timeout", "1ms")
	var left v1alpha1.GitHubUserTokenList
	if err := w.client.List(t.Context(), &left); err != nil || len(left.Items) > 0 {
		t.Errorf("without the flag it has made %d resources: %v", len(left.Items), err)
	}
}
