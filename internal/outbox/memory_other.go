//go:build !linux

package outbox

// memoryBacked knows no memory-backed file systems but Linux's.
func memoryBacked(string) (bool, error) { return false, nil }

// sizeOf is not known.
func sizeOf(string) (uint64, error) { return noLimit, nil }
