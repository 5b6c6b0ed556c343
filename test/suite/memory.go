package suite

import (
	"fmt"
	"os"
	"regexp"
	"strconv"
)

var peak = regexp.MustCompile(`VmHWM:\s+(\d+) kB`)

// PeakMemory is the most memory that a process ever had, in bytes; false on a system other than Linux.
func PeakMemory(pid int) (int64, bool) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, false
	}
	match := peak.FindSubmatch(status)
	if match == nil {
		return 0, false
	}
	kilobytes, err := strconv.ParseInt(string(match[1]), 10, 64)
	return kilobytes << 10, err == nil
}

// Memory tells an amount of it, or that it is not known.
func Memory(bytes int64, known bool) string {
	if !known {
		return "unknown on this system"
	}
	return fmt.Sprintf("%d MiB", bytes>>20)
}
