package serving

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/githubusertoken/github-user-token-operator/hack/demo/stage"
	"github.com/githubusertoken/github-user-token-operator/test/suite"
)

// copilot stands in for Copilot CLI: it writes down what it was given, and what git was, and goes on until it is ended.
const copilot = `#!/bin/sh
run=$(mktemp -d "$RUNS/.run-XXXXXX")
printf '%s\n' "$@" >"$run/arguments"
printf %s "$COPILOT_GITHUB_TOKEN" >"$run/token"
printf 'protocol=https\nhost=github.com\n\n' | git credential fill >"$run/git"
mv "$run" "$RUNS/run-${run##*-}"
exec sleep 600
`

// recipe applies what a recipe has beside the resource, which a world has, and returns the pod. Its namespace is that of the world.
func (w *world) recipe(name string) *corev1.Pod {
	w.t.Helper()
	content, err := os.ReadFile(filepath.Join("..", "..", "config", "samples", "recipes", name))
	w.must(err)
	content = bytes.ReplaceAll(content, []byte("namespace: team-a"), []byte("namespace: "+w.namespace))
	pod := &corev1.Pod{}
	of := map[string]client.Object{"ServiceAccount": &corev1.ServiceAccount{}, "Role": &rbacv1.Role{}, "RoleBinding": &rbacv1.RoleBinding{}, "Pod": pod}
	for part := range strings.SplitSeq(string(content), "\n---\n") {
		var kind struct{ Kind string }
		w.must(yaml.Unmarshal([]byte(part), &kind))
		if kind.Kind == "GitHubUserToken" {
			continue
		}
		object := of[kind.Kind]
		w.must(yaml.UnmarshalStrict([]byte(part), object))
		object.SetNamespace(w.namespace)
		w.must(the.admin.Create(w.t.Context(), object))
	}
	return pod
}

// container is the command of a pod's container as a process of this machine: what a kubelet would mount is in a folder, and the programs of its
// image are in another.
func (w *world) container(pod *corev1.Pod, server *stage.TokenServer, programs, runs string) *exec.Cmd {
	w.t.Helper()
	container, volume := pod.Spec.Containers[0], pod.Spec.Volumes[0].Projected
	mounted, at := w.t.TempDir(), container.VolumeMounts[0].MountPath
	for _, source := range volume.Sources {
		path, content := "", []byte(nil)
		switch {
		case source.ServiceAccountToken != nil:
			path, content = source.ServiceAccountToken.Path, []byte(w.tokenIn(w.namespace, pod.Spec.ServiceAccountName, source.ServiceAccountToken.Audience, pod))
		case source.ConfigMap != nil:
			authority, err := os.ReadFile(server.CAFile)
			w.must(err)
			path, content = source.ConfigMap.Items[0].Path, authority
		}
		w.must(os.WriteFile(filepath.Join(mounted, path), content, 0o600))
	}
	search := programs + string(os.PathListSeparator) + os.Getenv("PATH")
	command := exec.CommandContext(w.t.Context(), filepath.Join(programs, container.Command[0]), slices.Concat(container.Command[1:], container.Args)...)
	command.Env = []string{
		"PATH=" + search, "HOME=" + mounted, "RUNS=" + runs, "GIT_TERMINAL_PROMPT=0", "GIT_CONFIG_NOSYSTEM=1",
		"GHUT_TOKEN_FILE=" + filepath.Join(mounted, "token"), // Where it looks by itself nothing can be mounted here.
	}
	for _, variable := range container.Env {
		value := strings.ReplaceAll(variable.Value, at, mounted)
		switch {
		case variable.ValueFrom != nil && variable.ValueFrom.FieldRef.FieldPath == "metadata.namespace":
			value = w.namespace
		case variable.Name == "GHUT_SERVER":
			value = server.URL
		}
		command.Env = append(command.Env, variable.Name+"="+value)
	}
	return command
}

// runsOf are the runs of the stand-in for Copilot CLI, by their tokens.
func (w *world) runsOf(folder string) map[string]string {
	w.t.Helper()
	found := map[string]string{}
	entries, err := os.ReadDir(folder)
	w.must(err)
	for _, entry := range entries {
		if strings.HasPrefix(entry.Name(), "run-") {
			token, err := os.ReadFile(filepath.Join(folder, entry.Name(), "token"))
			w.must(err)
			found[string(token)] = filepath.Join(folder, entry.Name())
		}
	}
	return found
}

// The recipe for Copilot CLI is run as it is written, with its role, its pod's identity, its command and its variables, by the real ghut-token and
// git; Copilot alone is another program. After a rotation the command runs with the next token.
func TestServingRunsTheRecipeOfCopilotCLI(t *testing.T) {
	w := newWorld(t)
	server, err := the.stage.StartTokenServer(t.Context()) // Of its own: what ghut-token has is counted by nobody.
	w.must(err)
	programs, runs := t.TempDir(), t.TempDir()
	w.must(os.WriteFile(filepath.Join(programs, "copilot"), []byte(copilot), 0o700))
	build := exec.CommandContext(t.Context(), "go", "build", "-C", filepath.Join("..", "..", "client"), "-o", filepath.Join(programs, "ghut-token"), "./cmd/ghut-token")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build ghut-token: %v\n%s", err, out)
	}
	pod := w.recipe("copilot_cli.yaml")
	command := w.container(pod, server, programs, runs)
	var said bytes.Buffer
	command.Stdout, command.Stderr = &said, &said
	w.must(command.Start())
	first := w.run(runs, pod)
	w.rotate("while-copilot-runs")
	if next := w.run(runs, pod, first); next == first {
		t.Error("the command was not started again")
	}

	w.must(command.Process.Signal(syscall.SIGTERM))
	var ended *exec.ExitError
	if err := command.Wait(); !errors.As(err, &ended) || ended.ExitCode() != 128+int(syscall.SIGTERM) {
		t.Errorf("it ends with %v: %s", err, said.String())
	}
	logs, err := os.ReadFile(server.Process.LogPath())
	w.must(err)
	if found := suite.FindTokens(append(logs, said.Bytes()...)); len(found) > 0 {
		t.Errorf("%d tokens stand in what was written", len(found))
	}
	if audited := bytes.Count(logs, []byte(`"user":"system:serviceaccount:`+w.namespace+`:copilot"`)); audited < 4 {
		t.Errorf("%d releases are written down, and there were one for the command and one for git in each of two runs", audited)
	}
}

// run waits for a run with the token that is stored, which none of before had, and holds it to what the recipe says.
func (w *world) run(runs string, pod *corev1.Pod, before ...string) (token string) {
	w.t.Helper()
	folder := ""
	suite.Eventually(w.t, patience, "a run with the token that is stored", func() (bool, string) {
		token = w.stored().Reveal()
		folder = w.runsOf(runs)[token]
		return folder != "" && !slices.Contains(before, token), ""
	})
	arguments, err := os.ReadFile(filepath.Join(folder, "arguments"))
	w.must(err)
	if want := strings.Join(pod.Spec.Containers[0].Args[1:], "\n") + "\n"; string(arguments) != want {
		w.t.Errorf("it runs with %q, want %q", arguments, want)
	}
	credential, err := os.ReadFile(filepath.Join(folder, "git"))
	w.must(err)
	if !strings.Contains(string(credential), "password="+token+"\n") || !strings.Contains(string(credential), "\nusername=") {
		w.t.Error("git did not get the token")
	}
	return token
}
