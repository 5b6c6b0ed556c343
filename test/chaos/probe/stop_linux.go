package probe

import (
	"os"
	"runtime"
	"syscall"
	"time"
)

// stop stops the process. The signal goes to this very thread: sent to the process, another thread might
// take it, and this one would be some instructions further by then.
//
// This goroutine is alone when the process goes on, and is not preempted at once: what stands between it and the
// socket must be what the operator has put there, and not a timer of another goroutine that happened to be quicker.
// For that there is one processor; the runtime's monitor, which has found nothing to do for a while, sleeps; and the
// goroutine's time has just begun.
func stop() {
	runtime.GOMAXPROCS(1)
	for began := time.Now(); time.Since(began) < 8*time.Millisecond; {
		continue
	}
	runtime.Gosched()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	_, _, _ = syscall.RawSyscall(syscall.SYS_TGKILL, uintptr(os.Getpid()), uintptr(syscall.Gettid()), uintptr(syscall.SIGSTOP))
}
