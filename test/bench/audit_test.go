package bench

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/githubusertoken/github-user-token-operator/test/suite"
)

// follower reads the audit log as it is written.
type follower struct {
	file *os.File
	// begun is the beginning of a line whose end is not there yet.
	begun []byte
}

func follow(path string) (*follower, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("follow the audit log: %w", err)
	}
	return &follower{file: file}, nil
}

// read tells what has come since it was last called.
func (f *follower) read(tell func(suite.AuditEvent)) error {
	more, err := io.ReadAll(f.file)
	if err != nil {
		return fmt.Errorf("follow the audit log: %w", err)
	}
	text := append(f.begun, more...)
	end := bytes.LastIndexByte(text, '\n') + 1
	f.begun = bytes.Clone(text[end:])
	return suite.ReadAudit(bytes.NewReader(text[:end]), tell)
}

// skip forgets what has come.
func (f *follower) skip() error { return f.read(func(suite.AuditEvent) {}) }

// progress is what is known of one resource's cycle.
type progress struct {
	fenced, stored, reported time.Time
}

// watchdog follows the requests of one client about the subjects of a measure.
type watchdog struct {
	who      string
	subjects map[client.ObjectKey]*progress
	// calls are its requests by verb and resource, about whatever it deals with; failed is how many were answered with an error.
	calls  map[string]int
	failed int
	// reported is how many cycles have ended, and last is when a request was last answered.
	reported int
	last     time.Time
}

func newWatchdog(who string, subjects []*subject) *watchdog {
	w := &watchdog{who: who, subjects: map[client.ObjectKey]*progress{}, calls: map[string]int{}, last: time.Now()}
	for _, s := range subjects {
		w.subjects[s.key()] = &progress{}
	}
	return w
}

// saw takes one request.
func (w *watchdog) saw(event suite.AuditEvent) {
	if event.User.Username != w.who || event.Verb == "watch" {
		return
	}
	what := event.Verb + " " + event.ObjectRef.Resource
	if event.ObjectRef.Subresource != "" {
		what += "/" + event.ObjectRef.Subresource
	}
	if event.ObjectRef.Resource == "secrets" {
		what += " (" + kindOf(event.ObjectRef.Name) + ")"
	}
	w.calls[what]++
	w.last = event.Completed
	if event.ResponseStatus.Code >= 300 {
		w.failed++
		return
	}
	name, isPair := strings.CutSuffix(event.ObjectRef.Name, "-token")
	cycle := w.subjects[client.ObjectKey{Namespace: event.ObjectRef.Namespace, Name: name}]
	if cycle == nil {
		return
	}
	switch {
	case !isWrite(event.Verb):
	case event.ObjectRef.Resource == "secrets" && isPair && cycle.fenced.IsZero():
		cycle.fenced = event.Completed
	case event.ObjectRef.Resource == "secrets" && isPair && cycle.stored.IsZero():
		cycle.stored = event.Completed
	case event.ObjectRef.Subresource == "status" && !cycle.stored.IsZero() && cycle.reported.IsZero():
		cycle.reported = event.Completed
		w.reported++
	}
}

// kindOf says what a Secret is, by its name.
func kindOf(secret string) string {
	switch {
	case strings.HasSuffix(secret, "-token"):
		return "pair"
	case strings.HasSuffix(secret, "-seed"):
		return "seed"
	case strings.HasPrefix(secret, "github-user-token-"):
		kind, _, _ := strings.Cut(strings.TrimPrefix(secret, "github-user-token-"), "-")
		return kind
	case secret == "github-app":
		return "client secret"
	case secret == "":
		return "list"
	}
	return "other"
}

func isWrite(verb string) bool {
	switch verb {
	case "create", "update", "patch", "delete", "deletecollection":
		return true
	}
	return false
}

// count is how many calls there were of a kind.
func (w *watchdog) count(of func(verb, resource string) bool) int {
	n := 0
	for what, count := range w.calls {
		verb, resource, _ := strings.Cut(what, " ")
		if of(verb, resource) {
			n += count
		}
	}
	return n
}

// writes are those of what a rotation writes; events are counted apart.
func (w *watchdog) writes() int {
	return w.count(func(verb, resource string) bool { return isWrite(verb) && resource != "events" })
}

func (w *watchdog) reads() int {
	return w.count(func(verb, _ string) bool { return verb == "get" || verb == "list" })
}

func (w *watchdog) events() int {
	return w.count(func(verb, resource string) bool { return isWrite(verb) && resource == "events" })
}
