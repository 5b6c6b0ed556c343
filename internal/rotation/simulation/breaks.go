package simulation

// Break is a rule of the protocol that a run breaks on purpose, at the edge of the protocol's code.
type Break string

// The breaks that need no change to the protocol's code. All others are in mutants_test.go.
const (
	BreakNone                Break = ""
	BreakFenceDropped        Break = "fence dropped"
	BreakFenceUnconditional  Break = "fence not under resourceVersion"
	BreakOutboxSkipped       Break = "outbox skipped"
	BreakReplaySkipped       Break = "outbox not replayed at start"
	BreakReplayByLeader      Break = "outbox replayed by the leader only"
	BreakDeadlineNotEnforced Break = "deadline not enforced when sending"
	BreakRemoveByUID         Break = "Secret removed by UID only"
	BreakCreatedForNobody    Break = "Secret created for a resource that has gone left there"
)
