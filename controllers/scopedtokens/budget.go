package scopedtokens

import (
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
)

const (
	// budgetTime is the time in which a resource, and a namespace, may have GitHub asked so often. Four outputs that are refused every five
	// minutes take 48.
	budgetTime               = time.Hour
	budgetOfOne, budgetOfAll = 60, 600
	// maxBudgets is of how many resources and namespaces it is known. Over that the ones before are forgotten.
	maxBudgets = 20_000
)

// budgets bound how often GitHub is asked with a client secret that it takes, which nothing else does: whoever may change a spec or a
// Secret over and over could use up what GitHub grants the App.
type budgets struct {
	mu    sync.Mutex
	known map[string]*spending
}

// spending is what was asked since a time of the monotonic clock.
type spending struct {
	since time.Duration
	asked int
}

// take takes one request out of the budgets of a resource and of its namespace. Where there is none left, it returns for how long.
func (b *budgets) take(uid types.UID, namespace string, mono time.Duration) (wait time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	one, all := b.of("resource/"+string(uid), mono), b.of("namespace/"+namespace, mono)
	if one.asked >= budgetOfOne {
		return one.since + budgetTime - mono
	}
	if all.asked >= budgetOfAll {
		return all.since + budgetTime - mono
	}
	one.asked++
	all.asked++
	return 0
}

func (b *budgets) of(name string, mono time.Duration) *spending {
	if known := b.known[name]; known != nil && mono-known.since < budgetTime {
		return known
	}
	if b.known == nil || len(b.known) >= maxBudgets {
		b.known = map[string]*spending{}
	}
	b.known[name] = &spending{since: mono}
	return b.known[name]
}

// spend takes one request out of the budgets. The error says until when there is none.
func (k *Keeper) spend(w *work) error {
	if wait := k.budgets.take(w.token.UID, w.token.Namespace, k.options.Clock.Monotonic()); wait > 0 {
		return &spentError{wait}
	}
	return nil
}

// spentError: so much was asked of GitHub for the resource or its namespace that it is not asked now.
type spentError struct {
	wait time.Duration
}

func (e *spentError) Error() string {
	return "within an hour GitHub was asked as often for the scoped tokens of this resource, or of its namespace, as the operator allows"
}
