package ratelimit

import "time"

// share is what keeps one namespace from using up the burst of a queue, so that another one that comes has a turn at
// once, and not after all that the first has caused has flowed in again. A namespace may go while it has used less
// than three times of what is left: alone it uses three quarters of the burst, and two use three sevenths each. It
// costs nobody any of the limit: what flows in is given out as before, only with more left in the bucket. This is
// the dynamic threshold of shared-memory switches (Choudhury and Hahne, 1998).
//
// What a namespace has used is forgotten in the measure in which the bucket fills again.
type share struct {
	used map[string]float64
	// missing is how much was missing in the bucket when used was true.
	missing float64
}

// perLeft is how much of the burst a namespace may use for each turn that is left.
const perLeft = 3

// settle forgets what has flowed in since.
func (s *share) settle(missing float64) {
	if s.missing > 0 && missing < s.missing {
		kept := max(0, missing) / s.missing
		for namespace, used := range s.used {
			if used *= kept; used < 0.05 {
				delete(s.used, namespace)
			} else {
				s.used[namespace] = used
			}
		}
	}
	s.missing = missing
}

func (s *share) use(namespace string) {
	if s.used == nil {
		s.used = map[string]float64{}
	}
	s.used[namespace]++
	s.missing++
}

// fill is how many tokens there must be in the bucket for a namespace's next turn. It is more than any bucket
// holds when turns that are held must be used before.
func (q *queue) fill(namespace string, now time.Time) float64 {
	held, own := float64(len(q.held)), 0.0
	if q.budget == nil {
		return 0
	}
	for _, t := range q.held {
		if t.Namespace == namespace {
			own++
		}
	}
	burst := float64(q.budget.Burst())
	q.share.settle(burst - q.budget.TokensAt(now))
	part := 0.0 // of what is missing, that the namespace has used
	if q.share.missing > 0 {
		part = min(1, q.share.used[namespace]/q.share.missing)
	}
	// It has used part*(burst-fill), and holds own. That is to be less than perLeft*(fill-held).
	const epsilon = 1e-6
	return max(held+1, (part*burst+own+perLeft*held)/(perLeft+part)+epsilon)
}
