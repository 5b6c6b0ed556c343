package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"

	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/manager"
)

// readiness is what must hold before this process may take the place of another: a rollout stops at the first pod of a
// version that cannot work here. Who is the leader is no part of it, since a replica that waits for the lease is as good.
//
// Each check is asked until it has passed once. A pod that is not ready is the first that a rollout deletes and that a drain
// may evict, and what a running operator may come to lack (its permissions, room in the outbox) is lacking just when it
// may hold pairs that are not stored: conditions and metrics tell of that.
type readiness map[string]healthz.Checker

// wantOnce adds a check, by the name under which /readyz?verbose tells of it.
func (r readiness) wantOnce(name string, check healthz.Checker) {
	log := ctrl.Log.WithName("ready").WithValues("check", name)
	var (
		mu     sync.Mutex
		passed bool
		last   string
	)
	r[name] = func(request *http.Request) error {
		mu.Lock()
		defer mu.Unlock()
		if passed {
			return nil
		}
		if err := check(request); err != nil {
			if text := err.Error(); text != last { // The answer to the probe withholds it.
				last = text
				log.Info("Not ready", "reason", text)
			}
			return err
		}
		passed = true
		return nil
	}
}

// wantCaches adds the check that the manager's caches hold what they are to hold.
func (r readiness) wantCaches(mgr manager.Manager) error {
	caches := &synced{}
	if err := mgr.Add(caches); err != nil {
		return fmt.Errorf("follow the caches: %w", err)
	}
	r.wantOnce("caches", caches.ready)
	return nil
}

// errNotSynced: the caches are not complete yet.
var errNotSynced = errors.New("the API server has not listed everything yet")

// synced is started by the manager when its caches are complete, in every replica.
type synced struct{ done atomic.Bool }

// Start implements manager.Runnable.
func (s *synced) Start(context.Context) error {
	s.done.Store(true)
	return nil
}

// NeedLeaderElection implements manager.LeaderElectionRunnable.
func (*synced) NeedLeaderElection() bool { return false }

func (s *synced) ready(*http.Request) error {
	if !s.done.Load() {
		return errNotSynced
	}
	return nil
}
