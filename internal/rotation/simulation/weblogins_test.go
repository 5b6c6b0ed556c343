package simulation

import "testing"

// People bring codes of earlier logins, again and again, while Secrets move, go and come back: all that were sent are remembered for as
// long as they live.
func TestWebLoginCodesOfEarlierAttemptsAreNotSentAgain(t *testing.T) {
	faults := Of(Renamed, ResourceRetained, SecretDeleted, SecretImmutable, GitHubHang, NewSeed, SeedReverted, APIReplyLost, LeaseLost, APISlow)
	for _, seed := range []uint64{23, 695} {
		cfg := rareConfig(seed, faults)
		if report := Run(cfg); report.Violation != "" {
			complain(t, cfg, report)
		}
	}
}
