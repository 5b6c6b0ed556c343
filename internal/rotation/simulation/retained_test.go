package simulation

import "testing"

// A pair that is to outlive its resource does, whatever admission makes of the writes by which it is let go of, and whoever
// dies meanwhile.
func TestAPairIsRetainedWhateverAdmissionMakesOfIt(t *testing.T) {
	altered := 0
	for seed := range uint64(100) {
		cfg := rareConfig(seed, Of(WebhookAlters, ResourceRetained, APISlow, APIReplyLost, Kill, WatchHeld))
		report := Run(cfg)
		altered += report.Faults[WebhookAlters]
		if report.Violation != "" {
			complain(t, cfg, report)
			return
		}
	}
	if altered < 60 {
		t.Errorf("admission has altered something in %d worlds only", altered)
	}
}
