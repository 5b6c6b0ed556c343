package outbox

import (
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"syscall"

	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/github"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// slotSize is the space reserved for one reply. A reply with a pair has less than 1 KiB, and all that goes
// with it less than 8 KiB.
const slotSize = 16 << 10

// Ready reserves space for as many replies as there are slots, and proves with one of the reserved files
// that the directory takes a write and a rename now. It returns nil when both worked.
func (o *Outbox) Ready() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	for len(o.spares) < o.slots {
		name := o.nextSpare()
		if err := o.files.Write(o.path(name), make([]byte, slotSize)); err != nil {
			_ = o.files.Remove(o.path(name))
			return fmt.Errorf("the outbox has no room for a reply: %w", err)
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
	content, err := encode(record)
	if err != nil {
		return fmt.Errorf("encode the reply for the outbox: %w", err)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	spare := o.takeSpare()
	err = o.fill(spare, content)
	if errors.Is(err, syscall.ENOSPC) && len(content) > slotSize {
		// The file system is full, and so large a reply is no ordinary one. Its beginning fits, and a pair that
		// stands there is found in a reply that was cut.
		if content, err = encode(cut(record)); err == nil {
			err = o.fill(spare, content)
		}
	}
	if err != nil {
		_ = o.files.Remove(o.path(spare))
		return fmt.Errorf("write the reply to the outbox: %w", err)
	}
	name := fileName(record.ID)
	if err := o.moveInto(spare, name); err != nil {
		return fmt.Errorf("store the reply in the outbox: %w", err)
	}
	o.kept[name] = o.now()
	return nil
}

// Remove forgets a record. One that is gone already is no error.
func (o *Outbox) Remove(id string) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	name := fileName(id)
	if err := o.files.Remove(o.path(name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove a committed reply from the outbox: %w", err)
	}
	delete(o.kept, name)
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

// cut shortens a record's reply to what fits into a slot: base64 takes four bytes for three, and the rest
// is left to everything else.
func cut(record rotation.Record) rotation.Record {
	const most = (slotSize - 8<<10) * 3 / 4
	body := record.Reply.Body.Reveal()
	if len(body) <= most {
		return record
	}
	reply := &github.Reply{}
	*reply = *record.Reply
	reply.Body = credential.NewRaw([]byte(body[:most]))
	reply.Truncated = true
	record.Reply = reply
	return record
}
