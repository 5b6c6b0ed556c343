package outbox

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// List returns the records that can be read, oldest first. The error, if any, tells of those that cannot:
// a damaged one is set aside under a name that ends in .corrupt, and one of a later version stays where it
// is. The records are good whether there is an error or not.
func (o *Outbox) List() ([]rotation.Record, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	entries, err := o.files.ReadDir(o.dir)
	if err != nil {
		return nil, fmt.Errorf("read the outbox: %w", err)
	}
	var records []rotation.Record
	var problems []error
	for _, entry := range entries {
		name := entry.Name()
		if !isReply(name) {
			continue
		}
		record, err := o.read(name)
		if err != nil {
			problems = append(problems, err)
			continue
		}
		records = append(records, record)
	}
	slices.SortStableFunc(records, func(a, b rotation.Record) int {
		return cmp.Or(a.Reply.SentAt.Compare(b.Reply.SentAt), strings.Compare(a.ID, b.ID))
	})
	return records, errors.Join(problems...)
}

func (o *Outbox) read(name string) (rotation.Record, error) {
	file, err := o.files.ReadFile(o.path(name))
	if err != nil {
		return rotation.Record{}, fmt.Errorf("read a reply in the outbox: %w", err)
	}
	record, err := decode(file)
	if errors.Is(err, errCorrupt) {
		if err := o.moveInto(name, name+badSuffix); err != nil {
			return rotation.Record{}, fmt.Errorf("set a damaged reply aside: %w", err)
		}
		if namespace, was := o.kept[name]; was {
			delete(o.kept, name)
			o.shares.forget(namespace, name)
		}
		o.shares.take(nobody) // The file is still there, and no namespace can have it stored.
		o.corrupt++
	}
	return record, err
}

// Stats is what there is to say about an outbox. It holds no secrets.
type Stats struct {
	// Records counts the replies that are kept and not committed.
	Records int
	// OldestAge is the age of the oldest of them whose pair is to be stored; zero when there is none.
	OldestAge time.Duration
	// Corrupt counts the files that were set aside.
	Corrupt int
}

// Stats does no I/O.
func (o *Outbox) Stats() Stats {
	o.mu.Lock()
	defer o.mu.Unlock()
	return Stats{Records: len(o.kept), OldestAge: o.shares.oldest(o.now()), Corrupt: o.corrupt}
}
