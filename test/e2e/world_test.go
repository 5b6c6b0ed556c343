//go:build e2e

package e2e

import (
	"context"
	"crypto/tls"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	ctrllog "sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/githubusertoken/github-user-token-operator/hack/controlplane"
	"github.com/githubusertoken/github-user-token-operator/hack/demo/stage"
	"github.com/githubusertoken/github-user-token-operator/internal/github/githubtest"
	"github.com/githubusertoken/github-user-token-operator/test/e2e/cluster"
	"github.com/githubusertoken/github-user-token-operator/test/e2e/gitserver"
	"github.com/githubusertoken/github-user-token-operator/test/e2e/image"
	"github.com/githubusertoken/github-user-token-operator/test/suite"
)

// What the tests measure is as long as these say; CI makes it shorter.
var (
	// rotations are those over which the handoff is measured.
	rotations = number("E2E_ROTATIONS", 100)
	// plainRotations are those over which the kubelet's own period is measured.
	plainRotations = number("E2E_PLAIN_ROTATIONS", 20)
	// readers are the pods that mount the Secret.
	readers = number("E2E_READERS", 20)
	// turns are the exchanges of a resource with two authorizations, of which one takes two minutes.
	turns = number("E2E_TURNS", 2)
	// agents are the pods that have the token from the token server, over agentRotations.
	agents         = number("E2E_AGENTS", 6)
	agentRotations = number("E2E_AGENT_ROTATIONS", 10)
	// loadSeconds is for how long the token server is asked 500 times a second.
	loadSeconds = number("E2E_LOAD_SECONDS", 5)
)

// number reads a positive number from an environment variable.
func number(variable string, otherwise int) int {
	text := os.Getenv(variable)
	if text == "" {
		return otherwise
	}
	value, err := strconv.Atoi(text)
	if err != nil || value < 1 {
		fmt.Fprintf(os.Stderr, "%s is %q, which is no positive number\n", variable, text)
		os.Exit(2)
	}
	return value
}

const (
	operatorNamespace = "github-user-token-system"
	operatorImage     = "ghcr.io/githubusertoken/github-user-token-operator:e2e"
	workloadImage     = "registry.example.com/workload:e2e"
	debianImage       = "registry.example.com/debian:e2e"
	agentImage        = "registry.example.com/agent:e2e"

	// githubHost is what the stand-in is called, and where pods find it: see config/.
	githubHost    = "github.example.com"
	githubAddress = "10.96.0.20"
	// collectorAddress is where pods report what they saw.
	collectorAddress = "10.96.0.30"
	// tokenServerAddress is that of the token server's Service: see config/token-server.
	tokenServerAddress = "10.96.0.40"
	// loginPageHost is what browsers call the login page, and loginPageAddress that of its Service: see config/login-page.
	loginPageHost    = "login.example.com"
	loginPageAddress = "10.96.0.50"

	clientID = "Iv23liE2E"
	// turnsClientID is that of an App whose access tokens live for turnsLifetime.
	turnsClientID = "Iv23liTURNS"
	turnsLifetime = 8 * time.Minute
	clientSecret  = "0123456789abcdef0123456789abcdef01234567"
)

// auditPolicy has the API server write down what the operator writes.
const auditPolicy = `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: Metadata
  users: ["system:serviceaccount:github-user-token-system:github-user-token-operator"]
  verbs: [create, update, patch, delete, deletecollection]
- level: None
`

// The tests share one cluster, one GitHub and one operator, which is installed as users install it.
var (
	running *cluster.Cluster
	api     client.Client // as the cluster's administrator
	gh      *githubtest.Server
	// ghAddress is where a browser on this machine finds it.
	ghAddress string
	reports   = newCollector()
	told      = newTally() // what agents did
	folder    *controlplane.TempDir
)

func TestMain(m *testing.M) {
	flag.Parse()
	_ = flag.Set("test.parallel", "8") // those that may run together mostly wait
	suite.Main(m, runSuite)
}

