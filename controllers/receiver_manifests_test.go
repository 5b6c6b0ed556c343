package controllers

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"
)

// GitHub's deliveries get through: the flag, the container's port, the Service and the NetworkPolicy agree.
func TestReceiverPortIsTheSameEverywhere(t *testing.T) {
	t.Parallel()
	var deployment appsv1.Deployment
	var service corev1.Service
	var policy networkingv1.NetworkPolicy
	find := map[string]any{
		"Deployment/github-user-token-operator":            &deployment,
		"Service/github-user-token-operator-webhooks":      &service,
		"NetworkPolicy/github-user-token-operator-ingress": &policy,
	}
	for _, document := range kustomized(t, "resources: [%[1]s/default]\ncomponents: [%[1]s/network-policy, %[1]s/components/webhook-receiver]\n") {
		var kind metav1.PartialObjectMetadata
		if err := yaml.Unmarshal(document, &kind); err != nil {
			t.Fatal(err)
		}
		if into := find[kind.Kind+"/"+kind.Name]; into != nil {
			if err := yaml.UnmarshalStrict(document, into); err != nil {
				t.Fatal(err)
			}
			delete(find, kind.Kind+"/"+kind.Name)
		}
	}
	if len(find) > 0 {
		t.Fatalf("not everything is installed: %v are missing", find)
	}
	container := deployment.Spec.Template.Spec.Containers[0]
	at := slices.IndexFunc(container.Ports, func(port corev1.ContainerPort) bool { return port.Name == "webhooks" })
	if at < 0 {
		t.Fatal("the container has no port webhooks")
	}
	if flag := fmt.Sprintf("--webhook-receiver-bind-address=:%d", container.Ports[at].ContainerPort); !slices.Contains(container.Args, flag) {
		t.Errorf("the container has no argument %s: %v", flag, container.Args)
	}
	if target := service.Spec.Ports[0].TargetPort.String(); target != "webhooks" {
		t.Errorf("the Service leads to the port %s", target)
	}
	open := slices.ContainsFunc(policy.Spec.Ingress, func(rule networkingv1.NetworkPolicyIngressRule) bool {
		return len(rule.From) == 0 && len(rule.Ports) == 1 && rule.Ports[0].Port.String() == "webhooks"
	})
	if !open {
		t.Error("the NetworkPolicy does not let deliveries in")
	}
	for key, value := range policy.Spec.PodSelector.MatchLabels {
		if deployment.Spec.Template.Labels[key] != value {
			t.Errorf("the NetworkPolicy does not select the operator's pods: %s is %q", key, deployment.Spec.Template.Labels[key])
		}
	}
}

// kustomized builds a kustomization, in which %[1]s stands for the folder config, and returns its documents.
func kustomized(t *testing.T, text string) (documents [][]byte) {
	t.Helper()
	folder, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	config, err := filepath.Abs("../config")
	if err != nil {
		t.Fatal(err)
	}
	relative, err := filepath.Rel(folder, config)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, "kustomization.yaml"), fmt.Appendf(nil, text, relative), 0o600); err != nil {
		t.Fatal(err)
	}
	built, err := plane.Kubectl(t.Context(), "kustomize", folder).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, built)
	}
	reader := utilyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(built)))
	for {
		document, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return documents
		}
		if err != nil {
			t.Fatal(err)
		}
		documents = append(documents, document)
	}
}
