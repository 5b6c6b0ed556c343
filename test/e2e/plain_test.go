//go:build e2e

package e2e

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

// atOnce is how many tokens are rotated in one round of the measure without handoff. Each pod mounts all of
// their Secrets, so that a hundred rotations do not take a hundred of the kubelet's periods.
const atOnce = 20

// plainSpread is the time over which the rotations of a round are spread, as long as the kubelet's period, so
// that they come at any moment of it.
const plainSpread = 70 * time.Second

// TestE2EPodsReadTheNewTokenByThemselves measures the time from the moment in which GitHub ends the old access
// token to the moment in which a pod reads the new one from its volume, when nobody tells the kubelet.
func TestE2EPodsReadTheNewTokenByThemselves(t *testing.T) {
	t.Parallel()
	const namespace = "plain"
	newNamespace(t, namespace, "restricted")
	var tokens []token
	j := job{namespace: namespace, name: "plain-reader", args: []string{"watch"}, replicas: readers}
	for i := range min(atOnce, plainRotations) {
		k := loginAs(t, namespace, fmt.Sprintf("user-%d", i))
		tokens = append(tokens, k)
		j.secrets = append(j.secrets, k.name+"-token")
		j.args = append(j.args, "/github/"+k.name+"-token/access_token")
	}
	deploy(t, j)
	for _, k := range tokens {
		awaitReaders(t, j.name, fingerprint(k.newest()))
	}
	var each, slowest times
	for done := 0; done < plainRotations; {
		round := tokens[:min(len(tokens), plainRotations-done)]
		rotated := rotateSpread(round)
		for _, r := range rotated {
			var last time.Duration
			for _, at := range awaitReaders(t, j.name, fingerprint(r.after)) {
				each = append(each, at.Sub(r.died))
				last = max(last, at.Sub(r.died))
			}
			slowest = append(slowest, last)
		}
		done += len(round)
	}
	slices.Sort(each)
	slices.Sort(slowest)
	t.Logf("without handoff, %d rotations, %d pods: each pod %s; the slowest pod of each rotation %s",
		len(slowest), readers, each, slowest)
	if told := lastPodTold(t, namespace); !told.IsZero() {
		t.Error("pods were told of the new token, but nobody asked for that")
	}
	checkLedger(t)
}

// rotateSpread rotates each token once, one after the other over plainSpread.
func rotateSpread(tokens []token) []rotation {
	var rotated []rotation
	begin := time.Now()
	for i, k := range tokens {
		time.Sleep(time.Until(begin.Add(plainSpread * time.Duration(i) / time.Duration(len(tokens)))))
		rotated = append(rotated, k.rotate())
	}
	return rotated
}

// awaitReaders waits until all pods of a measure have read a token, and says when each did.
func awaitReaders(t *testing.T, prefix, fingerprint string) map[string]time.Time {
	t.Helper()
	var seen map[string]time.Time
	eventually(t, 3*time.Minute, "every pod reads the new token", func() error {
		if seen = reports.seenBy(prefix, fingerprint); len(seen) < readers {
			return fmt.Errorf("%d of %d pods", len(seen), readers)
		}
		return nil
	})
	return seen
}
