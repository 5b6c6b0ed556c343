package chaos

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"syscall"
	"testing"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
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

// TestChaosShardsTakeOverFromOneDeploymentAndBack goes from one deployment to three and back, as a rollout does: the next processes are
// ready before the former end. Each has the lease that follows from its selector. Nothing is exchanged because of it.
func TestChaosShardsTakeOverFromOneDeploymentAndBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	w.allowLeases("github-user-token-operator-fd01617364", "github-user-token-operator-73fdc1be02", "github-user-token-operator-b5f72efdd7")
	one := w.elected()
	one.start()
	for _, name := range []string{"octocat", "hubot", "monalisa"} {
		w.subject(name)
	}
	for _, s := range w.subjects {
		s.awaitReady()
	}
	same := func(step string, presented int) {
		t.Helper()
		if got := len(w.gh.Presentations()); got != presented {
			t.Errorf("%s: %d tokens were presented", step, got-presented)
		}
	}
	rotateAll := func() {
		for _, s := range w.subjects {
			s.rotate()
		}
	}
	presented := len(w.gh.Presentations())
	var all []*replica
	for _, r := range w.shards() {
		r.args = append(r.args, one.args...)
		r.start()
		all = append(all, r)
	}
	for _, r := range all {
		r.awaitLog(working) // Each leads, by a lease of its own, beside the one that there was.
	}
	one.signal(syscall.SIGTERM)
	if code := one.exitCode(); code != 0 {
		t.Errorf("the one deployment ended with %d", code)
	}
	for i, s := range w.subjects {
		s.moveTo(shardNames[i])
	}
	same("with three deployments", presented)
	rotateAll()
	presented += len(w.subjects)
	same("when each was refreshed", presented)
	for i, r := range all {
		if !strings.Contains(r.logs(), "Asking GitHub for tokens") {
			t.Errorf("the shard %q has refreshed nothing", shardNames[i])
		}
	}

	one.start()
	for _, r := range all {
		r.signal(syscall.SIGTERM)
		if code := r.exitCode(); code != 0 {
			t.Errorf("%s ended with %d", r.name, code)
		}
	}
	same("with one deployment again", presented)
	rotateAll()
	same("when each was refreshed again", presented+len(w.subjects))
	w.judge()
}

// allowLeases lets the operator have leases of other names as well, as config/sharded does.
func (w *world) allowLeases(names ...string) {
	w.t.Helper()
	var role rbacv1.Role
	w.must(w.admin.Get(w.ctx, client.ObjectKey{Namespace: w.system, Name: "operator"}, &role))
	for i := range role.Rules {
		if len(role.Rules[i].ResourceNames) > 0 {
			role.Rules[i].ResourceNames = append(role.Rules[i].ResourceNames, names...)
		}
	}
	w.must(w.admin.Update(w.ctx, &role))
}
