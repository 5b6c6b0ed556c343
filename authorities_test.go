package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/githubusertoken/github-user-token-operator/internal/cafile"
	"github.com/githubusertoken/github-user-token-operator/internal/github/githubtest"
)

func TestAuthoritiesBrokenCAFileIsToldOfAlthoughNobodyConnects(t *testing.T) {
	ca, err := githubtest.NewCA("enterprise")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "ca.crt")
	if err := ca.WriteFile(path); err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		var told []error
		file, err := cafile.Open(path, func(stale error) { told = append(told, stale) })
		if err != nil {
			t.Fatal(err)
		}
		follower := &caFile{File: file, look: caFileLook}
		registry := prometheus.NewRegistry()
		registry.MustRegister(follower.gauge())
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- follower.Start(ctx) }()
		want := func(tellings int, stale bool) {
			t.Helper()
			time.Sleep(caFileLook)
			synctest.Wait()
			if len(told) != tellings || tellings > 0 && (told[tellings-1] != nil) != stale {
				t.Errorf("told %v", told)
			}
			families, err := registry.Gather()
			if err != nil || len(families) != 1 || (families[0].GetMetric()[0].GetGauge().GetValue() == 1) != stale {
				t.Errorf("the metric is %v (%v), stale: %t", families, err, stale)
			}
		}
		want(0, false)
		if err := os.WriteFile(path, []byte("broken"), 0o600); err != nil {
			t.Fatal(err)
		}
		want(1, true)
		want(1, true)
		if err := ca.WriteFile(path); err != nil {
			t.Fatal(err)
		}
		want(2, false)
		cancel()
		if err := <-ended; err != nil && !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
}
