package outbox

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// DefaultSlots is how many replies can be kept at once without asking the file system for space.
const DefaultSlots = 16

const (
	// subdirectory is made inside the given directory: the root of an emptyDir belongs to the kubelet and
	// its mode cannot be narrowed from inside the container.
	subdirectory = "replies"
	holderFile   = "holder"
	sparePrefix  = "spare-"
	replyPrefix  = "reply-"
	replySuffix  = ".json"
	badSuffix    = ".corrupt"
)

// Options say how an outbox is opened.
type Options struct {
	// AllowDisk accepts a directory that is not memory-backed. Tokens are then written to a disk.
	AllowDisk bool
	// Slots is how many exchanges may be under way at once: space for that many replies is reserved before
	// an exchange may begin. Zero means DefaultSlots. Each slot takes 32 KiB.
	Slots int
	// Now is the clock by which the age of records is told. Default time.Now.
	Now func() time.Time

	files files
}

// Outbox is a directory of replies. It implements rotation.Outbox and is safe for concurrent use.
type Outbox struct {
	dir    string
	files  files
	now    func() time.Time
	slots  int
	lock   *os.File
	holder rotation.Holder

	mu sync.Mutex
	// spares are the names of preallocated files that are not in use.
	spares []string
	// spareNumber is the number of the last spare.
	spareNumber int
	// kept are the namespaces of the records, by file name.
	kept map[string]string
	// shares counts them by namespace.
	shares *shares
	// inMemory says that the directory is memory-backed.
	inMemory bool
	// corrupt counts the files that were set aside.
	corrupt int
}

var _ rotation.Outbox = (*Outbox)(nil)

// ErrLocked: another process has the outbox open.
var ErrLocked = errors.New("another process is using the outbox: give each replica a directory of its own, and end the earlier process first")

// ErrOnDisk: the directory is not memory-backed.
var ErrOnDisk = errors.New("the outbox must not be on a disk, because it holds tokens: mount a memory-backed volume there (emptyDir with medium: Memory), or accept the disk with --outbox-allow-disk")

// Open takes a directory, which must exist or have a parent that does, for the life of the process. It
// makes and locks a subdirectory of mode 0700 there. Errors: ErrOnDisk, ErrLocked, or what the file system
// says.
func Open(dir string, options Options) (*Outbox, error) {
	o := &Outbox{
		dir: filepath.Join(dir, subdirectory), files: options.files, now: options.Now, slots: options.Slots,
		kept: map[string]string{},
	}
	if o.files == nil {
		o.files = systemFiles{}
	}
	if o.now == nil {
		o.now = time.Now
	}
	if o.slots <= 0 {
		o.slots = DefaultSlots
	}
	if err := makeDirectory(dir, o.dir); err != nil {
		return nil, fmt.Errorf("make the outbox directory: %w", err)
	}
	var err error
	o.inMemory, err = o.files.MemoryBacked(o.dir)
	switch {
	case err != nil:
		return nil, fmt.Errorf("find out the outbox's kind of file system: %w", err)
	case !o.inMemory && !options.AllowDisk:
		return nil, fmt.Errorf("%s: %w", dir, ErrOnDisk)
	}
	if o.lock, err = lockDirectory(o.dir); err != nil {
		return nil, err
	}
	size, err := o.files.Size(o.dir)
	if err != nil {
		_ = o.lock.Close()
		return nil, fmt.Errorf("find out the size of the outbox's file system: %w", err)
	}
	o.shares = newShares(capacity(size, o.slots))
	if err := o.load(); err != nil {
		_ = o.lock.Close()
		return nil, err
	}
	return o, nil
}

// Close gives the directory free. The process that exits without it does so as well.
func (o *Outbox) Close() error { return o.lock.Close() }

// Holder says who this process is: which outbox it has, and which of its lives this is.
func (o *Outbox) Holder() rotation.Holder { return o.holder }

// Memory is how many bytes of memory the files may take when all places are: none on a disk.
func (o *Outbox) Memory() uint64 {
	if !o.inMemory {
		return 0
	}
	return uint64(o.shares.limit+o.slots) * slotSize //nolint:gosec // neither is negative
}

func makeDirectory(dir, sub string) error {
	for _, path := range []string{dir, sub} {
		if err := os.Mkdir(path, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	info, err := os.Lstat(sub)
	switch {
	case err != nil:
		return err
	case !info.IsDir():
		return fmt.Errorf("%s is in the way: it must be a directory", sub)
	case info.Mode().Perm() != 0o700:
		return os.Chmod(sub, 0o700) //nolint:gosec // a directory needs its x bit
	}
	return nil
}

func lockDirectory(dir string) (*os.File, error) {
	lock, err := os.Open(dir)
	if err != nil {
		return nil, fmt.Errorf("open the outbox: %w", err)
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = lock.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("%s: %w", dir, ErrLocked)
		}
		return nil, fmt.Errorf("lock the outbox: %w", err)
	}
	return lock, nil
}

// load takes stock of what earlier lives have left. Their spares may be half-written replies that were
// never promised to anybody: they go.
func (o *Outbox) load() error {
	entries, err := o.files.ReadDir(o.dir)
	if err != nil {
		return fmt.Errorf("read the outbox: %w", err)
	}
	for _, entry := range entries {
		name := entry.Name()
		switch {
		case strings.HasPrefix(name, sparePrefix):
			if err := o.files.Remove(o.path(name)); err != nil {
				return fmt.Errorf("clear the outbox: %w", err)
			}
		case strings.HasSuffix(name, badSuffix):
			o.corrupt++
			o.shares.take(nobody)
		case isReply(name):
			namespace, since := o.namespaceIn(name), o.now()
			if info, err := entry.Info(); err == nil {
				since = info.ModTime()
			}
			o.kept[name] = namespace
			o.shares.found(namespace, name, since)
		}
	}
	return o.loadHolder()
}

// namespaceIn is the namespace of a record that an earlier life has left; nobody when it cannot be read.
func (o *Outbox) namespaceIn(name string) string {
	file, err := o.files.ReadFile(o.path(name))
	if err != nil {
		return nobody
	}
	record, err := decode(file)
	if err != nil {
		return nobody
	}
	return record.Owner.Namespace
}

var holderForm = regexp.MustCompile(`^[A-Z2-7]{20,64}$`)

// loadHolder reads the id of this outbox, or makes one. When it is lost the intents of earlier lives look
// like somebody else's, which costs a wait and nothing more.
func (o *Outbox) loadHolder() error {
	o.holder.Process = rand.Text()
	content, err := o.files.ReadFile(o.path(holderFile))
	if err == nil && holderForm.Match(content) {
		o.holder.Outbox = string(content)
		return nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("read the outbox's id: %w", err)
	}
	o.holder.Outbox = rand.Text()
	fresh := o.nextSpare()
	if err := o.files.Write(o.path(fresh), []byte(o.holder.Outbox)); err != nil {
		return fmt.Errorf("write the outbox's id: %w", err)
	}
	if err := o.moveInto(fresh, holderFile); err != nil {
		return fmt.Errorf("store the outbox's id: %w", err)
	}
	return nil
}

func (o *Outbox) path(name string) string { return filepath.Join(o.dir, name) }

func isReply(name string) bool {
	return strings.HasPrefix(name, replyPrefix) && strings.HasSuffix(name, replySuffix)
}
