package outbox

import (
	"errors"
	"io/fs"
	"os"
	"sync"
	"syscall"
)

var errBroken = errors.New("the file system is broken")

// faults is the real file system with faults on demand.
type faults struct {
	systemFiles
	memoryBacked *bool
	// size is that of the file system; 0 is the real one.
	size uint64

	mu     sync.Mutex
	full   bool
	failed map[string]error
	// left is how many changing operations still work; nil means all.
	left *int
}

func (f *faults) setFull(full bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.full = full
}

func (f *faults) failAlways(operation string, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.failed = map[string]error{operation: err}
}

func (f *faults) breakAfter(operations int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.left = &operations
}

func (f *faults) step(operation string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.left != nil {
		if *f.left == 0 {
			return errBroken
		}
		*f.left--
	}
	return f.failed[operation]
}

// room reports whether a file may grow to a size: on a full file system it may not grow at all.
func (f *faults) room(path string, size int) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.full {
		return nil
	}
	if info, err := os.Stat(path); err == nil && int64(size) <= info.Size() {
		return nil
	}
	return &fs.PathError{Op: "write", Path: path, Err: syscall.ENOSPC}
}

func (f *faults) MemoryBacked(dir string) (bool, error) {
	if f.memoryBacked != nil {
		return *f.memoryBacked, nil
	}
	return f.systemFiles.MemoryBacked(dir)
}

func (f *faults) Size(dir string) (uint64, error) {
	if f.size > 0 {
		return f.size, nil
	}
	return f.systemFiles.Size(dir)
}

func (f *faults) Write(path string, content []byte) error {
	if err := errors.Join(f.step("write"), f.room(path, len(content))); err != nil {
		return err
	}
	return f.systemFiles.Write(path, content)
}

// Overwrite that breaks leaves half of the content behind.
func (f *faults) Overwrite(path string, content []byte, size int64) error {
	if err := f.room(path, len(content)); err != nil {
		return err
	}
	if err := f.step("overwrite"); err != nil {
		_ = f.systemFiles.Overwrite(path, content[:len(content)/2], size)
		return err
	}
	return f.systemFiles.Overwrite(path, content, size)
}

func (f *faults) Rename(from, to string) error {
	if err := f.step("rename"); err != nil {
		return err
	}
	return f.systemFiles.Rename(from, to)
}

func (f *faults) Remove(path string) error {
	if err := f.step("remove"); err != nil {
		return err
	}
	return f.systemFiles.Remove(path)
}

func (f *faults) SyncDir(dir string) error {
	if err := f.step("syncdir"); err != nil {
		return err
	}
	return f.systemFiles.SyncDir(dir)
}
