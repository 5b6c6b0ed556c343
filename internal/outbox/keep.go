package outbox

import (
	"errors"
	"fmt"
	"io/fs"
	"strconv"

	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/github"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

const (
	// slotSize is the space that is reserved for one record. None is larger.
	slotSize = 32 << 10
	// maxBeside is how large all but the reply in a record is at most: a state of 16 KiB, and names. What of a reply does
	// not fit beside that is cut off. One with a pair has less than 1 KiB.
	maxBeside = 20 << 10
	// maxBody is how much of a reply is kept: base64 takes four bytes for three.
	maxBody = (slotSize - maxBeside) * 3 / 4
	// maxContentType is how much of its content type is kept.
	maxContentType = 128
)

// noLimit is the size of a file system that has none.
const noLimit = uint64(slotSize) << 20

// Reserve implements rotation.Outbox. It takes a place among those of the resource's namespace, sees to it that there are
// as many spares as exchanges may be under way, and proves with one of them that the directory takes a write and a
// rename now.
func (o *Outbox) Reserve(owner rotation.Owner) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if err := o.shares.reserve(owner, o.now()); err != nil {
		return err
	}
	if err := o.ready(); err != nil {
		o.shares.release(owner)
		return err
	}
	return nil
}

// Take takes the place that Reserve would, and tries nothing. What has a place keeps it when Reserve follows.
func (o *Outbox) Take(owner rotation.Owner) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.shares.reserve(owner, o.now())
}

// Release implements rotation.Outbox.
func (o *Outbox) Release(owner rotation.Owner) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.shares.release(owner)
}

// Ready is nil when the directory takes what an exchange has to keep: the space for all of them that may be under way, a
// write and a rename. It is a check of /readyz.
func (o *Outbox) Ready() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.ready()
}

func (o *Outbox) ready() error {
	for len(o.spares) < o.slots {
		name := o.nextSpare()
		if err := o.files.Write(o.path(name), make([]byte, slotSize)); err != nil {
			_ = o.files.Remove(o.path(name))
			return fmt.Errorf("the outbox cannot keep a reply: %w", err)
		}
		o.spares = append(o.spares, name)
	}
	oldest, name := o.spares[0], o.nextSpare()
	if err := o.files.Overwrite(o.path(oldest), []byte{1}, slotSize); err != nil {
		o.spares = o.spares[1:]
		return fmt.Errorf("the outbox cannot be written: %w", err)
	}
	if err := o.files.Rename(o.path(oldest), o.path(name)); err != nil {
		o.spares = o.spares[1:]
		return fmt.Errorf("the outbox cannot be written: %w", err)
	}
	o.spares = append(o.spares[1:], name)
	return nil
}

// Keep stores a record durably before it returns. A record of the same id is replaced.
func (o *Outbox) Keep(record rotation.Record) error {
	content, err := encode(cut(record))
	if err != nil {
		return fmt.Errorf("encode the reply for the outbox: %w", err)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	spare := o.takeSpare()
	if err := o.fill(spare, content); err != nil {
		_ = o.files.Remove(o.path(spare))
		return fmt.Errorf("write the reply to the outbox: %w", err)
	}
	name := fileName(record.ID)
	if err := o.moveInto(spare, name); err != nil {
		_ = o.files.Remove(o.path(spare)) // It has no name that anybody would look for. One that has its name stays.
		return fmt.Errorf("store the reply in the outbox: %w", err)
	}
	if namespace, replaced := o.kept[name]; replaced {
		o.shares.forget(namespace, name)
	}
	o.kept[name] = record.Owner.Namespace
	o.shares.keep(record.Owner, name, o.now())
	return nil
}

// Unwanted is told that the pair of a record is not to be stored, and is kept until it is revoked only. After a restart that
// is found out anew.
func (o *Outbox) Unwanted(id string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	name := fileName(id)
	if namespace, kept := o.kept[name]; kept {
		o.shares.unwant(namespace, name)
	}
}

// Remove forgets a record. One that is gone already is no error.
func (o *Outbox) Remove(id string) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	name := fileName(id)
	if err := o.files.Remove(o.path(name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove a committed reply from the outbox: %w", err)
	}
	if namespace, was := o.kept[name]; was {
		delete(o.kept, name)
		o.shares.forget(namespace, name)
	}
	return nil
}

// fill writes the content to a spare. What is reserved is overwritten in place, which needs no new space.
func (o *Outbox) fill(spare string, content []byte) error {
	return o.files.Overwrite(o.path(spare), content, int64(len(content)))
}

// moveInto gives a complete file its name, durably.
func (o *Outbox) moveInto(spare, name string) error {
	if err := o.files.Rename(o.path(spare), o.path(name)); err != nil {
		return err
	}
	return o.files.SyncDir(o.dir)
}

// takeSpare returns a reserved file, or the name of one that is still to be made when none is left.
func (o *Outbox) takeSpare() string {
	if len(o.spares) == 0 {
		return o.nextSpare()
	}
	last := len(o.spares) - 1
	name := o.spares[last]
	o.spares = o.spares[:last]
	return name
}

func (o *Outbox) nextSpare() string {
	o.spareNumber++
	return sparePrefix + strconv.Itoa(o.spareNumber)
}

// cut shortens a record's reply to what fits into a slot. So large a reply is no ordinary one, and a pair that stands at
// its beginning is found in one that was cut.
func cut(record rotation.Record) rotation.Record {
	if record.Reply == nil {
		return record
	}
	reply := &github.Reply{}
	*reply = *record.Reply
	reply.ContentType = reply.ContentType[:min(len(reply.ContentType), maxContentType)]
	if body := reply.Body.Reveal(); len(body) > maxBody {
		reply.Body = credential.NewRaw([]byte(body[:maxBody]))
		reply.Truncated = true
	}
	record.Reply = reply
	return record
}
