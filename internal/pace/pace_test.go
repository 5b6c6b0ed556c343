package pace

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/githubusertoken/github-user-token-operator/internal/systemclock"
)

// Change is news as the watch on Secrets has them.
type Change struct {
	Name       types.NamespacedName
	Marked     bool
	Controller string
}

func nameOf(name string) types.NamespacedName {
	return types.NamespacedName{Namespace: "team-a", Name: name}
}

// tellings is what a Pace has told, with the time since the test began. A Pace tells of several namespaces at once.
type tellings struct {
	mu      sync.Mutex
	changes []Change
	at      []time.Duration
}

// add keeps a change that is told now, and returns how many were told by now.
func (t *tellings) add(change Change, at time.Duration) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.changes, t.at = append(t.changes, change), append(t.at, at)
	return len(t.at)
}

// soFar waits until the Pace has nothing to do now, and returns what it has told by then.
func (t *tellings) soFar() ([]Change, []time.Duration) {
	synctest.Wait()
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.changes), slices.Clone(t.at)
}

func newPace(cost Cost, fails func(try int) error) (*paceOfChanges, *tellings) {
	told, began := &tellings{}, time.Now()
	return &paceOfChanges{New(Options[Change]{
		Clock: systemclock.New(),
		Tell: func(_ context.Context, of types.NamespacedName, change Change) (Cost, error) {
			if of != change.Name {
				return Cost{}, fmt.Errorf("%s is told as %s", change.Name, of)
			}
			if try := told.add(change, time.Since(began)); fails != nil {
				return Cost{}, fails(try)
			}
			return cost, nil
		},
		Merge: func(before, after Change) Change {
			after.Marked = after.Marked || before.Marked
			return after
		},
	})}, told
}

type paceOfChanges struct{ *Pace[Change] }

func (p *paceOfChanges) Add(ctx context.Context, change Change) { p.Pace.Add(ctx, change.Name, change) }

func TestPaceTellsOfManyChangesOfASecretOnceASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, told := newPace(Cost{Bytes: 100}, nil)
		for range 1000 { // 100 a second
			p.Add(t.Context(), Change{Name: nameOf("seed")})
			time.Sleep(10 * time.Millisecond)
		}
		time.Sleep(time.Minute)
		_, at := told.soFar()
		if n := len(at); n != 11 || at[0] > time.Millisecond || at[n-1] < 9900*time.Millisecond {
			t.Errorf("told at %v", at)
		}
	})
}

func TestPaceTellsOfOtherSecretsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, told := newPace(Cost{Bytes: 100}, nil)
		for i := range 100 {
			p.Add(t.Context(), Change{Name: nameOf("seed")})
			p.Add(t.Context(), Change{Name: nameOf(fmt.Sprint(i))})
			time.Sleep(time.Millisecond)
		}
		_, at := told.soFar()
		if n := len(at); n < 99 || at[n-1] > 110*time.Millisecond {
			t.Errorf("told %d changes at %v", n, at)
		}
		time.Sleep(time.Minute)
	})
}

func TestPaceCostsANamespaceSoMuchASecond(t *testing.T) {
	for name, c := range map[string]struct{ cost Cost }{
		"in bytes that are read":     {Cost{Bytes: BytesPerSecond}},
		"in resources that are told": {Cost{Resources: ResourcesPerSecond}},
		"in both":                    {Cost{Bytes: BytesPerSecond / 2, Resources: ResourcesPerSecond / 2}},
	} {
		t.Run(name, func(t *testing.T) { costs(t, c.cost) })
	}
}

func costs(t *testing.T, cost Cost) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		p, told := newPace(cost, nil)
		for i := range 10 {
			p.Add(t.Context(), Change{Name: nameOf(fmt.Sprint(i))})
		}
		p.Add(t.Context(), Change{Name: types.NamespacedName{Namespace: "team-b", Name: "seed"}})
		if changes, _ := told.soFar(); len(changes) != 2 {
			t.Errorf("told %v at once, one of each namespace is", changes)
		}
		time.Sleep(5500 * time.Millisecond)
		if _, at := told.soFar(); len(at) != 7 {
			t.Errorf("told at %v", at)
		}
		time.Sleep(time.Minute)
		if _, at := told.soFar(); len(at) != 11 {
			t.Errorf("told at %v", at)
		}
	})
}

func TestPaceTellsAtLastWhatAnyOfTheChangesWas(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, told := newPace(Cost{Bytes: 1}, nil)
		for _, change := range []Change{{}, {Marked: true, Controller: "u"}, {Controller: "v"}} {
			change.Name = nameOf("seed")
			p.Add(t.Context(), change)
			synctest.Wait()
		}
		time.Sleep(time.Minute)
		changes, _ := told.soFar()
		if want := []Change{{Name: nameOf("seed")}, {Name: nameOf("seed"), Marked: true, Controller: "v"}}; !slices.Equal(changes, want) {
			t.Errorf("told %+v, want %+v", changes, want)
		}
	})
}

func TestPaceTellsAgainAfterAnError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, told := newPace(Cost{Bytes: 1}, func(try int) error {
			if try < 4 {
				return errors.New("the API server is away")
			}
			return nil
		})
		p.Add(t.Context(), Change{Name: nameOf("seed"), Marked: true})
		time.Sleep(time.Minute)
		changes, at := told.soFar()
		if want := []time.Duration{0, time.Second, 2 * time.Second, 3 * time.Second}; !slices.Equal(at, want) || !changes[3].Marked {
			t.Errorf("told %+v at %v", changes, at)
		}
	})
}

func TestPaceTellsAfterAnErrorWhatHasComeSinceAsWell(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var p *paceOfChanges
		var told *tellings
		p, told = newPace(Cost{Bytes: 1}, func(try int) error {
			if try > 1 {
				return nil
			}
			p.Add(t.Context(), Change{Name: nameOf("seed"), Controller: "newer"})
			return errors.New("the API server is away")
		})
		p.Add(t.Context(), Change{Name: nameOf("seed"), Marked: true, Controller: "older"})
		time.Sleep(time.Minute)
		changes, _ := told.soFar()
		if len(changes) != 2 || changes[1] != (Change{Name: nameOf("seed"), Marked: true, Controller: "newer"}) {
			t.Errorf("told %+v", changes)
		}
	})
}

func TestPaceKeepsNothingOfWhatWasTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, _ := newPace(Cost{Bytes: 1}, nil)
		ctx, cancel := context.WithCancel(t.Context())
		for i := range 100 {
			p.Add(ctx, Change{Name: nameOf(fmt.Sprint(i))})
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if len(p.queues) != 0 {
			t.Errorf("%d queues are left", len(p.queues))
		}
		p.Add(ctx, Change{Name: nameOf("seed")})
		cancel()
		synctest.Wait()
		if len(p.queues) != 0 {
			t.Errorf("%d queues are left after the end", len(p.queues))
		}
	})
}

// Ten thousand objects that a start brings must not cost a hundred million steps.
func TestPaceTellsOfManyObjectsInStepsThatDoNotGrow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, told := newPace(Cost{Resources: 1}, nil)
		const n = 10_000
		for i := range n {
			p.Add(t.Context(), Change{Name: nameOf(fmt.Sprint(i))})
		}
		time.Sleep(3 * time.Second)
		changes, at := told.soFar()
		if len(changes) != n || at[n-1] > 1100*time.Millisecond {
			t.Fatalf("told %d, the last at %s", len(changes), at[len(at)-1])
		}
		for i, change := range changes {
			if change.Name.Name != fmt.Sprint(i) {
				t.Fatalf("told %s as number %d", change.Name, i)
			}
		}
	})
}
