package rotation

// AtWork reports whether this process is at work under an intent at this moment: exchanging, storing a pair, or replaying
// a record. The work goes on when the resource is deleted and its pair retained, and the next resource of the name may
// take up the pair, intent included, before it has ended.
func (r *Rotator) AtWork(intent *Intent) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return intent != nil && r.atWork[intent.ID]
}

// work notes that work under an intent begins. It returns what ends it.
func (r *Rotator) work(id string) (end func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.atWork == nil {
		r.atWork = map[string]bool{}
	}
	r.atWork[id] = true
	return func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		delete(r.atWork, id)
	}
}
