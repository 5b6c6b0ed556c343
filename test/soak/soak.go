package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/githubusertoken/github-user-token-operator/hack/demo/stage"
	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/test/suite"
)

// What is promised.
const (
	promisedGap = time.Second
	mostWrites  = 3
	mostReads   = 1
)

const (
	clientID     = "Iv23liSoak"
	clientSecret = "soak-client-secret"
	// patience is how long things may take that have no bound of their own, and patienceEach how much longer with
	// each resource.
	patience     = 2 * time.Minute
	patienceEach = 20 * time.Millisecond
)

type options struct {
	resources int
	lifetime  time.Duration
	duration  time.Duration
	// bursts is how often all resources are asked to be refreshed at once.
	bursts int
	// rest, when it is not zero, is how long to watch the operator after a restart in place of rotations.
	rest time.Duration
	// longestGap is how long a Secret may hold a dead access token.
	longestGap time.Duration
	// operatorArguments are put behind the others.
	operatorArguments []string
}

// run sets everything up, measures, and says what it found. The error says which promises were broken.
func run(ctx context.Context, o options, out io.Writer) error {
	s, err := stage.Start(ctx, stage.Options{Log: out, AuditPolicy: suite.AuditPolicy})
	if err != nil {
		return err
	}
	defer s.Stop()
	if err := s.StartGitHub(ctx, stage.GitHubOptions{
		Apps:                []stage.App{{ClientID: clientID, Secret: credential.NewClientSecret(clientSecret)}},
		AccessTokenLifetime: o.lifetime,
	}); err != nil {
		return err
	}
	arguments := append([]string{"--token-requests-per-hour=0"}, o.operatorArguments...)
	if err := s.StartOperator(ctx, arguments...); err != nil {
		return err
	}
	judge := newJudge(ctx, s.GitHub)
	if err := s.Watch(ctx, stage.Watcher{Pair: judge.saw}); err != nil {
		return err
	}
	fmt.Fprintf(out, "Applying %d resources at once\n", o.resources)
	if err := createResources(ctx, s, o.resources); err != nil {
		return err
	}
	// Between the logins and the first rotations nothing happens: what is counted begins there.
	if err := judge.await(ctx, o.resources, func(f figures) bool { return f.logins == o.resources }); err != nil {
		return fmt.Errorf("not all resources were logged in: %w; the end of the operator's log:\n%s", err, s.Operator.LogTail())
	}
	if err := settled(ctx, s, o.resources); err != nil {
		return err
	}
	if o.rest > 0 {
		return rest(ctx, o, out, s, judge)
	}
	begin, err := takeReading(ctx, s)
	if err != nil {
		return err
	}
	if n := judge.figures().rotations(); n > 0 {
		return fmt.Errorf("%d rotations happened before all %d resources were ready: choose a longer --lifetime", n, o.resources)
	}
	fmt.Fprintf(out, "All are ready. Measuring for %s\n", o.duration)
	if err := watchOver(ctx, o, out, s, judge); err != nil {
		return err
	}
	// The operator ends what it has begun, so that every rotation is counted whole.
	usage := suite.Memory(suite.PeakMemory(s.Operator.PID()))
	stopping, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if err := s.Operator.Stop(stopping); err != nil {
		return err
	}
	ledger, err := s.GitHub.Ledger(ctx)
	if err != nil {
		return err
	}
	lost := judge.await(ctx, o.resources, func(f figures) bool { return f.logins+f.rotations() == ledger.Summary.Exchanges })
	end, err := takeReading(ctx, s)
	if err != nil {
		return err
	}
	counted := end.minus(begin)
	result := result{
		options: o, figures: judge.figures(), ledger: ledger, lost: lost != nil,
		audited: counted.operators, others: counted.others, metered: counted.metered.minus(counted.others), usage: usage,
	}
	result.print(out)
	return result.verdict()
}

// watchOver lets time pass, says how it goes, and ends early if the operator does.
func watchOver(ctx context.Context, o options, out io.Writer, s *stage.Stage, judge *judge) error {
	over := time.NewTimer(o.duration)
	defer over.Stop()
	burst := time.NewTicker(o.duration / time.Duration(o.bursts+1))
	defer burst.Stop()
	bursts := 0
	progress := time.NewTicker(30 * time.Second)
	defer progress.Stop()
	begin := time.Now()
	broken := s.Broken(ctx)
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case err := <-broken:
			return err
		case <-progress.C:
			f := judge.figures()
			fmt.Fprintf(out, "%4.0f s  %d rotations, the Secret behind GitHub for %s\n", time.Since(begin).Seconds(), f.rotations(), f.gaps)
		case <-burst.C:
			if bursts == o.bursts {
				continue
			}
			bursts++
			took, err := refreshAll(ctx, s, o.resources)
			if err != nil {
				return err
			}
			fmt.Fprintf(out, "%4.0f s  asked for a refresh of all, which took %.1f s\n", time.Since(begin).Seconds(), took.Seconds())
		case <-over.C:
			return nil
		}
	}
}
