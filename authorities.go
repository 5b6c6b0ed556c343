package main

import (
	"context"
	"fmt"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"github.com/githubusertoken/github-user-token-operator/internal/cafile"
)

// caFileLook is how often the CA file is looked at when nobody connects, so that the log and the metric tell of a broken
// one before it matters.
const caFileLook = 30 * time.Second

// caFile follows the file of --github-ca-file. Each connection looks at it, too.
type caFile struct {
	*cafile.File
	look time.Duration
}

// followCAFile opens the file, and has the manager look at it, in every replica.
func followCAFile(path string, mgr manager.Manager) (*caFile, error) {
	log := mgr.GetLogger().WithName("github-ca-file")
	file, err := cafile.Open(path, func(stale error) { logCAFile(log, stale) })
	if err != nil {
		return nil, err
	}
	if _, stale := file.PEM(); stale != nil {
		logCAFile(log, stale)
	}
	follower := &caFile{File: file, look: caFileLook}
	if err := metrics.Registry.Register(follower.gauge()); err != nil {
		return nil, fmt.Errorf("register its metric: %w", err)
	}
	if err := mgr.Add(follower); err != nil {
		return nil, fmt.Errorf("have it followed: %w", err)
	}
	return follower, nil
}

func logCAFile(log logr.Logger, stale error) {
	if stale != nil {
		log.Error(stale, "The CA file cannot be read anew; what was read before counts")
		return
	}
	log.Info("The CA file was read anew")
}

func (f *caFile) gauge() prometheus.Collector {
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "githubusertoken_github_ca_file_stale", Help: "1 while the file of --github-ca-file cannot be read anew, so that what was read before counts.",
	}, func() float64 {
		if _, stale := f.PEM(); stale != nil {
			return 1
		}
		return 0
	})
}

// NeedLeaderElection implements manager.LeaderElectionRunnable.
func (f *caFile) NeedLeaderElection() bool { return false }

// Start implements manager.Runnable.
func (f *caFile) Start(ctx context.Context) error {
	ticker := time.NewTicker(f.look)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
			_, _ = f.PEM() // It tells of what has changed.
		}
	}
}
