package hostile

import (
	"flag"
	"time"
)

// settings are the flags. Their defaults are the short form; make hostile sets those of the long one.
var settings struct {
	resources int
	duration  time.Duration
	rate      float64
	seed      uint64
	victims   int
	apps      int
	lifetime  time.Duration
	places    int
	kills     int
	// admissionKills is what kills is, for the part with the webhook.
	admissionKills int
	admission      time.Duration
	// harms are the kinds of harm that the webhook does.
	harms   string
	figures bool
	breaks  bool
}

func init() {
	// What takes the owner or the labels off a Secret makes it somebody else's to the operator, until a person acts.
	flag.IntVar(&settings.resources, "resources", 100, "GitHubUserTokens of the hostile tenant")
	flag.DurationVar(&settings.duration, "duration", 10*time.Second, "how long the tenant acts at random")
	flag.Float64Var(&settings.rate, "rate", 50, "requests a second of the tenant meanwhile")
	flag.Uint64Var(&settings.seed, "seed", 1, "seed of what the tenant and the webhook do")
	flag.IntVar(&settings.victims, "victims", 4, "resources that behave")
	flag.IntVar(&settings.apps, "apps", 2, "GitHub Apps that the victims belong to")
	flag.DurationVar(&settings.lifetime, "lifetime", 12*time.Second, "lifetime of the victims' access tokens, in whole seconds")
	flag.IntVar(&settings.places, "places", 8, "the operator's --max-concurrent-exchanges")
	flag.IntVar(&settings.kills, "kills", 1, "how often the operator is killed with SIGKILL while the tenant acts")
	flag.IntVar(&settings.admissionKills, "admission-kills", 1, "how often it is killed while the webhook does harm")
	flag.DurationVar(&settings.admission, "admission", 10*time.Second, "how long the webhook does harm")
	flag.StringVar(&settings.harms, "harms", "all but owner stripped,labels stripped", "what the webhook does: kinds, all, or all but kinds")
	flag.BoolVar(&settings.figures, "figures", false, "hold the victims' refreshes to 5 s, or twice what a plain client takes")
	flag.BoolVar(&settings.breaks, "breaks", false, "break the operator on purpose instead, and see each break noticed")
}
