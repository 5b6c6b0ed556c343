package controllers

import (
	"sync"

	"k8s.io/apimachinery/pkg/types"
)

// doubted is an object about which an answer to a write was not true, or may not have been.
type doubted struct {
	kind string
	name types.NamespacedName
}

// maxDoubts is about how many objects are doubted at once. What is forgotten is doubted anew.
const maxDoubts = 1000

// doubts are the last such answer about each object. The zero value is ready to use.
type doubts struct {
	mu   sync.Mutex
	said map[doubted]string
}

// again notes what was answered about an object, and reports whether the same was the last time already.
func (d *doubts) again(of doubted, said string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.said[of] == said {
		return true
	}
	if d.said == nil || len(d.said) >= maxDoubts {
		d.said = map[doubted]string{}
	}
	d.said[of] = said
	return false
}

// settle forgets an object.
func (d *doubts) settle(of doubted) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.said, of)
}
