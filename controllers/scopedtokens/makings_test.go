package scopedtokens

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
)

// However many outputs there are and however often the user's token is exchanged: GitHub makes a bounded number of tokens within an hour, whatever
// process asks, the resource says so, and when the hour is over each output has one of the user's present token.
func TestScopedTokensMadeInAnHourAreBounded(t *testing.T) {
	for outputs := 1; outputs <= 4; outputs++ {
		for _, every := range []time.Duration{time.Minute, 10 * time.Minute, 25 * time.Minute, 6 * time.Hour} {
			t.Run(fmt.Sprintf("%d outputs, every %s", outputs, every), func(t *testing.T) {
				var specs []v1alpha1.Output
				for n := range outputs {
					specs = append(specs, named(fmt.Sprint("agent", n)))
				}
				w := newWorld(t, specs...)
				made := []time.Duration{}
				told := false
				for n := range 24 {
					w.exchange(fmt.Sprint("ghu_user", n))
					before := w.hub.made
					w.publish()
					w.restart()
					found, at := w.settled()
					for range w.hub.made - before {
						made = append(made, w.clock.Mono)
					}
					if found != nil {
						told = true
						if found.Reason != v1alpha1.ReasonScopedTokenNotMade || found.Stalled || !strings.Contains(found.Message, "within an hour") {
							t.Fatalf("it says %+v", found)
						}
						if at.After(w.clock.Now().Add(madeTime)) || !at.After(w.clock.Now()) {
							t.Errorf("it is tried again at %s, now it is %s", at, w.clock.Now())
						}
					} else if (n+1)*outputs <= maxMade && w.hub.made != (n+1)*outputs {
						t.Errorf("after %d exchanges %d were made", n+1, w.hub.made)
					}
					w.clock.Mono += every
				}
				for i := maxMade; i < len(made); i++ {
					if within := made[i] - made[i-maxMade]; within < madeTime {
						t.Fatalf("%d were made within %s", maxMade+1, within)
					}
				}
				if many := (int((madeTime-1)/every)+1)*outputs > maxMade; told != many {
					t.Errorf("it was told: %t, want %t", told, many)
				}
				for range 70 {
					w.clock.Mono += time.Minute
					w.settled()
				}
				for _, o := range specs {
					if token, _ := w.held(o.Name); !w.hub.alive[token] || w.ledger(o.Name).Current.Parent != w.pairs.pair.State.AccessToken {
						t.Errorf("after an hour %s holds no token of the present one", o.Name)
					}
				}
			})
		}
	}
}

// Whoever deletes outputs and renames them has no more made, as far as this process knows.
func TestScopedTokensMadeForOutputsThatAreGoneCount(t *testing.T) {
	w := newWorld(t)
	for n := range 3 * maxMade {
		w.token.Generation++
		w.token.Spec.Outputs = []v1alpha1.Output{named(fmt.Sprint("agent", n))}
		w.settled()
		w.clock.Mono += 20 * time.Second
	}
	if w.hub.made != maxMade {
		t.Errorf("%d were made, want %d", w.hub.made, maxMade)
	}
}
