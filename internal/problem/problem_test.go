package problem

import (
	"testing"
	"time"
)

func TestProblemFirst(t *testing.T) {
	blocking := &Problem{Reason: "Blocking"}
	stalled, retried := &Problem{Reason: "Stalled", Aside: true, Stalled: true}, &Problem{Reason: "Retried", Aside: true}
	other := &Problem{Reason: "Other", Aside: true}
	for name, c := range map[string]struct {
		of   []*Problem
		want *Problem
	}{
		"none":                 {nil, nil},
		"nothing but absences": {[]*Problem{nil, nil}, nil},
		"what holds up the exchange goes first, wherever it stands": {[]*Problem{stalled, retried, blocking}, blocking},
		"what waits for somebody goes before what is tried again":   {[]*Problem{retried, stalled}, stalled},
		"among equals the order decides":                            {[]*Problem{nil, retried, other}, retried},
	} {
		t.Run(name, func(t *testing.T) {
			if got := First(c.of...); got != c.want {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
		})
	}
}

func TestProblemSentence(t *testing.T) {
	p := &Problem{Message: "GitHub does not answer."}
	if got := p.Sentence(); got != "GitHub does not answer." {
		t.Error(got)
	}
	p.RetryAt = time.Date(2026, 3, 4, 7, 6, 7, 0, time.FixedZone("", 7200))
	if got := p.Sentence(); got != "GitHub does not answer. The next try is at 2026-03-04T05:06:07Z." {
		t.Error(got)
	}
}
