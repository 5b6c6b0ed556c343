package github

import "time"

// shortestShare is the part of a lifetime that Date leaves in any case. A Date of nonsense, as from a proxy, must not make
// the operator exchange again and again, nor may a clock that stays ahead.
const shortestShare = 4

// expiry is when something ends that lives for so long from the reply on: by the local time of sending or, when the local
// clock was ahead of that, by the reply's Date. shortened is by how much Date has brought it forward.
func (r *Reply) expiry(lifetime time.Duration) (at time.Time, shortened time.Duration) {
	at = r.SentAt.Add(lifetime)
	if r.Date.IsZero() || r.SentAt.Sub(r.Date) < time.Second { // Date has whole seconds.
		return at, 0
	}
	byDate, least := r.Date.Add(lifetime), r.SentAt.Add(lifetime/shortestShare)
	if byDate.Before(least) {
		byDate = least
	}
	return byDate, at.Sub(byDate)
}

// ahead is how far the local clock was ahead of the reply's Date, or behind it when it is negative. The reply was made
// between the two local times; what lies between them says nothing.
func (r *Reply) ahead(received time.Time) time.Duration {
	switch {
	case r.Date.IsZero():
		return 0
	case r.SentAt.Sub(r.Date) >= time.Second:
		return r.SentAt.Sub(r.Date)
	case received.Before(r.Date):
		return received.Sub(r.Date)
	default:
		return 0
	}
}
