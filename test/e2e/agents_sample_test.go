//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
)

// agentKind is a Deployment of the sample that works in one of the ways in which an agent can have the token.
type agentKind struct {
	name, client string
	pods         int
	// command is the container's, unless the sample's stays, and args are what comes after.
	command, args []string
	// slower is how many times as long as usual the pause between two calls is.
	slower     int
	account    string
	git        bool
	triesAgain bool
}

// applyAgents applies the sample, and waits until its pods run. It returns what grants the token and the Deployments that have it.
func applyAgents(t *testing.T) (*rbacv1.RoleBinding, []agentKind) {
	t.Helper()
	user := "https://" + githubHost + "/api/v3/user"
	repository := "https://" + githubHost + "/octocat/hello.git"
	kinds := []agentKind{
		{name: "agent", client: "ghut-token exec", args: []string{"agent", "environment", "GITHUB_TOKEN", user}, slower: 1},
		{name: "agent-git", client: "git by ghut-token credential", command: []string{"agent"}, args: []string{"git", repository}, slower: 4, git: true},
		{name: "agent-go", client: "the client in Go", command: []string{"agent"}, args: []string{"go", user}, slower: 1, triesAgain: true},
	}
	for i := range kinds {
		kinds[i].account, kinds[i].pods = "agent", (agents+len(kinds)-1-i)/len(kinds)
	}
	stranger := kinds[2]
	stranger.name, stranger.account, stranger.pods = "stranger", "stranger", 1
	binding := &rbacv1.RoleBinding{}
	deployment := &appsv1.Deployment{}
	for _, object := range sample(t) {
		var err error
		switch object.GetKind() {
		case "Deployment": // It is in several forms below.
			err = runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, deployment)
		case "RoleBinding":
			if err = runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, binding); err == nil {
				create(t, binding)
			}
		default:
			create(t, object)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		if t.Failed() {
			return // As of other tests' namespaces.
		}
		if _, err := kubectl(context.Background(), "delete", "namespace", agentsNamespace, "--timeout=3m"); err != nil {
			t.Error(err)
		}
	})
	for name, authority := range map[string]string{"token-server-authority": running.ControlPlane.AuthorityPath(), "github-ca": folder.Path("ca.crt")} {
		run(t, "-n", agentsNamespace, "create", "configmap", name, "--from-file=ca.crt="+authority)
	}
	create(t, &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: agentsNamespace, Name: "stranger"}})
	for _, kind := range slices.Concat(kinds, []agentKind{stranger}) {
		create(t, kind.of(deployment))
	}
	for _, kind := range kinds {
		run(t, "-n", agentsNamespace, "rollout", "status", "deployment/"+kind.name, "--timeout=5m")
	}
	return binding, kinds
}

// sample is the manifest for agents. What is changed in it is where GitHub is, which image, and that the namespace lets git come from the
// machine's /usr.
func sample(t *testing.T) []*unstructured.Unstructured {
	t.Helper()
	content, err := os.ReadFile(filepath.Join("..", "..", "config", "samples", "more", "agent.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	text := string(content)
	for _, change := range [][2]string{
		{"credential.https://github.com.helper", "credential.https://" + githubHost + ".helper"},
		{"image: registry.example.com/agent\n", "image: " + agentImage + "\n"},
		{"enforce: restricted", "enforce: privileged"},
	} {
		if strings.Count(text, change[0]) != 1 {
			t.Fatalf("the sample has %q %d times", change[0], strings.Count(text, change[0]))
		}
		text = strings.Replace(text, change[0], change[1], 1)
	}
	var objects []*unstructured.Unstructured
	for documents := utilyaml.NewYAMLOrJSONDecoder(bytes.NewReader([]byte(text)), 4096); ; {
		object := &unstructured.Unstructured{}
		err := documents.Decode(&object.Object)
		if errors.Is(err, io.EOF) {
			return objects
		}
		if err != nil {
			t.Fatal(err)
		}
		objects = append(objects, object)
	}
}

// of is the Deployment of the sample in this form: with names for what a cluster's DNS would find, the authority of the stand-in for
// GitHub, and what agents need to tell the test.
func (kind agentKind) of(sample *appsv1.Deployment) *appsv1.Deployment {
	made := sample.DeepCopy()
	labels, replicas, grace := map[string]string{"app": kind.name}, int32(kind.pods), int64(10)
	made.Name = kind.name
	made.Spec.Selector.MatchLabels, made.Spec.Template.Labels, made.Spec.Replicas = labels, labels, &replicas
	pod := &made.Spec.Template.Spec
	pod.ServiceAccountName, pod.TerminationGracePeriodSeconds = kind.account, &grace
	pod.HostAliases = []corev1.HostAlias{
		{IP: githubAddress, Hostnames: []string{githubHost}}, {IP: tokenServerAddress, Hostnames: []string{serverHost}},
	}
	pod.Volumes = append(pod.Volumes, corev1.Volume{Name: "ca", VolumeSource: corev1.VolumeSource{
		ConfigMap: &corev1.ConfigMapVolumeSource{LocalObjectReference: corev1.LocalObjectReference{Name: "github-ca"}},
	}})
	container := &pod.Containers[0]
	if kind.command != nil {
		container.Command = kind.command
	}
	container.Args, container.ImagePullPolicy = kind.args, corev1.PullNever
	container.Resources.Requests = corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("1m")}
	container.Env = append(container.Env,
		corev1.EnvVar{Name: "POD", ValueFrom: &corev1.EnvVarSource{FieldRef: &corev1.ObjectFieldSelector{FieldPath: "metadata.name"}}},
		corev1.EnvVar{Name: "COLLECTOR", Value: "http://" + collectorAddress + ":81"},
		// All pods together make about as many calls whether there are few or many of them: the machine is small.
		corev1.EnvVar{Name: "PAUSE", Value: (time.Duration(kind.slower*max(50, agents*10)) * time.Millisecond).String()},
		corev1.EnvVar{Name: "SSL_CERT_FILE", Value: "/ca/ca.crt"},
		corev1.EnvVar{Name: "GIT_SSL_CAINFO", Value: "/ca/ca.crt"},
	)
	container.VolumeMounts = append(container.VolumeMounts, corev1.VolumeMount{Name: "ca", MountPath: "/ca"})
	if kind.git {
		container.VolumeMounts = append(container.VolumeMounts, corev1.VolumeMount{Name: "usr", MountPath: "/usr", ReadOnly: true})
		pod.Volumes = append(pod.Volumes, corev1.Volume{Name: "usr", VolumeSource: corev1.VolumeSource{
			HostPath: &corev1.HostPathVolumeSource{Path: "/usr"},
		}})
	}
	return made
}
