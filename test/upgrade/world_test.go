package upgrade

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	ctrllog "sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/yaml"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/hack/demo/stage"
	"github.com/githubusertoken/github-user-token-operator/internal/github/githubtest"
	"github.com/githubusertoken/github-user-token-operator/test/suite"
)

const (
	clientSecret = "5ca1ab1e0ddba115ca1ab1e0ddba115ca1ab1e0d"
	patience     = 2 * time.Minute
)

// Apps of the samples, and of a shape. A ClusterGitHubApp binds all who use its client ID, so that its own is another one.
const (
	theApp      = "Iv23liEXAMPLE"
	platformApp = "Iv23liPLATFORM"
	oauthApp    = "Ov23liEXAMPLE"
	visitApp    = "Iv23liVISITS"
)

// the is what all tests of this package share.
var the struct {
	stage *stage.Stage
	gh    *githubtest.Server
	// gitHub is where that listens.
	gitHub string
	admin  client.Client
}

func TestMain(m *testing.M) { suite.Main(m, run) }

func run(m *testing.M) (int, error) {
	if err := suite.Parallel(1); err != nil {
		return 1, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 15*time.Minute)
	defer cancel()
	ctrllog.SetLogger(logr.Discard())
	var err error
	if the.stage, err = stage.Start(ctx, stage.Options{Log: os.Stderr}); err != nil {
		return 1, err
	}
	defer the.stage.Stop()
	for _, path := range []string{"test/upgrade/testdata/crd", "config/components/handoff/role.yaml", "config/components/handoff/role_binding.yaml"} {
		if err := the.stage.Plane.Apply(ctx, filepath.Join(the.stage.Root, path)); err != nil {
			return 1, err
		}
	}
	scheme, err := stage.Scheme()
	if err != nil {
		return 1, err
	}
	config := the.stage.Plane.AdminConfig()
	config.QPS = -1
	if the.admin, err = client.New(config, client.Options{Scheme: scheme}); err != nil {
		return 1, fmt.Errorf("make a client: %w", err)
	}
	stop, err := startGitHub()
	if err != nil {
		return 1, err
	}
	defer stop()
	if err := the.stage.StartOperator(ctx, "--leader-elect=false", "--enable-handoff", "--enable-scoped-outputs", "--login-page-url="+stage.LoginPageURL); err != nil {
		return 1, err
	}
	return m.Run(), nil
}

// startGitHub serves the stand-in as github.com, in this process.
func startGitHub() (stop func(), err error) {
	the.gh = githubtest.New(githubtest.Options{})
	for _, app := range []githubtest.App{
		{ClientID: theApp}, {ClientID: platformApp}, {ClientID: oauthApp, Kind: githubtest.OAuthApp, OfflineAccess: true},
		{ClientID: visitApp, CallbackURLs: []string{stage.LoginPageURL + "/callback"}, AutoApprove: true},
	} {
		app.Installations = []githubtest.Installation{{Account: "octo-org", AccountID: 9919, Permissions: map[string]string{"contents": "write"}}}
		app.Secrets, app.DeviceFlow, app.DeviceInterval, app.MaxTokens = []string{clientSecret}, true, time.Second, -1
		the.gh.AddApp(app)
	}
	caFile := the.stage.Path("github-ca.crt")
	if err := the.gh.CA().WriteFile(caFile); err != nil {
		return nil, err
	}
	certificate, err := the.gh.CA().Issue("127.0.0.1", "github.com", "api.github.com")
	if err != nil {
		return nil, err
	}
	server := httptest.NewUnstartedServer(the.gh)
	server.TLS = &tls.Config{Certificates: []tls.Certificate{*certificate}, MinVersion: tls.VersionTLS12}
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // an operator that ends leaves connections behind
	server.StartTLS()
	the.gitHub = server.Listener.Addr().String()
	the.stage.UseGitHub(the.gitHub, caFile)
	return func() {
		the.gh.Close()
		server.Close()
	}, nil
}

// world is what a test has.
type world struct {
	t   *testing.T
	ctx context.Context
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) eventually(what string, holds func() (bool, string)) {
	w.t.Helper()
	suite.Eventually(w.t, patience, what, holds)
}

// namespace makes one, with the client secret of an App in it. The ClusterGitHubApp of the samples allows it.
func (w *world) namespace(name string) {
	w.t.Helper()
	w.must(the.admin.Create(w.ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"github-app": "platform"}}}))
	w.secret(name, "github-app", "client_secret", clientSecret)
}

func (w *world) secret(namespace, name, key, value string) {
	w.t.Helper()
	w.must(the.admin.Create(w.ctx, &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}, StringData: map[string]string{key: value},
	}))
}

// createAll creates the objects of a file, each as it is written there, and returns the names of the GitHubUserTokens.
func (w *world) createAll(file, namespace string) (tokens []client.ObjectKey) {
	w.t.Helper()
	text, err := os.ReadFile(file)
	w.must(err)
	if strings.HasSuffix(file, "cluster_github_app.yaml") {
		text = []byte(strings.ReplaceAll(string(text), theApp, platformApp))
	}
	for document := range strings.SplitSeq(string(text), "\n---\n") {
		var object unstructured.Unstructured
		w.must(yaml.Unmarshal([]byte(document), &object.Object))
		if object.GetKind() == "Secret" { // The seeds of the samples are good for nothing.
			continue
		}
		if object.GetKind() != v1alpha1.KindClusterGitHubApp {
			object.SetNamespace(namespace)
		}
		w.must(the.admin.Create(w.ctx, &object, client.FieldValidation(metav1.FieldValidationStrict)))
		if object.GetKind() == "GitHubUserToken" {
			tokens = append(tokens, client.ObjectKeyFromObject(&object))
		}
	}
	return tokens
}

func (w *world) get(key client.ObjectKey) *v1alpha1.GitHubUserToken {
	w.t.Helper()
	var token v1alpha1.GitHubUserToken
	w.must(the.admin.Get(w.ctx, key, &token))
	return &token
}

// change edits a resource, as kubectl edit does: the API server validates all of it.
func (w *world) change(key client.ObjectKey, edit func(*v1alpha1.GitHubUserToken)) {
	w.t.Helper()
	token := w.get(key)
	before := token.DeepCopy()
	edit(token)
	w.must(the.admin.Patch(w.ctx, token, client.MergeFrom(before)))
}

// pair is the pair Secret of a resource.
func (w *world) pair(key client.ObjectKey) *corev1.Secret {
	w.t.Helper()
	var secret corev1.Secret
	w.must(the.admin.Get(w.ctx, client.ObjectKey{Namespace: key.Namespace, Name: w.get(key).PairSecretName()}, &secret))
	return &secret
}
