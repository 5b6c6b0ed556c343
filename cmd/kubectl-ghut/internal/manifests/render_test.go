package manifests

import (
	"os/exec"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

func TestManifestsAreThoseOfTheRepositoryWithTheImage(t *testing.T) {
	const image = "registry.example.com:5000/operator:v1"
	rendered, err := Render(Options{Image: image})
	if err != nil {
		t.Fatal(err)
	}
	text := string(rendered)
	if strings.Count(text, "image: "+image+"\n") != 1 || strings.Contains(text, DefaultImage) {
		t.Error("the image is not the one that was asked for")
	}
	kinds := map[string]int{}
	for document := range strings.SplitSeq(text, "\n---\n") {
		var object struct{ Kind string }
		if err := yaml.Unmarshal([]byte(document), &object); err != nil {
			t.Fatal(err)
		}
		kinds[object.Kind]++
	}
	if kinds["CustomResourceDefinition"] != 3 || kinds["Deployment"] != 1 || kinds["Namespace"] != 1 || kinds["ServiceMonitor"] != 0 {
		t.Errorf("there are %v", kinds)
	}
}

func TestManifestsTakeAnyImage(t *testing.T) {
	for image, want := range map[string]string{
		"operator": "operator:dev", "r.example.com:5000/operator": "r.example.com:5000/operator:dev", "r/o:v1": "r/o:v1",
		"r/o@sha256:" + strings.Repeat("a", 64): "r/o@sha256:" + strings.Repeat("a", 64), "r/o:v1@sha256:" + strings.Repeat("a", 64): "r/o@sha256:" + strings.Repeat("a", 64),
	} {
		rendered, err := Render(Options{Image: image})
		if err != nil || !strings.Contains(string(rendered), "image: "+want+"\n") {
			t.Errorf("with %s there is not %s (%v)", image, want, err)
		}
	}
}

func TestManifestsGoElsewhereWithAllThatRefersToThem(t *testing.T) {
	rendered, err := Render(Options{Image: "r/o:v1", Namespace: "elsewhere"})
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(rendered), "namespace: github-user-token-system") || !strings.Contains(string(rendered), "namespace: elsewhere") {
		t.Error("something stays where it was")
	}
}

func TestManifestsHaveEveryComponent(t *testing.T) {
	names, err := Components()
	if err != nil {
		t.Fatal(err)
	}
	tracked, err := exec.CommandContext(t.Context(), "git", "grep", "-l", "^kind: Component$", "--", "../../../../config", ":!../../../../config/sharded").Output()
	if err != nil {
		t.Fatal(err)
	}
	if want := strings.Count(string(tracked), "\n"); len(names) != want || !slices.Contains(names, "walls") || !slices.Contains(names, "prometheus") {
		t.Errorf("there are %d components in the repository, and the plugin has %v", want, names)
	}
	for _, name := range names {
		// The certificate of the metrics comes behind the ServiceMonitor that it is for.
		with := []string{name}
		if name == "metrics-certificate" {
			with = []string{"prometheus", name}
		}
		if name == "my-tokens" { // It is a part of the page.
			with = []string{"login-page", name}
		}
		if name == "token-server-prometheus" { // Its audience is that of the server, of which it is a part.
			with = []string{"prometheus", name}
		}
		options := Options{Image: "r/o:v1", Components: with}
		if name == "login-page" {
			if _, err := Render(options); err == nil || !strings.Contains(err.Error(), "--login-page-url") {
				t.Errorf("%s for no URL: %v", name, err)
			}
			options.LoginPageURL = "https://login.example.org/x"
		}
		if name == "token-server" {
			if _, err := Render(options); err == nil || !strings.Contains(err.Error(), "--token-server-audience") {
				t.Errorf("%s for no audience: %v", name, err)
			}
			options.TokenServerAudience = "tokens.example.org"
		}
		if name == "my-tokens" {
			options.LoginPageURL = "https://login.example.org/x"
		}
		rendered, err := Render(options)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if told := strings.Count(string(rendered), options.LoginPageURL); options.LoginPageURL != "" && (told != 2 || strings.Contains(string(rendered), exampleLoginPage)) {
			t.Errorf("%s: its URL is told %d times", name, told)
		}
		if strings.Contains(string(rendered), exampleTokenServer) || name == "token-server-certificate" && !strings.Contains(string(rendered), "github-user-token-operator-token-server.github-user-token-system.svc") {
			t.Errorf("%s: it does not say where the token server is", name)
		}
		if told := strings.Count(string(rendered), options.TokenServerAudience); options.TokenServerAudience != "" && (told != 1 || strings.Contains(string(rendered), exampleAudience)) {
			t.Errorf("%s: its audience is told %d times", name, told)
		}
	}
	if _, err := Render(Options{Image: "r/o:v1", TokenServerAudience: "tokens.example.org"}); err == nil || !strings.Contains(err.Error(), "--component token-server") {
		t.Errorf("an audience without the server: %v", err)
	}
	if _, err := Render(Options{Image: "r/o:v1", LoginPageURL: "https://login.example.org"}); err == nil || !strings.Contains(err.Error(), "--component login-page") {
		t.Errorf("a URL without the page: %v", err)
	}
	if _, err := Render(Options{Image: "r/o:v1", Components: []string{"../samples"}}); err == nil || !strings.Contains(err.Error(), "there is no component") {
		t.Errorf("a component that there is not: %v", err)
	}
}
