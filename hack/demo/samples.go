package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/hack/demo/stage"
	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/github/githubtest"
)

const (
	samples = "config/samples"
	// deviceFlow is a sample for which a person has to enter a code. It is applied as well unless the demo is
	// to end by itself.
	deviceFlow = samples + "/more/device_flow.yaml"
	// scopedOutput is one with a token that can read one repository. So is it.
	scopedOutput = samples + "/more/scoped_output.yaml"
	// alternate is one with two authorizations in turn. So is it.
	alternate = samples + "/more/alternate.yaml"
)

// world is the part of GitHub that the samples speak of: to make them work as
// they stand, their example values must be good at the stand-in.
type world struct {
	apps  []stage.App
	users []string
	// logins are those whose refresh token stands in a seed.
	logins []login
	// shown are the resources that are applied and need nobody.
	shown []types.NamespacedName
	// offered are the data of the Secrets, by name, that belong into the operator's own namespace.
	offered map[string]map[string]string
}

type login struct {
	clientID, user string
	token          credential.RefreshToken
}

// readSamples renders the samples with kustomize, as they will be applied, and
// also reads the further ones, which a person may apply to the demo by hand.
func readSamples(ctx context.Context, s *stage.Stage) (*world, error) {
	rendered, err := s.Kubectl(ctx, "kustomize", samples)
	if err != nil {
		return nil, err
	}
	applied := &manifests{secrets: map[string]map[string]string{}, offered: map[string]map[string]string{}, apps: map[string]app{}}
	if err := applied.add([]byte(rendered)); err != nil {
		return nil, fmt.Errorf("read %s: %w", samples, err)
	}
	w := &world{offered: applied.offered}
	for _, token := range applied.tokens {
		if token.Spec.RefreshTokenRef != nil {
			w.shown = append(w.shown, types.NamespacedName{Namespace: token.Namespace, Name: token.Name})
		}
	}
	more, err := filepath.Glob(filepath.Join(s.Root, samples, "more", "*.yaml"))
	if err != nil {
		return nil, err
	}
	for _, path := range more {
		content, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		if err := applied.add(content); err != nil {
			return nil, fmt.Errorf("read %s: %w", path, err)
		}
	}
	for _, token := range applied.tokens {
		w.include(token, applied.appOf(token), applied)
	}
	if len(w.shown) == 0 {
		return nil, fmt.Errorf("%s holds no GitHubUserToken with a seed", samples)
	}
	return w, nil
}

// include makes the App, the user and the login of a resource known. A resource
// is named after its user.
func (w *world) include(token v1alpha1.GitHubUserToken, of app, m *manifests) {
	if !slices.Contains(w.users, token.Name) {
		w.users = append(w.users, token.Name)
	}
	id := of.clientID
	known := slices.IndexFunc(w.apps, func(app stage.App) bool { return app.ClientID == id })
	if known < 0 {
		known = len(w.apps)
		w.apps = append(w.apps, stage.App{ClientID: id})
	}
	if ref := of.secret; ref != nil {
		secrets := m.secrets
		if of.isOffered {
			secrets = m.offered
		}
		if value := secrets[ref.Name][orDefault(ref.Key, "client_secret")]; value != "" {
			w.apps[known].Secret = credential.NewClientSecret(value)
		}
	}
	for _, output := range token.Spec.AllOutputs() {
		if output.Scope != nil {
			w.apps[known].Installations = append(w.apps[known].Installations, installationFor(output.Scope))
		}
	}
	refs := []*v1alpha1.RefreshTokenReference{token.Spec.RefreshTokenRef}
	if token.IsAlternating() {
		refs = append(refs, token.Spec.Rotation.AlternateRefreshTokenRef)
	}
	for _, ref := range refs {
		if ref == nil {
			continue
		}
		if value := m.secrets[ref.Name][orDefault(ref.Key, "refresh_token")]; value != "" {
			next := login{clientID: id, user: token.Name, token: credential.NewRefreshToken(value)}
			if !slices.Contains(w.logins, next) { // Two samples may use one seed, of which a person applies one.
				w.logins = append(w.logins, next)
			}
		}
	}
}

// installationFor is one that grants a scope.
func installationFor(scope *v1alpha1.OutputScope) githubtest.Installation {
	installation := githubtest.Installation{Account: scope.Target, Permissions: map[string]string{}}
	for i, name := range scope.Repositories {
		installation.Repositories = append(installation.Repositories, githubtest.Repository{ID: int64(i + 1), Name: string(name)})
	}
	for name, level := range scope.Permissions {
		installation.Permissions[name] = string(level)
	}
	return installation
}

func orDefault(key, otherwise string) string {
	if key == "" {
		return otherwise
	}
	return key
}

// manifests are what YAML documents hold.
type manifests struct {
	tokens []v1alpha1.GitHubUserToken
	// secrets are the data of the Secrets of the teams, by name, which differs from one team to the other.
	secrets map[string]map[string]string
	// offered are the client secrets of Apps that the administrator offers, which are in no sample.
	offered map[string]map[string]string
	// apps are the Apps that resources may refer to, by kind and name.
	apps map[string]app
}

// app is an App of the samples.
type app struct {
	clientID string
	secret   *v1alpha1.ClientSecretReference
	// isOffered reports that it is a ClusterGitHubApp.
	isOffered bool
}

// appOf is the App of a resource: the one that it refers to, or the one in its spec.
func (m *manifests) appOf(token v1alpha1.GitHubUserToken) app {
	if ref := token.Spec.App.Ref; ref != nil {
		return m.apps[orDefault(ref.Kind, "GitHubApp")+"/"+ref.Name]
	}
	return app{clientID: token.Spec.App.ClientID, secret: token.Spec.App.ClientSecretRef}
}

func (m *manifests) add(content []byte) error {
	documents := utilyaml.NewYAMLOrJSONDecoder(bytes.NewReader(content), 4096)
	for {
		var document unstructured.Unstructured
		err := documents.Decode(&document.Object)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		switch document.GetKind() {
		case "GitHubUserToken":
			var token v1alpha1.GitHubUserToken
			if err := runtime.DefaultUnstructuredConverter.FromUnstructured(document.Object, &token); err != nil {
				return err
			}
			m.tokens = append(m.tokens, token)
		case "GitHubApp", "ClusterGitHubApp":
			var named v1alpha1.GitHubApp // What is read here both have.
			if err := runtime.DefaultUnstructuredConverter.FromUnstructured(document.Object, &named); err != nil {
				return err
			}
			isOffered := document.GetKind() == "ClusterGitHubApp"
			m.apps[document.GetKind()+"/"+named.Name] = app{named.Spec.ClientID, named.Spec.ClientSecretRef, isOffered}
			if ref := named.Spec.ClientSecretRef; isOffered && ref != nil {
				m.offered[ref.Name] = map[string]string{orDefault(ref.Key, "client_secret"): rand.Text()}
			}
		case "Secret":
			var secret corev1.Secret
			if err := runtime.DefaultUnstructuredConverter.FromUnstructured(document.Object, &secret); err != nil {
				return err
			}
			values := map[string]string{}
			for key, value := range secret.Data {
				values[key] = strings.TrimSpace(string(value))
			}
			for key, value := range secret.StringData {
				values[key] = strings.TrimSpace(value)
			}
			m.secrets[secret.Name] = values
		}
	}
}
