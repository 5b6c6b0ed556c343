package controllers

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
)

const consumersDoc = "../docs/consumers.md"

var yamlBlock = regexp.MustCompile("(?s)```yaml\n(.*?)```")

// atHost has a resource use a stand-in for github.com, at an address. Outputs that name github.com name that one then: no
// output may offer one GitHub's token to another.
func atHost(token *v1alpha1.GitHubUserToken, host string) {
	token.Spec.App.Host = host
	for i := range token.Spec.Outputs {
		output := &token.Spec.Outputs[i]
		output.URL = strings.Replace(output.URL, "//github.com/", "//"+host+"/", 1)
		if output.Host == "api.github.com" {
			output.Host = host
		}
		if output.Format == v1alpha1.OutputFormatDockerConfigJSON && output.Registry == "" {
			output.Registry = "registry.example.com" // An address has no registry of its own.
		}
	}
}

// TestDocsExamplesForConsumersWork applies the examples of docs/consumers.md: the outputs for real, and what
// reads them as pods, with the API server's own validation.
func TestDocsExamplesForConsumersWork(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{controller: func(options *Options) { options.EnableHandoff = true }})
	text, err := os.ReadFile(consumersDoc)
	w.must(err)
	token := w.resource("octocat")
	var readers []map[string]any
	var referred []string
	var argo *v1alpha1.GitHubUserToken
	for _, block := range yamlBlock.FindAllStringSubmatch(string(text), -1) {
		var content map[string]any
		w.must(yaml.UnmarshalStrict([]byte(block[1]), &content))
		switch {
		case content["kind"] == "GitHubUserToken":
			argo = &v1alpha1.GitHubUserToken{}
			w.must(yaml.UnmarshalStrict([]byte(block[1]), argo))
		case content["kind"] != nil: // Flux's, whose CRD is not here.
			name, _, err := unstructured.NestedString(content, "spec", "secretRef", "name")
			w.must(err)
			referred = append(referred, name)
		case content["rotation"] != nil:
			patch, err := yaml.YAMLToJSON([]byte(block[1]))
			w.must(err)
			turns, err := w.apply("turns", string(patch))
			w.must(err)
			if !turns.IsAlternating() {
				t.Error("the example of two authorizations in turn has another strategy")
			}
		case content["outputs"] != nil, content["handoff"] != nil:
			var spec struct {
				Outputs []v1alpha1.Output `json:"outputs"`
				Handoff *v1alpha1.Handoff `json:"handoff"`
			}
			w.must(yaml.UnmarshalStrict([]byte(block[1]), &spec))
			token.Spec.Outputs = append(token.Spec.Outputs, spec.Outputs...)
			if spec.Handoff != nil {
				token.Spec.Handoff = spec.Handoff
			}
		default:
			readers = append(readers, content)
		}
	}
	atHost(token, w.site.Host)
	w.permitHandoff()
	w.seed("octocat", "octocat")
	w.create(token)
	pair := w.ready("octocat")

	formats := map[v1alpha1.OutputFormat]bool{}
	names := []string{"octocat-token"}
	for _, output := range token.Spec.Outputs {
		secret := w.output(output.Name, access(pair))
		formats[output.Format] = true
		names = append(names, output.Name)
		for key := range secret.Data {
			row := regexp.MustCompile("(?m)^\\| `" + string(output.Format) + "` .*`" + regexp.QuoteMeta(key) + "`.*$")
			if !row.Match(text) {
				t.Errorf("the table does not name the key %s of the format %s", key, output.Format)
			}
		}
	}
	for _, format := range allFormats("") {
		if !formats[format.Format] {
			t.Errorf("there is no example for the format %s", format.Format)
		}
	}

	for i, reader := range readers {
		if _, whole := reader["containers"]; !whole {
			reader["containers"] = []any{map[string]any{"name": "main", "image": "none"}}
		}
		reader["automountServiceAccountToken"] = false
		pod := &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": "v1", "kind": "Pod",
			"metadata": map[string]any{"namespace": w.namespace, "name": fmt.Sprintf("reader-%d", i)},
			"spec":     reader,
		}}
		w.eventually(fmt.Sprintf("example %d to be a pod", i), func() (bool, string) { // once there is a service account
			err := admin.Create(w.ctx, pod.DeepCopy(), client.DryRunAll, client.FieldValidation("Strict"))
			return err == nil, fmt.Sprint(err)
		})
		var typed corev1.PodSpec
		body, err := yaml.Marshal(reader)
		w.must(err)
		w.must(yaml.UnmarshalStrict(body, &typed))
		for _, volume := range typed.Volumes {
			referred = append(referred, volume.Secret.SecretName)
		}
		for _, reference := range typed.ImagePullSecrets {
			referred = append(referred, reference.Name)
		}
	}
	for _, name := range referred {
		if !slices.Contains(names, name) {
			t.Errorf("an example reads Secret %s, which no example makes", name)
		}
	}
	if len(readers) < 5 {
		t.Errorf("only %d examples read a Secret", len(readers))
	}

	if argo == nil {
		t.Fatal("there is no example for Argo CD")
	}
	argo.Namespace, argo.Name = w.namespace, "argo"
	atHost(argo, w.site.Host)
	argo.Spec.RefreshTokenRef.Name, argo.Spec.Secret.Name = "argo-seed", "argo-token"
	argo.Spec.App.ClientID = clientID
	w.seed("argo", "argo")
	w.create(argo)
	pair = w.ready("argo")
	for _, output := range argo.Spec.Outputs {
		secret := w.output(output.Name, access(pair))
		if secret.Labels["argocd.argoproj.io/secret-type"] == "" || !strings.HasPrefix(string(secret.Data["url"]), "https://") {
			t.Errorf("Argo CD does not find %s", secret.Name)
		}
	}
}
