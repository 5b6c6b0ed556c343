package lifecycle

import (
	"errors"
	"slices"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/leftovers"
	"github.com/githubusertoken/github-user-token-operator/controllers/scope"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

var octocat = types.NamespacedName{Namespace: owner.Namespace, Name: owner.Name}

// orphaned is a Secret of a resource that is gone, as the garbage collector leaves it.
func orphaned(secretUID string, change ...func(*rotation.Pair)) *rotation.Pair {
	pair := pairAt("1", func(p *rotation.Pair) { p.UID, p.Deleting, p.Owner.UID = secretUID, true, "uid-0" })
	for _, c := range change {
		c(pair)
	}
	return pair
}

// forsaken makes a pair one that has come from elsewhere without its owner, which was of that UID.
func forsaken(by string) func(*rotation.Pair) {
	return func(p *rotation.Pair) {
		p.Controlled, p.Orphan, p.Owner = false, true, rotation.Owner{}
		p.State.Owner, p.State.OwnerName = by, owner.Name
	}
}

func (w *world) hold(pairs ...*rotation.Pair) {
	for _, pair := range pairs {
		w.secrets[pair.Ref] = pair
		w.PairSeen(pair)
	}
}

// goneOnce calls Gone and makes sure of when it wants to be called again.
func (w *world) goneOnce(t *testing.T, want time.Duration) {
	t.Helper()
	again, err := w.Gone(t.Context(), octocat)
	if err != nil || again != want {
		t.Errorf("again after %s, want %s (%v)", again, want, err)
	}
}

func TestReleaseOfASecretWhoseResourceIsGone(t *testing.T) {
	at := func(name string) func(*rotation.Pair) {
		return func(p *rotation.Pair) { p.Ref.Name = name }
	}
	for name, c := range map[string]struct {
		pair    *rotation.Pair
		known   types.UID
		present bool
		again   time.Duration
		removed bool
	}{
		"one of a resource that this process knew goes at once": {pair: orphaned("s"), known: "uid-0", removed: true},
		"one that may come from a backup is kept for a minute":  {pair: orphaned("s"), again: leftovers.ComeBackTime},
		"also when another resource of this name was known":     {pair: orphaned("s"), known: "uid-9", again: leftovers.ComeBackTime},
		"one that nobody has deleted stays":                     {pair: orphaned("s", func(p *rotation.Pair) { p.Deleting = false }), known: "uid-0"},
		"one without an owner stays":                            {pair: orphaned("s", func(p *rotation.Pair) { p.Controlled = false }), known: "uid-0"},
		"one of another resource stays":                         {pair: orphaned("s", func(p *rotation.Pair) { p.Owner.Name = "hubot" }), known: "uid-0"},
		"one that came without its owner is kept for a minute":  {pair: orphaned("s", forsaken("uid-0")), again: leftovers.ComeBackTime},
		"and goes at once when that was known":                  {pair: orphaned("s", forsaken("uid-0")), known: "uid-0", removed: true},
		"it stays when it was made for another name":            {pair: orphaned("s", forsaken("uid-0"), func(p *rotation.Pair) { p.State.OwnerName = "hubot" }), known: "uid-0"},
		"one whose resource is there after all stays":           {pair: orphaned("s"), known: "uid-0", present: true},
		"a backup is released as well":                          {pair: orphaned("s", at("github-user-token-backup-uid-0")), known: "uid-0", removed: true},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.hold(c.pair)
			if c.known != "" {
				w.memory.Learn(c.known, octocat)
			}
			if c.present {
				w.resource = &v1alpha1.GitHubUserToken{}
			}
			w.goneOnce(t, c.again)
			if removed := len(w.removed) > 0; removed != c.removed {
				t.Errorf("it was removed: %t", removed)
			}
		})
	}
}

func TestReleaseOfASecretFromABackupThatNobodyFollows(t *testing.T) {
	w := newWorld(t)
	w.hold(orphaned("secret-1"))
	w.goneOnce(t, leftovers.ComeBackTime)
	w.clock.pass(leftovers.ComeBackTime - time.Second)
	w.goneOnce(t, time.Second)
	w.clock.pass(time.Second)
	w.fails = errors.New("the API server is away")
	if _, err := w.Gone(t.Context(), octocat); !errors.Is(err, w.fails) {
		t.Errorf("got %v", err)
	}
	w.fails = nil
	w.goneOnce(t, 0) // Without another wait.
	if len(w.removed) != 1 {
		t.Errorf("removed were %v", w.removed)
	}
}

// The same backup may be restored again and again, each time with the UID of the same owner.
func TestReleaseEachSecretFromABackupIsKeptAnew(t *testing.T) {
	for name, end := range map[string]func(*world, *rotation.Pair){
		"after it was released":        func(w *world, _ *rotation.Pair) { w.clock.pass(leftovers.ComeBackTime) },
		"after its resource has come":  func(w *world, pair *rotation.Pair) { delete(w.secrets, pair.Ref) },
		"while another is still there": func(*world, *rotation.Pair) {},
		"when the first has no use now": func(w *world, pair *rotation.Pair) {
			w.clock.pass(leftovers.ComeBackTime / 2)
			delete(w.secrets, pair.Ref)
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			first := orphaned("secret-1")
			w.hold(first)
			w.goneOnce(t, leftovers.ComeBackTime)
			end(w, first)
			if _, err := w.Gone(t.Context(), octocat); err != nil {
				t.Fatal(err)
			}
			if w.secrets[first.Ref] == nil {
				w.PairChanged(first, nil)
				if w.memory.Len() != 0 {
					t.Error("a Secret that is gone is remembered")
				}
			}
			w.clock.pass(time.Second)
			w.hold(orphaned("secret-2", func(p *rotation.Pair) { p.Ref.Name = "another" }))
			w.goneOnce(t, leftovers.ComeBackTime)
			if slices.Contains(w.removed, rotation.Ref{Namespace: "team-a", Name: "another"}) {
				t.Error("it was not kept")
			}
		})
	}
}

