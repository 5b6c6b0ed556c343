package supervise

import (
	"os"
	"sync"
)

// atTerminal reports whether somebody may type into the command.
var atTerminal = sync.OnceValue(func() bool { return IsTerminal(os.Stdin) })

// IsTerminal reports whether a file is a terminal. /dev/null, a character device too, is none.
func IsTerminal(file *os.File) bool {
	info, err := file.Stat()
	if err != nil || info.Mode()&os.ModeCharDevice == 0 {
		return false
	}
	null, err := os.Stat(os.DevNull)
	return err != nil || !os.SameFile(info, null)
}
