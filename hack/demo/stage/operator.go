package stage

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/githubusertoken/github-user-token-operator/hack/controlplane"
	"github.com/githubusertoken/github-user-token-operator/internal/outbox"
)

// OutboxInMemory reports whether the operator's outbox is memory-backed, as it is in a cluster.
func (s *Stage) OutboxInMemory() bool { return s.outbox != nil }

// StartOperator starts the manager under the identity of its ServiceAccount, so
// with the rights of config/rbac and no others, and waits until it is ready.
// It believes the stand-in to be github.com. GitHub must have been started.
// It may be called again when the operator was stopped, also with another Program:
// that is the next pod, with an outbox of its own.
func (s *Stage) StartOperator(ctx context.Context, extra ...string) error {
	identity, err := s.Plane.ServiceAccountConfig(ctx, Namespace, ServiceAccount)
	if err != nil {
		return err
	}
	kubeconfig := s.Path("operator.kubeconfig")
	if err := s.Plane.WriteKubeconfig(kubeconfig, identity); err != nil {
		return err
	}
	home := s.Path("operator")
	if err := os.MkdirAll(home, 0o700); err != nil {
		return fmt.Errorf("make a folder for the operator: %w", err)
	}
	kept, err := s.outboxArguments(home)
	if err != nil {
		return err
	}
	if s.proxy == "" {
		if s.proxy, err = s.startProxy(); err != nil {
			return err
		}
	}
	var addresses [2]string
	for i := range addresses {
		address, release, err := controlplane.ReserveAddress()
		if err != nil {
			return err
		}
		s.closers = append(s.closers, release)
		addresses[i] = address
	}
	s.MetricsAddress = addresses[1]
	arguments := []string{
		"--leader-elect", "--leader-election-namespace=" + Namespace, "--cluster-resource-namespace=" + Namespace,
		"--health-probe-bind-address=" + addresses[0],
		"--metrics-bind-address=" + addresses[1],
		"--github-ca-file=" + s.GitHub.where.CAFile,
		"--allowed-addresses=127.0.0.0/8",
		"--proxy-from-environment",
		"--shutdown-timeout=10s",
	}
	arguments = slices.DeleteFunc(arguments, func(argument string) bool {
		name, _, _ := strings.Cut(argument, "=")
		return slices.Contains(s.Unknown, name)
	})
	s.Operator = controlplane.NewProcess(controlplane.Program{
		Name: "the operator", Path: s.Program,
		Args: append(append(arguments, kept...), extra...),
		Env: append([]string{
			"HOME=" + home, "TMPDIR=" + home, "KUBECONFIG=" + kubeconfig,
			"HTTPS_PROXY=" + s.proxy, "NO_PROXY=127.0.0.1",
			"GOMEMLIMIT=432MiB", // By the limit of config/manager.
		}, s.options.OperatorEnv...),
		Dir: home, LogPath: s.Path("operator.log"),
		Ready: func(ctx context.Context) error { return probe(ctx, "http://"+addresses[0]+"/readyz") },
	})
	return s.Operator.Start(ctx)
}

// outboxArguments gives the operator a folder on the file system in memory that
// every Linux has; elsewhere one on the disk, which a demonstration may have.
func (s *Stage) outboxArguments(home string) ([]string, error) {
	if s.outbox != nil {
		if err := s.outbox.Remove(); err != nil {
			return nil, err
		}
		s.outbox = nil
	}
	dir, err := controlplane.NewTempDir("/dev/shm", fmt.Sprintf("github-user-token-demo-%d-", os.Getpid()))
	if err == nil {
		opened, err := outbox.Open(dir.Path(), outbox.Options{})
		if err == nil {
			s.outbox = dir
			return []string{"--outbox-dir=" + dir.Path()}, opened.Close()
		}
		if removed := dir.Remove(); removed != nil || !errors.Is(err, outbox.ErrOnDisk) {
			return nil, errors.Join(err, removed)
		}
	}
	s.say("There is no file system in memory at /dev/shm, so the operator keeps its outbox on the disk (--outbox-allow-disk). In a cluster it is an emptyDir in memory.")
	return []string{"--outbox-dir=" + home, "--outbox-allow-disk"}, nil
}

func probe(ctx context.Context, url string) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", url, response.Status)
	}
	return nil
}
