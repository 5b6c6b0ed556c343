package suite

import (
	"fmt"
	"os"
	"regexp"
	"strconv"
)

var (
	peak     = regexp.MustCompile(`VmHWM:\s+(\d+) kB`)
	resident = regexp.MustCompile(`(?m)^Rss:\s+(\d+) kB$`)
	// Of what a program maps, pages that it has written to are its own.
	anonymous = regexp.MustCompile(`(?m)^Anonymous:\s+(\d+) kB$`)
)

// PeakMemory is the most memory that a process ever had, in bytes; false on a system other than Linux.
func PeakMemory(pid int) (int64, bool) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, false
	}
	return kilobytes(peak, status)
}

// MemoryOf is a process's own memory in bytes, and that of the files it maps, which is mostly the program; false on a
// system other than Linux.
func MemoryOf(pid int) (own, mapped int64, known bool) {
	rollup, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	if err != nil {
		return 0, 0, false
	}
	all, known := kilobytes(resident, rollup)
	own, ownKnown := kilobytes(anonymous, rollup)
	return own, all - own, known && ownKnown
}

// kilobytes is a figure of the kernel's in bytes.
func kilobytes(of *regexp.Regexp, text []byte) (int64, bool) {
	match := of.FindSubmatch(text)
	if match == nil {
		return 0, false
	}
	n, err := strconv.ParseInt(string(match[1]), 10, 64)
	return n << 10, err == nil
}

// Memory tells an amount of it, or that it is not known.
func Memory(bytes int64, known bool) string {
	if !known {
		return "unknown on this system"
	}
	return fmt.Sprintf("%d MiB", bytes>>20)
}
