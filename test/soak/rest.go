package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/githubusertoken/github-user-token-operator/hack/demo/stage"
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

var memoryLine = regexp.MustCompile(`(?m)^(RssAnon|RssFile):\s+(\d+) kB$`)

// memoryOf is a process's own memory, and that of the files it maps, which is mostly the program.
func memoryOf(pid int) string {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return "unknown on this system"
	}
	kilobytes := map[string]int{}
	for _, match := range memoryLine.FindAllStringSubmatch(string(status), -1) {
		kilobytes[match[1]], _ = strconv.Atoi(match[2]) // the pattern allows digits only
	}
	return fmt.Sprintf("%d MiB of its own and %d MiB of files", kilobytes["RssAnon"]/1024, kilobytes["RssFile"]/1024)
}

// ticksPerSecond is the unit in which Linux tells times of processes, on every architecture that Go supports.
const ticksPerSecond = 100

// processorTime is what a process has used.
func processorTime(pid int) string {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return "unknown on this system"
	}
	// The second field is the program's name in parentheses, and may hold spaces; 14 and 15 are the times.
	_, rest, _ := strings.Cut(string(stat), ") ")
	fields := strings.Fields(rest)
	if len(fields) < 13 {
		return "unknown on this system"
	}
	ticks := 0
	for _, field := range fields[11:13] {
		n, err := strconv.Atoi(field)
		if err != nil {
			return "unknown on this system"
		}
		ticks += n
	}
	return fmt.Sprintf("%.1f s", float64(ticks)/ticksPerSecond)
}
