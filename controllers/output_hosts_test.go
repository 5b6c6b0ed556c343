package controllers

import (
	"encoding/json"
	"net"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/github"
)

// enterprise starts an operator that may use the stand-in under a name, as an Enterprise Server has one.
func enterprise(t *testing.T) (w *world, host string) {
	t.Helper()
	w = newWorld(t, worldOptions{noOperator: true})
	_, port, err := net.SplitHostPort(w.site.Host)
	w.must(err)
	host = net.JoinHostPort("localhost", port)
	w.options.client = func(o *github.Options) { o.AllowedHosts = append(o.AllowedHosts, host) }
	w.startOperator(w.options)
	return w, host
}

// registries are those that a Secret for imagePullSecrets has credentials for.
func (w *world) registries(name string) []string {
	w.t.Helper()
	var config struct {
		Auths map[string]json.RawMessage
	}
	w.must(json.Unmarshal(w.pair(name).Data[corev1.DockerConfigJsonKey], &config))
	var names []string
	for registry := range config.Auths {
		names = append(names, registry)
	}
	return names
}

func TestOutputTokenOfAnEnterpriseIsForItsOwnRegistry(t *testing.T) {
	t.Parallel()
	w, host := enterprise(t)
	w.seed("octocat", "octocat")
	token := w.resource("octocat")
	token.Spec.App.Host = host
	token.Spec.Outputs = []v1alpha1.Output{{Name: "pull", Format: v1alpha1.OutputFormatDockerConfigJSON}}
	w.create(token)
	pair := w.ready("octocat")
	w.output("pull", access(pair))
	if got := w.registries("pull"); len(got) != 1 || got[0] != "containers."+host {
		t.Errorf("the output is for %v", got)
	}
	w.quiet()
}

func TestOutputTokenOfAnEnterpriseIsNotOfferedToGitHub(t *testing.T) {
	t.Parallel()
	for name, output := range map[string]v1alpha1.Output{
		"its registry":             {Format: v1alpha1.OutputFormatDockerConfigJSON, Registry: "ghcr.io"},
		"its host":                 {Format: v1alpha1.OutputFormatGitCredentials, Host: "github.com"},
		"its API":                  {Format: v1alpha1.OutputFormatNetrc, Host: "api.github.com"},
		"one of its repositories":  {Format: v1alpha1.OutputFormatBasicAuth, URL: "https://github.com/octocat/app"},
		"one of another residency": {Format: v1alpha1.OutputFormatGitHubCLI, Host: "octocorp.ghe.com"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, host := enterprise(t)
			w.seed("octocat", "octocat")
			token := w.resource("octocat")
			token.Spec.App.Host = host
			output.Name = "out"
			token.Spec.Outputs = []v1alpha1.Output{output}
			w.create(token)
			w.ready("octocat")
			stalled := w.condition("octocat", v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonOutputInvalid)
			if !strings.Contains(stalled.Message, "must not be shown a token of "+host) {
				t.Errorf("the message does not say why: %s", stalled.Message)
			}
			w.absent("out")
			w.quiet()
		})
	}
}

// An address has no subdomains, so that nobody knows where its registry is.
func TestOutputRegistryOfAnAddressHasToBeNamed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	w.seed("octocat", "octocat")
	token := w.resource("octocat")
	token.Spec.Outputs = []v1alpha1.Output{{Name: "pull", Format: v1alpha1.OutputFormatDockerConfigJSON}}
	w.create(token)
	pair := w.ready("octocat")
	stalled := w.condition("octocat", v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonOutputInvalid)
	if !strings.Contains(stalled.Message, "set registry") {
		t.Errorf("the message does not say what to do: %s", stalled.Message)
	}
	w.absent("pull")
	w.change("octocat", func(token *v1alpha1.GitHubUserToken) { token.Spec.Outputs[0].Registry = "registry.example.com" })
	w.output("pull", access(pair))
	w.quiet()
}
