package probe

import (
	"os"
	"runtime"
	"syscall"
)

// stop stops the process. The signal goes to this very thread: sent to the process, another thread might
// take it, and this one would be some instructions further by then.
func stop() {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	_, _, _ = syscall.RawSyscall(syscall.SYS_TGKILL, uintptr(os.Getpid()), uintptr(syscall.Gettid()), uintptr(syscall.SIGSTOP))
}
