package simulation

import "slices"

// Shrink makes a run that breaks an invariant smaller, in at most so many tries: fewer kinds of faults, fewer
// resources and replicas, and in the end only those faults that matter. What it returns breaks one, too.
func Shrink(cfg Config, tries int) Config {
	fails := func(smaller Config) bool {
		if tries <= 0 {
			return false
		}
		tries--
		smaller.Trace = nil
		return Run(smaller).Violation != ""
	}
	for kind := range faultCount {
		smaller := cfg
		smaller.Faults = cfg.Faults.Without(kind)
		if smaller.Faults != cfg.Faults && fails(smaller) {
			cfg = smaller
		}
	}
	cfg = fewerResources(cfg, fails)
	for replicas := 1; replicas < cfg.Replicas; replicas++ {
		smaller := cfg
		smaller.Replicas = replicas
		if fails(smaller) {
			cfg = smaller
			break
		}
	}
	cfg = fewerResources(fewerFaults(cfg, fails), fails)
	for kind := range faultCount {
		smaller := cfg
		smaller.Faults = cfg.Faults.Without(kind)
		if smaller.Faults != cfg.Faults && Run(quiet(smaller)).Violation != "" {
			cfg = smaller
		}
	}
	return onlyHits(cfg)
}

// onlyHits leaves out the single faults that do not happen any more, since others were left out. It changes nothing else.
func onlyHits(cfg Config) Config {
	if cfg.Only == nil {
		return cfg
	}
	return only(cfg, Run(quiet(cfg)).hits)
}

// only is a run in which no other faults happen.
func only(cfg Config, hits []string) Config {
	cfg.Only = map[string]bool{}
	for _, hit := range hits {
		cfg.Only[hit] = true
	}
	return cfg
}

func fewerResources(cfg Config, fails func(Config) bool) Config {
	for _, resources := range []int{1, 2, 3, 5, 10, 20} {
		smaller := cfg
		smaller.Resources = resources
		if resources < cfg.Resources && fails(smaller) {
			return smaller
		}
	}
	return cfg
}

// fewerFaults leaves out as many single faults as it can: first large parts of them, then small ones.
func fewerFaults(cfg Config, fails func(Config) bool) Config {
	hits := Run(quiet(cfg)).hits
	for size := len(hits); size > 0; size /= 2 {
		for from := 0; from < len(hits); {
			kept := slices.Delete(slices.Clone(hits), from, min(from+size, len(hits)))
			if smaller := only(cfg, kept); fails(smaller) {
				hits, cfg = kept, smaller
			} else {
				from += size
			}
		}
	}
	return cfg
}

func quiet(cfg Config) Config {
	cfg.Trace = nil
	return cfg
}
