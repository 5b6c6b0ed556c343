package outbox

import (
	"errors"
	"io/fs"
	"os"
)

// files is what the outbox does to the file system. Tests fail each of these on purpose.
type files interface {
	// MemoryBacked reports whether a directory is on tmpfs or ramfs.
	MemoryBacked(dir string) (bool, error)
	// Size is how many bytes the file system of a directory has in all.
	Size(dir string) (uint64, error)
	ReadDir(dir string) ([]fs.DirEntry, error)
	ReadFile(path string) ([]byte, error)
	// Write makes a new file of mode 0600 and returns when its content is durable.
	Write(path string, content []byte) error
	// Overwrite replaces the beginning of a file, which it makes if need be, cuts the file to the given
	// size, and returns when that is durable.
	Overwrite(path string, content []byte, size int64) error
	Rename(from, to string) error
	Remove(path string) error
	// SyncDir returns when the names in a directory are durable.
	SyncDir(dir string) error
}

type systemFiles struct{}

func (systemFiles) MemoryBacked(dir string) (bool, error)     { return memoryBacked(dir) }
func (systemFiles) Size(dir string) (uint64, error)           { return sizeOf(dir) }
func (systemFiles) ReadDir(dir string) ([]fs.DirEntry, error) { return os.ReadDir(dir) }
func (systemFiles) ReadFile(path string) ([]byte, error)      { return os.ReadFile(path) }
func (systemFiles) Rename(from, to string) error              { return os.Rename(from, to) }
func (systemFiles) Remove(path string) error                  { return os.Remove(path) }

func (s systemFiles) Write(path string, content []byte) error {
	return write(path, os.O_EXCL, content, int64(len(content)))
}

func (s systemFiles) Overwrite(path string, content []byte, size int64) error {
	return write(path, 0, content, size)
}

func (systemFiles) SyncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

func write(path string, flag int, content []byte, size int64) error {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|flag, 0o600)
	if err != nil {
		return err
	}
	_, err = file.WriteAt(content, 0)
	if err == nil {
		err = file.Truncate(size)
	}
	if err == nil {
		err = file.Sync()
	}
	return errors.Join(err, file.Close())
}
