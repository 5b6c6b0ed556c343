package shard

import (
	"slices"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/predicate"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/memory"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

const key = "sharding.fluxcd.io/key"

func parsed(t *testing.T, text string) Selector {
	t.Helper()
	selector, err := Parse(text)
	if err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	return selector
}

func labelled(labels map[string]string) *v1alpha1.GitHubUserToken {
	return &v1alpha1.GitHubUserToken{ObjectMeta: metav1.ObjectMeta{UID: "uid-1", Labels: labels, Finalizers: []string{v1alpha1.Finalizer}}}
}

func inShard(name string) *v1alpha1.GitHubUserToken { return labelled(map[string]string{key: name}) }

func TestShardSelectsByLabel(t *testing.T) {
	for _, c := range []struct {
		selector string
		served   []*v1alpha1.GitHubUserToken
		others   []*v1alpha1.GitHubUserToken
	}{
		{"", []*v1alpha1.GitHubUserToken{labelled(nil), inShard("shard1")}, nil},
		{key + "=shard1", []*v1alpha1.GitHubUserToken{inShard("shard1")}, []*v1alpha1.GitHubUserToken{labelled(nil), inShard("shard2")}},
		{"!" + key, []*v1alpha1.GitHubUserToken{labelled(nil), labelled(map[string]string{"a": "b"})}, []*v1alpha1.GitHubUserToken{inShard("shard1")}},
		{key + " notin (shard1, shard2)", []*v1alpha1.GitHubUserToken{labelled(nil), inShard("shard3")}, []*v1alpha1.GitHubUserToken{inShard("shard1"), inShard("shard2")}},
	} {
		selector := parsed(t, c.selector)
		for _, token := range c.served {
			if !selector.Selects(token) {
				t.Errorf("%q does not select %v", c.selector, token.Labels)
			}
		}
		for _, token := range c.others {
			if selector.Selects(token) {
				t.Errorf("%q selects %v", c.selector, token.Labels)
			}
		}
		if got, want := selector.SelectsUnlabelled(), selector.Selects(labelled(nil)); got != want {
			t.Errorf("%q: what bears no label is its own: %v", c.selector, got)
		}
	}
	if (Selector{}).LeaseName("base") != "base" || !(Selector{}).Selects(inShard("shard1")) {
		t.Error("without a selector there is another lease, or not everything is selected")
	}
}

// Two deployments with one selector must never lead both, however it is spelt, and two with others must.
func TestShardLeaseIsTheSelectors(t *testing.T) {
	same := [][]string{
		{key + "=shard1", key + "==shard1", " " + key + " in (shard1) ", key + "=shard1," + key + "=shard1"},
		{key + " in (shard1,shard2)", key + " in ( shard2, shard1 )", key + " in (shard1,shard2,shard2)"},
		{key + "!=shard1", key + " notin (shard1)"},
		{"!" + key},
		{key},
		{"a=b,c", "c,a=b", "c , a in (b)"},
		{"a>3"},
		{"a=", "a in ()"},
	}
	names := map[string]int{"base": -1}
	for i, spellings := range same {
		first := parsed(t, spellings[0]).LeaseName("base")
		if other, taken := names[first]; taken {
			t.Errorf("%q has the lease of group %d", spellings[0], other)
		}
		names[first] = i
		for _, text := range spellings {
			if got := parsed(t, text).LeaseName("base"); got != first {
				t.Errorf("%q has the lease %s, and %q %s", text, got, spellings[0], first)
			}
		}
	}
	if _, err := Parse("a in"); err == nil {
		t.Error("what is no selector was read as one")
	}
	if got := parsed(t, "c,"+key+"=a,"+key+"!=b").Keys(); !slices.Equal(got, []string{"c", key}) {
		t.Errorf("its keys are %v", got)
	}
}

func TestShardSharesNeverExceedALimit(t *testing.T) {
	for _, c := range []struct {
		text        string
		limit, want int
	}{
		{"1", 2000, 2000}, {"1/3", 2000, 666}, {"25%", 2000, 500}, {"2/3", 60, 40}, {"1/3", 0, 0}, {"1/3", 1, 1}, {" 1/2 ", 3, 1}, {"100%", 7, 7},
	} {
		share, err := ParseShare(c.text)
		if err != nil {
			t.Fatalf("%q: %v", c.text, err)
		}
		if got := share.Of(c.limit); got != c.want {
			t.Errorf("%s of %d is %d, want %d", c.text, c.limit, got, c.want)
		}
	}
	if (Share{}).Of(2000) != 2000 {
		t.Error("no share is not all of it")
	}
	for _, text := range []string{"", "0", "2", "4/3", "1/0", "-1/3", "0%", "101%", "1/3%", "0.5", "1/2000", "one"} {
		if share, err := ParseShare(text); err == nil {
			t.Errorf("%q is read as the share %v", text, share)
		}
	}
	limits := limits{}
	Limits{Share{1, 3}, limits}.SetLimit("app", 100)
	Limits{Share{1, 3}, limits}.SetLimit("none", 0)
	if limits["app"] != 33 || limits["none"] != 0 {
		t.Errorf("the limits are %v", limits)
	}
}

type limits map[string]int

func (l limits) SetLimit(app string, perHour int) { l[app] = perHour }

type clock struct{ now time.Duration }

func (c *clock) Monotonic() time.Duration { return c.now }

func TestShardHandoverWaitsForWhoeverMayBeAtWork(t *testing.T) {
	time0 := &clock{time.Hour}
	handover := NewHandover(time0, memory.NewStore())
	token := inShard("shard1")
	if wait := handover.Wait(token); wait != 0 {
		t.Errorf("a resource that nobody else has served is left alone for %s", wait)
	}
	handover.Arrived(token.UID)
	if wait := handover.Wait(token); wait != rotation.IntentTimeout {
		t.Errorf("a resource that has moved is left alone for %s, want %s", wait, rotation.IntentTimeout)
	}
	time0.now += rotation.IntentTimeout - time.Second
	if wait := handover.Wait(token); wait != time.Second {
		t.Errorf("then for %s", wait)
	}
	time0.now += time.Second
	if wait := handover.Wait(token); wait != 0 {
		t.Errorf("and at the end for %s", wait)
	}
	token.UID = "uid-2"
	token.Finalizers = nil
	handover.Arrived(token.UID)
	if wait := handover.Wait(token); wait != 0 {
		t.Errorf("one that nobody has begun with is left alone for %s", wait)
	}
}

func TestShardEvents(t *testing.T) {
	var arrived []types.UID
	remembered := map[types.UID]bool{}
	events := Events(parsed(t, key+"=shard1"), predicate.GenerationChangedPredicate{},
		func(uid types.UID) { arrived = append(arrived, uid) }, func(uid types.UID) bool { return remembered[uid] })
	changed := inShard("shard1")
	changed.Generation = 2
	strangers := inShard("shard2")
	another := inShard("shard1")
	another.UID = "uid-2"
	strangersChanged := inShard("shard2")
	strangersChanged.Generation = 2
	for _, c := range []struct {
		name          string
		before, after *v1alpha1.GitHubUserToken
		remembered    bool
		want          bool
		arrives       bool
	}{
		{"its own that is as it was", inShard("shard1"), inShard("shard1"), true, false, false},
		{"its own that has changed", inShard("shard1"), changed, true, true, false},
		{"one that becomes its own", strangers, inShard("shard1"), false, true, true},
		{"another of the name that is its own", strangers, another, false, true, false},
		{"one that becomes another's", inShard("shard1"), strangers, true, true, false},
		{"another's of which nothing is known", strangers, strangersChanged, false, false, false},
		{"another's of which something is remembered", strangers, strangers, true, true, false},
	} {
		arrived, remembered["uid-1"] = nil, c.remembered
		if got := events.Update(event.UpdateEvent{ObjectOld: c.before, ObjectNew: c.after}); got != c.want {
			t.Errorf("%s: it is let through: %v", c.name, got)
		}
		if (len(arrived) > 0) != c.arrives {
			t.Errorf("%s: it arrives: %v", c.name, arrived)
		}
	}
	if events.Create(event.CreateEvent{Object: strangers}) || !events.Create(event.CreateEvent{Object: changed}) {
		t.Error("at the start others' resources are looked at, or its own are not")
	}
	if !events.Delete(event.DeleteEvent{Object: strangers}) {
		t.Error("what another's resource has left behind is not released")
	}
	moved := Moved(parsed(t, key+"=shard1"))
	if !moved.Update(event.UpdateEvent{ObjectOld: strangers, ObjectNew: changed}) || moved.Update(event.UpdateEvent{ObjectOld: changed, ObjectNew: changed}) {
		t.Error("an App that moves is not noticed, or one that stays is")
	}
}
