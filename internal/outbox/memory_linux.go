package outbox

import "syscall"

// Magic numbers of statfs(2).
const (
	tmpfsMagic = 0x01021994
	ramfsMagic = 0x858458f6
)

func memoryBacked(dir string) (bool, error) {
	var stat syscall.Statfs_t
	if err := syscall.Statfs(dir, &stat); err != nil {
		return false, err
	}
	kind := uint32(stat.Type) //nolint:gosec // the type is a 32-bit magic number, signed on some platforms
	return kind == tmpfsMagic || kind == ramfsMagic, nil
}

// sizeOf is the size of a directory's file system; of one without a limit, as ramfs is, as much as is ever used.
func sizeOf(dir string) (uint64, error) {
	var stat syscall.Statfs_t
	if err := syscall.Statfs(dir, &stat); err != nil {
		return 0, err
	}
	if stat.Blocks == 0 || stat.Bsize <= 0 {
		return noLimit, nil
	}
	return stat.Blocks * uint64(stat.Bsize), nil
}
