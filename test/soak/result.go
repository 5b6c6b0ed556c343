package main

import (
	"errors"
	"fmt"
	"io"

	"github.com/githubusertoken/github-user-token-operator/hack/demo/stage"
)

// result is all that was found.
type result struct {
	options options
	figures figures
	ledger  stage.Ledger
	// lost says that not every exchange came to be seen in a Secret.
	lost bool
	// audited are the operator's requests and others those of everybody else, both by the audit log; metered are
	// those that the API server's metrics count and nobody else has made.
	audited, others, metered requests
	usage                    string
}

func (r result) perRotation(count int) float64 {
	return float64(count) / float64(max(1, r.figures.rotations()))
}

func (r result) print(out io.Writer) {
	summary := r.ledger.Summary
	fmt.Fprintf(out, `
%d resources with access tokens of %s for %s
  rotations                        %d
  refresh tokens presented         %d, exchanged %d, spent twice %d, violations %d
  Secret behind GitHub             %s
  writes per rotation              %.3f (audit log)   %.3f (API server's metrics without those of others)
  reads per rotation               %.3f               %.3f
  requests that failed             %d
  the operator's requests          %s
  from the API server's metrics    %s
  others' requests                 %s
  the operator's memory at most    %s
`,
		r.options.resources, r.options.lifetime, r.options.duration, r.figures.rotations(),
		summary.Presentations, summary.Exchanges, summary.DoubleSpends, summary.Violations, r.figures.gaps,
		r.perRotation(r.audited.count(operation.writes)), r.perRotation(r.metered.count(operation.writes)),
		r.perRotation(r.audited.count(operation.reads)), r.perRotation(r.metered.count(operation.reads)),
		r.audited.failed, r.audited, r.metered, r.others, r.usage)
	for i, problem := range r.figures.problems {
		if i == 20 {
			fmt.Fprintf(out, "  and %d more\n", len(r.figures.problems)-i)
			break
		}
		fmt.Fprintf(out, "  WRONG: %s\n", problem)
	}
}

// verdict says which promises were broken.
func (r result) verdict() error {
	var broken []error
	check := func(kept bool, format string, args ...any) {
		if !kept {
			broken = append(broken, fmt.Errorf(format, args...))
		}
	}
	// Each rotates at least once in a lifetime, so in a duration that is a multiple of it.
	least := r.options.resources * int(r.options.duration/r.options.lifetime)
	check(r.figures.rotations() >= least, "there were %d rotations, and at least %d were due", r.figures.rotations(), least)
	check(r.ledger.Summary.DoubleSpends == 0, "%d refresh tokens were presented that had been spent", r.ledger.Summary.DoubleSpends)
	check(r.ledger.Summary.Violations == 0, "the stand-in holds %d things against the operator", r.ledger.Summary.Violations)
	check(r.ledger.Summary.Presentations == r.ledger.Summary.Exchanges, "%d of %d refresh tokens presented were not exchanged",
		r.ledger.Summary.Presentations-r.ledger.Summary.Exchanges, r.ledger.Summary.Presentations)
	check(!r.lost, "%d exchanges were made, and %d pairs seen in Secrets", r.ledger.Summary.Exchanges, r.figures.logins+r.figures.rotations())
	check(len(r.figures.problems) == 0, "%d changes of Secrets were not as they must be", len(r.figures.problems))
	gap := r.figures.gaps.Quantile(1)
	check(gap <= r.options.longestGap, "a Secret held a dead access token for %s, which is longer than %s", gap, r.options.longestGap)
	for what, counted := range map[string]requests{"audit log": r.audited, "metrics": r.metered} {
		writes, reads := r.perRotation(counted.count(operation.writes)), r.perRotation(counted.count(operation.reads))
		check(writes <= mostWrites, "%s: %.3f writes per rotation are more than %d", what, writes, mostWrites)
		check(reads <= mostReads, "%s: %.3f reads per rotation are more than %d", what, reads, mostReads)
	}
	return errors.Join(broken...)
}
