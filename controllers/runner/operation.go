package runner

// Operation is a kind of work, so that it can be told how much of each runs.
type Operation string

// The kinds of work.
const (
	// Exchange is that of a refresh token, until its pair is stored.
	Exchange Operation = "exchange"
	// Replay stores pairs that an earlier process has received.
	Replay Operation = "replay"
	// DeviceFlow requests a code, or asks once whether it was entered.
	DeviceFlow Operation = "device_flow"
	// Check asks GitHub whether a token is alive.
	Check Operation = "check"
	// Revocation ends tokens at GitHub.
	Revocation Operation = "revocation"
	// Handoff tells workloads of a new token.
	Handoff Operation = "handoff"
	// Scoping makes scoped tokens of a resource, and ends those that are not needed any more.
	Scoping Operation = "scoping"
)

// Operations are all of them.
func Operations() []Operation {
	return []Operation{Exchange, Replay, DeviceFlow, Check, Revocation, Handoff, Scoping}
}

// CountEach is how many pieces of work of each kind are running, those that stand aside included.
func (r *Runner) CountEach() map[Operation]int {
	r.mu.Lock()
	defer r.mu.Unlock()
	counts := map[Operation]int{}
	for _, beside := range r.beside {
		for operation, count := range beside.CountEach() {
			counts[operation] += count
		}
	}
	for _, of := range r.running {
		counts[of.Operation]++
	}
	return counts
}
