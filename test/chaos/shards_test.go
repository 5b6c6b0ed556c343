package chaos

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/githubusertoken/github-user-token-operator/internal/github/githubtest"
)

// shardKey is the label by which the shards of these tests select.
const shardKey = "sharding.fluxcd.io/key"

// shardNames are the values of that label. What bears none is the first replica's.
var shardNames = []string{"", "shard1", "shard2"}

// shards prepares three pods that share the resources by label.
func (w *world) shards() (all []*replica) {
	for _, selector := range []string{shardKey + " notin (shard1,shard2)", shardKey + "=shard1", shardKey + "=shard2"} {
		all = append(all, w.replica("--watch-label-selector="+selector))
	}
	return all
}

// moveTo gives the resource the label of a shard.
func (s *subject) moveTo(shard string) {
	s.w.t.Helper()
	value := "null"
	if shard != "" {
		value = fmt.Sprintf("%q", shard)
	}
	totals.fault("label moved")
	s.w.must(s.w.admin.Patch(s.w.ctx, s.object(), client.RawPatch(types.MergePatchType, fmt.Appendf(nil, `{"metadata":{"labels":{%q:%s}}}`, shardKey, value))))
}

// TestChaosShardsKilledWhileLabelsMove has three processes share resources that rotate all the time, while labels move between them
// and one after the other is killed: no refresh token is spent twice, no pair is lost but where it must be, and each resource goes on.
func TestChaosShardsKilledWhileLabelsMove(t *testing.T) {
	t.Parallel()
	subjects, kills := 18, 3
	if long {
		subjects, kills = 60, 30
	}
	w := newWorld(t, worldOptions{app: githubtest.App{AccessTokenLifetime: loadLifetime}})
	all := w.shards()
	w.load(subjects)
	for _, r := range all {
		r.start()
	}
	for i, s := range w.subjects {
		s.moveTo(shardNames[i%3])
	}
	w.random = &history{}
	for i := range kills {
		w.awaitExchanges(subjects/2 + rand.IntN(subjects))
		for _, j := range rand.Perm(subjects)[:subjects/6] {
			w.subjects[j].moveTo(shardNames[rand.IntN(3)])
		}
		r := all[i%3]
		k := killed{at: r.kill(), kept: map[string]bool{}}
		if i%4 == 2 {
			r.freshOutbox()
		} else {
			for _, record := range r.kept() {
				if found, err := record.Reply.Tokens(); err == nil {
					k.kept[githubtest.Fingerprint(found.AccessToken.Reveal())] = true
				}
			}
		}
		w.random.kills = append(w.random.kills, k)
		for _, j := range rand.Perm(subjects)[:subjects/6] { // While its shard is gone.
			w.subjects[j].moveTo(shardNames[rand.IntN(3)])
		}
		r.start()
	}
	w.calm(kills)
	w.settle(time.Time{})
	for i, r := range all {
		if !strings.Contains(r.logs(), "Asking GitHub for tokens") {
			t.Errorf("the shard %q has served nothing", shardNames[i])
		}
	}
	w.judge()
}

// TestChaosShardFinishesWhatItHasBegun moves a resource while the reply to its exchange is on its way and the commit is refused: the
// one that has received the pair stores it, though the resource is another's by then.
func TestChaosShardFinishesWhatItHasBegun(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	all := w.shards()
	for _, r := range all {
		r.start()
	}
	s := w.subject("octocat")
	s.moveTo("shard1")
	s.awaitReady()
	s.rotate() // By its shard: what has moved is left alone for half a minute.
	held := all[1].proxy.inject(holdRequest(s.commit()))
	s.request()
	w.arrived("the commit", held.arrived)
	s.moveTo("shard2")
	all[1].proxy.remove(held)
	at := all[1].kill() // Its outbox has the pair.
	if len(all[1].kept()) != 1 {
		t.Fatal("the pair is not in the outbox")
	}
	all[1].start()
	w.settle(at)
	if newest, _ := w.gh.Last(s.logins[0]); s.holds() != newest.RefreshToken {
		t.Error("the pair was not stored by whoever had received it")
	}
	s.rotate()
	w.judge()
}
