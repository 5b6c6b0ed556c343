package outbox

import "testing"

func TestOutboxMemoryBackedFileSystemsAreRecognised(t *testing.T) {
	for dir, want := range map[string]bool{"/dev/shm": true, "/proc": false, "/sys": false} {
		if got, err := memoryBacked(dir); err != nil || got != want {
			t.Errorf("%s: memory-backed is %v (%v), want %v", dir, got, err, want)
		}
	}
}
