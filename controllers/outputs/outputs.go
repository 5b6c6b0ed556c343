package outputs

import (
	"context"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/githubusertoken/github-user-token-operator/internal/memory"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// timeout bounds how long one call is busy with outputs. What was not written by then is tried again.
const timeout = 5 * time.Second

// Client writes Secrets, and reads their metadata from the cache: by name, and by the index IndexOwner.
type Client interface {
	client.Reader
	client.Writer
}

// PairReader reads a pair live, with its tokens.
type PairReader interface {
	Get(ctx context.Context, ref rotation.Ref) (*rotation.Pair, error)
}

// Options are what Outputs needs. All but OnPanic are required.
type Options struct {
	Client Client
	// Live reads past the cache.
	Live client.Reader
	// Store reads the pair when an output must be restored.
	Store PairReader
	Clock rotation.Clock
	// Memory gets one slot for what is remembered of outputs.
	Memory *memory.Store
	// OnPanic is told of each panic while one output was written; it counts as a failure of that output. May be
	// nil.
	OnPanic func(types.UID)
}

// Outputs is safe for concurrent use. Make it with New.
type Outputs struct {
	options Options
	notes   notebook
}

// New makes Outputs. It is called while the operator is set up, once for each memory.Store.
func New(options Options) *Outputs {
	return &Outputs{
		options: options,
		notes:   notebook{clock: options.Clock, slot: memory.NewSlot[notes](options.Memory)},
	}
}
