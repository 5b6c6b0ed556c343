package namespaces

import "k8s.io/client-go/tools/cache"

// either is done when there is nothing more to wait for: what is waited for has come, or was refused once.
type either struct {
	cache.DoneChecker

	done chan struct{}
}

func newEither(synced cache.DoneChecker, refused <-chan struct{}) either {
	e := either{synced, make(chan struct{})}
	go func() {
		defer close(e.done)
		select {
		case <-synced.Done():
		case <-refused:
		}
	}()
	return e
}

// Done implements cache.DoneChecker.
func (e either) Done() <-chan struct{} { return e.done }
