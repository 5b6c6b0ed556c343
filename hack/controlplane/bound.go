package controlplane

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"sync"
)

// parentThread runs functions on one operating system thread that lasts as long
// as the program. A death signal (see bind) is tied to the thread that started
// the child, not to its process: started from any goroutine, a child would be
// killed when Go gives that goroutine's thread back.
var parentThread = sync.OnceValue(func() chan<- func() {
	work := make(chan func())
	go func() {
		runtime.LockOSThread()
		for do := range work {
			do()
		}
	}()
	return work
})

// startBound starts a child that does not outlive this process, even if it is
// killed, and that is out of reach of the terminal's Ctrl-C: this process
// decides in which order things end.
func startBound(cmd *exec.Cmd) error {
	bind(cmd)
	started := make(chan error)
	parentThread() <- func() { started <- cmd.Start() }
	return <-started
}

// removal deletes a folder when it is asked to, or when this process ends
// without having asked. It is a shell that waits for the end of its standard
// input, of which this process holds the other end.
type removal struct {
	cmd   *exec.Cmd
	input io.Closer
}

// Twice, because components that are killed with their parent may still be
// writing during the first.
const removalScript = `trap '' HUP INT TERM
read -r _
rm -rf -- "$1"
[ ! -e "$1" ] || { sleep 1; rm -rf -- "$1"; }`

func removeWhenDone(dir string) (*removal, error) {
	reader, writer, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("make a pipe: %w", err)
	}
	defer reader.Close()
	cmd := exec.Command("/bin/sh", "-c", removalScript, "sh", dir) //nolint:noctx // It ends with this process.
	cmd.Dir = "/"
	cmd.Stdin = reader
	detach(cmd)
	if err := cmd.Start(); err != nil {
		writer.Close()
		return nil, fmt.Errorf("start the removal of %s: %w", dir, err)
	}
	return &removal{cmd: cmd, input: writer}, nil
}

// now deletes the folder and returns when it is gone.
func (r *removal) now() error {
	r.input.Close()
	return r.cmd.Wait()
}
