package rotation

import "context"

// Unwritten is what could not be written yet after an exchange.
type Unwritten string

const (
	// UnwrittenPair is a received pair. The outbox keeps it until it is stored.
	UnwrittenPair Unwritten = "pair"
	// UnwrittenVerdict is that GitHub refused a token. It is given up after some tries.
	UnwrittenVerdict Unwritten = "verdict"
	// UnwrittenRefusal is that a received pair is not wanted. The outbox keeps the pair until that is written, and the pair
	// is not ended before.
	UnwrittenRefusal Unwritten = "refusal"
)

// verdictTries is how often in a row a verdict is tried to be written. It can wait; the exchanges of others cannot.
const verdictTries = 6

// refusal is a token that GitHub refused.
type refusal struct {
	finding finding
	// cause is GitHub's answer.
	cause error
	// pair is the Secret as it was last seen.
	pair *Pair
}

// record writes down that GitHub refused a token. When that cannot be written it is given up, and the intent stays. That
// is safe: whoever wants to send the token again has to write a fence over the intent first, and this process, which
// knows what GitHub said, writes the verdict in place of that.
func (r *Rotator) record(ctx context.Context, owner Owner, ref Ref, refused refusal) Result {
	result, err := r.condemn(ctx, owner, ref, &refused.finding, Result{Outcome: Rejected, Err: refused.cause}, UnwrittenVerdict)
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.unrecorded, owner.UID)
	if err == nil {
		return result
	}
	if r.unrecorded == nil {
		r.unrecorded = map[string]refusal{}
	}
	refused.pair = refused.pair.WithoutTokens()
	r.unrecorded[owner.UID] = refused
	return Result{Outcome: Unrecorded, Pair: refused.pair, Err: err}
}

// unrecordedFor is the refusal that is still to be written down before a token may be sent again.
func (r *Rotator) unrecordedFor(job Job) (refused refusal, left bool) {
	if job.Pair == nil {
		return refusal{}, false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	refused, left = r.unrecorded[job.Owner.UID]
	if intent := job.Pair.Intent; intent != nil {
		left = left && refused.finding.intentID == intent.ID
	} else {
		left = left && refused.finding.altered // The intent was taken back with the verdict, of which admission has left nothing.
	}
	return refused, left && refused.finding.spent == job.Decision.Spends
}
