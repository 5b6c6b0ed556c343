package githubtest

import (
	"slices"
	"strings"
	"sync"
)

// Injection is a fault at work.
type Injection struct {
	server  *Server
	id      int
	fault   Fault
	arrived chan struct{}
	release chan struct{}
	once    sync.Once // of Release

	// Under the server's lock.
	left int // requests still to be hit; negative: no end
	hits int
}

func newInjection(s *Server, fault Fault) *Injection {
	def(&fault.Endpoint, TokenEndpoint)
	def(&fault.Count, 1)
	return &Injection{
		server: s, fault: fault, left: fault.Count,
		arrived: make(chan struct{}), release: make(chan struct{}),
	}
}

// Inject lets the next requests that match fail. Of several faults that match, the oldest is played until it is used up.
func (s *Server) Inject(fault Fault) *Injection {
	injection := newInjection(s, fault)
	s.mu.Lock()
	defer s.mu.Unlock()
	injection.id = len(s.injected) + 1
	s.injected = append(s.injected, injection)
	s.faults = append(s.faults, injection)
	return injection
}

// ClearFaults removes all faults and releases what they hold.
func (s *Server) ClearFaults() {
	s.mu.Lock()
	injected := slices.Clone(s.injected)
	for _, injection := range injected {
		injection.left = 0
	}
	s.faults = nil
	s.mu.Unlock()
	for _, injection := range injected {
		injection.Release()
	}
}

// ID is the number of the fault at the admin side.
func (i *Injection) ID() int { return i.id }

// Arrived is closed when the first request that the fault hits has arrived.
func (i *Injection) Arrived() <-chan struct{} { return i.arrived }

// Release lets go of every request that the fault holds, and of those that it would hold.
func (i *Injection) Release() { i.once.Do(func() { close(i.release) }) }

// Hits is the number of requests that it has hit.
func (i *Injection) Hits() int {
	i.server.mu.Lock()
	defer i.server.mu.Unlock()
	return i.hits
}

// Remove ends the fault for requests to come. Those it holds stay held until Release.
func (i *Injection) Remove() {
	i.server.mu.Lock()
	defer i.server.mu.Unlock()
	i.left = 0
}

// arrive counts a hit. The caller holds the lock, or is the only one to know the injection.
func (i *Injection) arrive() {
	if i.left > 0 {
		i.left--
	}
	i.hits++
	if i.hits == 1 {
		close(i.arrived)
	}
}

func (i *Injection) matches(c *call) bool {
	f := &i.fault
	switch {
	case i.left == 0:
		return false
	case f.Endpoint != c.endpoint && f.Endpoint != AnyEndpoint:
		return false
	case f.ClientID != "" && f.ClientID != c.clientID():
		return false
	case f.Fingerprint != "":
		return c.presentation != nil && strings.HasPrefix(c.presentation.Fingerprint, f.Fingerprint)
	default:
		return true
	}
}

// clientID of the request, in its parameters or in its path.
func (c *call) clientID() string {
	if id := c.get("client_id"); id != "" {
		return id
	}
	return c.r.PathValue("client_id")
}

// takeFault returns the fault for this request, counted. The caller holds the lock.
func (s *Server) takeFault(c *call) *Injection {
	s.faults = slices.DeleteFunc(s.faults, func(i *Injection) bool { return i.left == 0 })
	for _, injection := range s.faults {
		if injection.matches(c) {
			injection.arrive()
			return injection
		}
	}
	return nil
}
