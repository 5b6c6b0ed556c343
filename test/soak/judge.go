package main

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/githubusertoken/github-user-token-operator/hack/demo/stage"
	"github.com/githubusertoken/github-user-token-operator/test/suite"
)

// judges is how many changes are looked into at once.
const judges = 8

// judge asks the stand-in about each change that a watch of the Secrets shows.
type judge struct {
	gh      *stage.GitHub
	changes chan stage.Change
	ctx     context.Context

	mu    sync.Mutex
	found figures
}

// figures are what the changes have shown so far.
type figures struct {
	logins int
	// gaps holds, for each rotation, how long the Secret held a dead access token.
	gaps suite.Durations
	// problems are what was wrong, in words.
	problems []string
}

func (f figures) rotations() int { return len(f.gaps) }

func newJudge(ctx context.Context, gh *stage.GitHub) *judge {
	j := &judge{gh: gh, changes: make(chan stage.Change, 100_000), ctx: ctx}
	for range judges {
		go func() {
			for {
				select {
				case <-ctx.Done():
					return
				case change := <-j.changes:
					j.look(change)
				}
			}
		}()
	}
	return j
}

// saw is called by the watch, which it must not hold up.
func (j *judge) saw(change stage.Change) {
	select {
	case j.changes <- change:
	case <-j.ctx.Done():
	}
}

func (j *judge) look(change stage.Change) {
	problem := ""
	var verdict stage.Verdict
	switch change.Kind {
	case stage.LoggedIn, stage.Rotated:
		var err error
		if verdict, err = j.gh.Judge(j.ctx, change); err != nil {
			problem = err.Error()
		} else {
			problem = verdict.Problem()
		}
	default:
		problem = "the Secret was " + string(change.Kind)
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	switch change.Kind {
	case stage.LoggedIn:
		j.found.logins++
	case stage.Rotated:
		j.found.gaps = append(j.found.gaps, verdict.DeadFor)
	}
	if problem != "" {
		j.found.problems = append(j.found.problems, fmt.Sprintf("%s  %s: %s", change.SeenAt.Format(time.TimeOnly), change.Resource, problem))
	}
}

// figures are those of now.
func (j *judge) figures() figures {
	j.mu.Lock()
	defer j.mu.Unlock()
	return figures{j.found.logins, slices.Clone(j.found.gaps), slices.Clone(j.found.problems)}
}

// await waits until the figures of so many resources are as wanted.
func (j *judge) await(ctx context.Context, resources int, as func(figures) bool) error {
	ctx, cancel := context.WithTimeout(ctx, patience+time.Duration(resources)*patienceEach)
	defer cancel()
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	for {
		f := j.figures()
		if as(f) {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("after %d logins and %d rotations: %w", f.logins, f.rotations(), ctx.Err())
		case <-ticker.C:
		}
	}
}