func runSuite(m *testing.M) (code int, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Minute)
	defer cancel()
	if folder, err = controlplane.NewTempDir("", "e2e-"); err != nil {
		return 1, err
	}
	defer func() { err = errors.Join(err, folder.Remove()) }()
	images, err := makeImages(ctx)
	if err != nil {
		return 1, err
	}
	running, err = cluster.Start(ctx, cluster.Options{
		Nodes:            2,
		ServiceAddresses: []string{githubAddress, collectorAddress, tokenServerAddress, loginPageAddress},
		Images:           images,
		PauseImage:       workloadImage,
		AuditPolicy:      auditPolicy,
		Log:              os.Stderr,
	})
	if err != nil {
		return 1, err
	}
	defer func() {
		if code != 0 || err != nil {
			keepLogs()
		}
		err = errors.Join(err, running.Stop())
	}()
	if err := running.Serve(net.JoinHostPort(collectorAddress, "80"), reports); err != nil {
		return 1, err
	}
	if err := running.Serve(net.JoinHostPort(collectorAddress, "81"), told); err != nil {
		return 1, err
	}
	stop, err := startGitHub(ctx)
	if err != nil {
		return 1, err
	}
	defer stop()
	ctrllog.SetLogger(logr.Discard())
	scheme, err := stage.Scheme()
	if err != nil {
		return 1, err
	}
	if err := install(ctx); err != nil {
		return 1, err
	}
	if api, err = client.New(running.ControlPlane.AdminConfig(), client.Options{Scheme: scheme}); err != nil {
		return 1, err
	}
	return m.Run(), nil
}

// makeImages makes the operator's image by the Dockerfile's steps, one with the tests' own program, and two that are
// given git by the machine's /usr: one with that program, and one of an agent with ghut-token. It returns the files.
func makeImages(ctx context.Context) ([]string, error) {
	begin := time.Now()
	operator, err := image.Build(ctx, filepath.Join("..", ".."), operatorImage, "e2e")
	if err != nil {
		return nil, err
	}
	file, err := buildProgram(ctx, ".", "./workload", "workload")
	if err != nil {
		return nil, err
	}
	agent, err := buildProgram(ctx, "agent", ".", "opt/agent")
	if err != nil {
		return nil, err
	}
	ghutToken, err := buildProgram(ctx, filepath.Join("..", "..", "client"), "./cmd/ghut-token", "opt/ghut-token")
	if err != nil {
		return nil, err
	}
	workload := image.Image{ // is the pause image as well
		Reference: workloadImage, User: "65532:65532", Entrypoint: []string{"/workload"},
		Files: []image.File{file, {Path: "tmp/", Mode: 0o1777}},
	}
	base := []image.File{
		{Path: "tmp/", Mode: 0o1777}, {Path: "usr/", Mode: 0o755},
		{Path: "bin", Link: "usr/bin"}, {Path: "lib", Link: "usr/lib"}, {Path: "lib64", Link: "usr/lib64"},
		{Path: "etc/passwd", Mode: 0o644, Content: []byte("nonroot:x:65532:65532::/tmp:/bin/sh\n")},
	}
	debian := image.Image{
		Reference: debianImage, User: "65532:65532", Entrypoint: []string{"/workload"},
		Env: []string{"PATH=/usr/bin"}, Files: slices.Concat(base, []image.File{file}),
	}
	withAgent := image.Image{
		Reference: agentImage, User: "65532:65532",
		Env: []string{"PATH=/opt:/usr/bin"}, Files: slices.Concat(base, []image.File{agent, ghutToken}),
	}
	var files []string
	for _, made := range []image.Image{operator, workload, debian, withAgent} {
		path := folder.Path(strings.NewReplacer("/", "_", ":", "_").Replace(made.Reference) + ".tar")
		if err := made.Write(path); err != nil {
			return nil, err
		}
		files = append(files, path)
	}
	fmt.Fprintf(os.Stderr, "images: made in %.1f s\n", time.Since(begin).Seconds())
	return files, nil
}

// buildProgram builds a static program of the module in a folder, as a file of an image.
func buildProgram(ctx context.Context, module, program, path string) (image.File, error) {
	target, err := filepath.Abs(folder.Path(filepath.Base(path)))
	if err != nil {
		return image.File{}, err
	}
	build := exec.CommandContext(ctx, "go", "build", "-C", module, "-trimpath", "-o", target, program)
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if output, err := build.CombinedOutput(); err != nil {
		return image.File{}, fmt.Errorf("build %s: %w\n%s", path, err, output)
	}
	content, err := os.ReadFile(target)
	return image.File{Path: path, Mode: 0o755, Content: content}, err
}