func TestReleaseOfLeftoversWhileTheResourceLives(t *testing.T) {
	backup := func(p *rotation.Pair) { p.Ref.Name = "github-user-token-backup-uid-0" }
	for name, c := range map[string]struct {
		pair *rotation.Pair
		edit func(*world)
		want bool
	}{
		"a backup of a former resource":            {pair: orphaned("s", backup), want: true},
		"a pair of a former resource":              {pair: orphaned("s", func(p *rotation.Pair) { p.Ref.Name = "former-token" }), want: true},
		"one that nobody has deleted stays":        {pair: orphaned("s", backup, func(p *rotation.Pair) { p.Deleting = false })},
		"the resource's own stays":                 {pair: orphaned("s", backup, func(p *rotation.Pair) { p.Owner.UID = owner.UID })},
		"one that came without its owner":          {pair: orphaned("s", backup, forsaken("uid-0")), want: true},
		"its own that lost its owner stays":        {pair: orphaned("s", backup, forsaken(owner.UID))},
		"what stands in the pair's place stays":    {pair: orphaned("s")},
		"one of another name stays":                {pair: orphaned("s", backup, func(p *rotation.Pair) { p.Owner.Name = "hubot" })},
		"one that is somebody's no more stays":     {pair: orphaned("s", backup, func(p *rotation.Pair) { p.Controlled = false })},
		"one of a namespace beside it stays":       {pair: orphaned("s", backup, func(p *rotation.Pair) { p.Ref.Namespace = "team-b" })},
		"none, when the resource is just gone":     {pair: orphaned("s", backup), edit: func(w *world) { w.resource = nil }},
		"none, when another bears its name":        {pair: orphaned("s", backup), edit: func(w *world) { w.resource.UID = "uid-9" }},
		"one that was put to use since stays":      {pair: orphaned("s", backup), edit: func(w *world) { w.secrets[w.only().Ref] = pairAt("2", backup) }},
		"one that the cache does not show is none": {pair: orphaned("s", backup), edit: func(w *world) { clear(w.secrets) }},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			resource := &v1alpha1.GitHubUserToken{ObjectMeta: metav1.ObjectMeta{Namespace: owner.Namespace, Name: owner.Name, UID: uid}}
			resource.Spec.Secret.Name = inPlace.Name
			w.resource = resource.DeepCopy()
			w.hold(c.pair)
			if c.edit != nil {
				c.edit(w)
			}
			s := &scope.Scope{Token: resource, Owner: owner, Ref: inPlace, Now: start}
			if err := w.releaser.Release(t.Context(), s); err != nil {
				t.Fatal(err)
			}
			if removed := len(w.removed) > 0; removed != c.want {
				t.Errorf("it was removed: %t", removed)
			}
			if c.want {
				w.PairChanged(c.pair, nil)
				w.secrets[c.pair.Ref], w.removed = c.pair, nil // A cache that says no more of it shows that it is forgotten.
				if err := w.releaser.Release(t.Context(), s); err != nil || len(w.removed) != 0 {
					t.Errorf("it is still remembered: removed are %v (%v)", w.removed, err)
				}
			}
		})
	}
}

// only is the one Secret that there is.
func (w *world) only() *rotation.Pair {
	for _, pair := range w.secrets {
		return pair
	}
	return nil
}

// A resource that the cache still shows may have been followed by another one of its name, whose Secret is not a former one's.
func TestReleaseOfTheSecretInThePlaceOfThePair(t *testing.T) {
	for name, c := range map[string]struct {
		now  *v1alpha1.GitHubUserToken
		want bool
	}{
		"one of a former resource goes":                 {now: &v1alpha1.GitHubUserToken{ObjectMeta: metav1.ObjectMeta{UID: uid}}, want: true},
		"one of a later resource stays":                 {now: &v1alpha1.GitHubUserToken{ObjectMeta: metav1.ObjectMeta{UID: "uid-0"}}},
		"one stays when the resource itself is no more": {},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.resource = c.now
			pair := orphaned("s", func(p *rotation.Pair) { p.Controlled = false })
			w.hold(pair)
			resource := &v1alpha1.GitHubUserToken{ObjectMeta: metav1.ObjectMeta{Namespace: owner.Namespace, Name: owner.Name, UID: uid}}
			if err := w.releaser.ReleaseFormer(t.Context(), &scope.Scope{Token: resource, Owner: owner, Ref: inPlace, Pair: pair, Now: start}); err != nil {
				t.Fatal(err)
			}
			if removed := len(w.removed) > 0; removed != c.want {
				t.Errorf("it was removed: %t", removed)
			}
		})
	}
}

// Whose a Secret is stands in its annotations, where anybody can write something else each second.
