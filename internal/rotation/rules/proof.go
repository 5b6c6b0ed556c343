package rules

// Proof is what GitHub says of the access token of a pair that was restored from a backup, or copied from
// another cluster. An exchange ends both tokens of a pair, so as long as the access token is alive nobody has
// exchanged the refresh token that came with it, and the pair is the current one.
type Proof int

const (
	// ProofNone: GitHub was not asked yet.
	ProofNone Proof = iota
	// ProofAlive: the access token works, so the pair is the current one.
	ProofAlive
	// ProofDead: the access token does not work. It may have expired, or the pair is not the current one.
	ProofDead
)