// startGitHub serves GitHub, with its git repositories, at github.example.com.
func startGitHub(ctx context.Context) (stop func(), err error) {
	gh = githubtest.New(githubtest.Options{
		Apps: []githubtest.App{{
			ClientID: clientID, Secrets: []string{clientSecret}, DeviceFlow: true, CallbackURLs: []string{"https://" + loginPageHost + "/callback"},
		}, {
			ClientID: turnsClientID, Secrets: []string{clientSecret}, AccessTokenLifetime: turnsLifetime,
		}},
	})
	if err := os.Mkdir(folder.Path("repositories"), 0o755); err != nil {
		return nil, err
	}
	if err := gitserver.CreateRepository(ctx, folder.Path("repositories"), "octocat/hello.git", map[string]string{"README.md": "hello\n"}); err != nil {
		return nil, err
	}
	git, err := gitserver.Handler(folder.Path("repositories"), func(token string) bool {
		_, ok := gh.Authenticate(token)
		return ok
	})
	if err != nil {
		return nil, err
	}
	certificate, err := gh.CA().Issue(githubHost)
	if err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	server := &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.Contains(r.URL.Path, ".git/") {
				git.ServeHTTP(w, r)
				return
			}
			gh.ServeHTTP(w, r)
		}),
		TLSConfig:         &tls.Config{Certificates: []tls.Certificate{*certificate}},
		ReadHeaderTimeout: time.Minute,
	}
	go func() { _ = server.ServeTLS(listener, "", "") }()
	ghAddress = listener.Addr().String()
	if err := running.Forward(net.JoinHostPort(githubAddress, "443"), listener.Addr().String()); err != nil {
		return nil, err
	}
	return func() { server.Close(); gh.Close() }, nil
}

// install installs the operator as its documentation says, and waits until both replicas are ready.
func install(ctx context.Context) error {
	if err := running.ControlPlane.Apply(ctx, "config"); err != nil {
		return err
	}
	authority := folder.Path("ca.crt")
	if err := gh.CA().WriteFile(authority); err != nil {
		return err
	}
	if _, err := kubectl(ctx, "-n", operatorNamespace, "create", "configmap", "github-ca", "--from-file=ca.crt="+authority); err != nil {
		return err
	}
	_, err := kubectl(ctx, "-n", operatorNamespace, "rollout", "status", "deployment/github-user-token-operator", "--timeout=3m")
	return err
}

// kubectl calls kubectl as the cluster's administrator and returns what it prints.
func kubectl(ctx context.Context, args ...string) (string, error) {
	var stdout, stderr strings.Builder
	cmd := running.ControlPlane.Kubectl(ctx, args...)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return stdout.String(), fmt.Errorf("kubectl %s: %w: %s", strings.Join(args, " "), err, strings.TrimSpace(stderr.String()))
	}
	return stdout.String(), nil
}

// keepLogs copies the logs of a failed run to where E2E_LOGS says.
func keepLogs() {
	target := os.Getenv("E2E_LOGS")
	if target == "" {
		fmt.Fprintln(os.Stderr, "Set E2E_LOGS to a folder to keep the cluster's logs of a failed run.")
		return
	}
	if err := os.MkdirAll(target, 0o755); err != nil {
		fmt.Fprintln(os.Stderr, "keep the logs:", err)
		return
	}
	keepStates(target)
	paths, err := running.ContainerLogPaths()
	if err != nil {
		fmt.Fprintln(os.Stderr, "keep the logs:", err)
	}
	paths = append(append(paths, running.LogPaths()...), running.ControlPlane.AuditLogPath())
	for _, process := range []*controlplane.Process{running.ControlPlane.APIServer, running.ControlPlane.ControllerManager} {
		paths = append(paths, process.LogPath())
	}
	for _, path := range paths {
		name := strings.ReplaceAll(strings.TrimPrefix(path, os.TempDir()+"/"), "/", "_")
		content, err := os.ReadFile(path)
		if err == nil {
			err = os.WriteFile(filepath.Join(target, name), content, 0o644)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, "keep a log:", err)
		}
	}
}

// keepStates writes how things stand when a test has failed: all objects but Secrets, and what the operator has told.
func keepStates(target string) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for name, args := range map[string][]string{
		"objects.yaml": {"get", "githubusertokens,deployments,replicasets,pods,events,leases", "--all-namespaces", "--output=yaml"},
		"operator.log": {"-n", operatorNamespace, "logs", "deployment/github-user-token-operator", "--all-pods", "--prefix", "--tail=-1"},
	} {
		output, err := kubectl(ctx, args...)
		if err == nil {
			err = os.WriteFile(filepath.Join(target, name), []byte(output), 0o644)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, "keep the state:", err)
		}
	}
}
