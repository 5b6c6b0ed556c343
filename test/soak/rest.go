package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/githubusertoken/github-user-token-operator/hack/demo/stage"
	"github.com/githubusertoken/github-user-token-operator/test/suite"
)

// rest starts the operator anew among resources of which none is due, and says what that costs: nothing may be
// exchanged, and nothing written but for the one refresh that is asked for to see when the operator is at work.
func rest(ctx context.Context, o options, out io.Writer, s *stage.Stage, judge *judge) error {
	stopping, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	before := memoryOf(s.Operator.PID())
	if err := s.Operator.Stop(stopping); err != nil {
		return err
	}
	begin, err := takeReading(ctx, s)
	if err != nil {
		return err
	}
	exchanged, err := s.GitHub.Ledger(ctx)
	if err != nil {
		return err
	}
	started := time.Now()
	if err := s.Operator.Start(ctx); err != nil {
		return err
	}
	ready := time.Since(started)
	if _, err := refreshAll(ctx, s, 1); err != nil {
		return err
	}
	if err := judge.await(ctx, o.resources, func(f figures) bool { return f.rotations() == 1 }); err != nil {
		return fmt.Errorf("a refresh that was asked for after a restart was not made: %w", err)
	}
	atWork := time.Since(started)
	fmt.Fprintf(out, "The operator has started anew. Watching it rest for %s\n", o.rest)
	select {
	case <-ctx.Done():
		return ctx.Err()
	case err := <-s.Broken(ctx):
		return err
	case <-time.After(o.rest):
	}
	end, err := takeReading(ctx, s)
	if err != nil {
		return err
	}
	ledger, err := s.GitHub.Ledger(ctx)
	if err != nil {
		return err
	}
	counted := end.minus(begin).operators
	presented := ledger.Summary.Presentations - exchanged.Summary.Presentations
	// The one event at a start is the leader election's.
	writes := counted.count(func(o operation) bool { return o.writes() && o.resource != "events" })
	fmt.Fprintf(out, `
%d resources at rest, after a restart
  ready after                      %.1f s, a refresh was made after %.1f s (the former leader's lease included)
  refresh tokens presented         %d, one of them asked for
  writes                           %d, %d of them for that refresh
  the operator's requests          %s
  the operator's memory            %s (before the restart %s)
  processor time                   %s
`,
		o.resources, ready.Seconds(), atWork.Seconds(), presented, writes, mostWrites, counted,
		memoryOf(s.Operator.PID()), before, processorTime(s.Operator.PID()))
	var broken []error
	if presented != 1 {
		broken = append(broken, fmt.Errorf("%d refresh tokens were presented after a restart, and one was due", presented))
	}
	if writes > mostWrites {
		broken = append(broken, fmt.Errorf("%d writes were made after a restart, and one rotation is worth %d", writes, mostWrites))
	}
	return errors.Join(broken...)
}

// memoryOf is a process's own memory, and that of the files it maps, which is mostly the program.
func memoryOf(pid int) string {
	own, mapped, known := suite.MemoryOf(pid)
	if !known {
		return "unknown on this system"
	}
	return fmt.Sprintf("%d MiB of its own and %d MiB of files", own>>20, mapped>>20)
}

// processorTime is what a process has used.
func processorTime(pid int) string {
	took, known := suite.ProcessorTime(pid)
	if !known {
		return "unknown on this system"
	}
	return fmt.Sprintf("%.1f s", took.Seconds())
}
