package chaos

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/githubusertoken/github-user-token-operator/hack/controlplane"
	"github.com/githubusertoken/github-user-token-operator/internal/outbox"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
	"github.com/githubusertoken/github-user-token-operator/test/chaos/probe"
)

// replica is one pod of the operator: an outbox, and one process after the other.
type replica struct {
	w     *world
	name  string
	proxy *apiProxy
	args  []string
	// program is the binary.
	program string
	// home is the process's working directory and home: nothing secret may be found there.
	home string
	// outbox is the pod's memory-backed volume.
	outbox     string
	probes     string
	log        string
	kubeconfig string
	metrics    string
	health     string

	life *life
}

// life is one process.
type life struct {
	cmd   *exec.Cmd
	ended chan struct{}
}

// spawner starts children on one operating system thread that lasts as long as this process: the signal that
// ends them with their parent is tied to the thread that started them.
var spawner = sync.OnceValue(func() chan<- func() {
	work := make(chan func())
	go func() {
		runtime.LockOSThread()
		for do := range work {
			do()
		}
	}()
	return work
})

// replica prepares a pod. It runs the plain program unless told otherwise.
func (w *world) replica(args ...string) *replica {
	w.t.Helper()
	r := &replica{w: w, name: fmt.Sprintf("replica-%d", len(w.replicas)+1), program: programs.plain, args: args}
	w.replicas = append(w.replicas, r)
	r.proxy = newAPIProxy(w.t, w.plane, w.identity)
	r.home = filepath.Join(w.t.TempDir(), r.name)
	r.probes = filepath.Join(w.t.TempDir(), "probes")
	for _, dir := range []string{r.home, r.probes} {
		w.must(os.Mkdir(dir, 0o700))
	}
	r.log = filepath.Join(w.t.TempDir(), r.name+".log")
	config := *w.identity
	config.Host = r.proxy.host
	r.kubeconfig = filepath.Join(w.t.TempDir(), "kubeconfig")
	w.must(w.plane.WriteKubeconfig(r.kubeconfig, &config))
	for _, address := range []*string{&r.metrics, &r.health} {
		reserved, release, err := controlplane.ReserveAddress()
		w.must(err)
		w.t.Cleanup(release)
		*address = reserved
	}
	r.freshOutbox()
	w.t.Cleanup(func() {
		r.end()
		if w.t.Failed() {
			w.t.Logf("the end of the log of %s:\n%s", r.name, r.tail())
		}
	})
	return r
}

// probed makes the replica run the program with the probes.
func (r *replica) probed() *replica {
	r.program = programs.probed
	return r
}

// order tells the process what to do when it comes by a place: see package probe.
func (r *replica) order(place, what string) {
	r.w.t.Helper()
	r.w.must(os.WriteFile(filepath.Join(r.probes, place), []byte(what), 0o600))
	totals.fault("process: " + what + " at " + strings.SplitN(place, "-", 2)[0])
}

// awaitOrder waits until an order was carried out.
func (r *replica) awaitOrder(place string) {
	r.w.t.Helper()
	r.w.eventually("the process to come by "+place, func() (bool, string) {
		_, err := os.Stat(filepath.Join(r.probes, place+probe.Reached))
		return err == nil, "not yet"
	})
}

// freshOutbox gives the pod a new volume, as a new pod gets one.
func (r *replica) freshOutbox() {
	r.w.t.Helper()
	dir, err := controlplane.NewTempDir(memoryBacked(), "github-user-token-chaos-")
	r.w.must(err)
	r.w.t.Cleanup(func() { _ = dir.Remove() })
	r.outbox = dir.Path()
}

// memoryBacked is the file system in memory that every Linux has.
func memoryBacked() string { return "/dev/shm" }

func (r *replica) arguments() []string {
	return append([]string{
		"--namespaces=" + strings.Join(r.w.namespaces, ","),
		"--allowed-hosts=" + r.w.site.Host,
		"--allowed-addresses=127.0.0.0/8",
		"--github-ca-file=" + r.w.authority,
		"--outbox-dir=" + r.outbox,
		"--metrics-bind-address=" + r.metrics,
		"--metrics-secure=false",
		"--health-probe-bind-address=" + r.health,
		// Not what is tried here: many exchanges in short time are.
		"--token-requests-per-hour=0",
		"--zap-log-level=debug",
	}, r.args...)
}

// launch starts a process and does not wait for it.
func (r *replica) launch() {
	r.w.t.Helper()
	log, err := os.OpenFile(r.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	r.w.must(err)
	defer log.Close() // the child has its own descriptor
	cmd := exec.Command(r.program, r.arguments()...)
	cmd.Dir = r.home
	cmd.Env = []string{
		"HOME=" + r.home, "TMPDIR=" + r.home, "KUBECONFIG=" + r.kubeconfig, "GOTRACEBACK=all",
		probe.Environment + "=" + r.probes,
	}
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = boundToParent()
	started := make(chan error)
	spawner() <- func() { started <- cmd.Start() }
	r.w.must(<-started)
	totals.with(func(f *figures) { f.lifes++ })
	l := &life{cmd: cmd, ended: make(chan struct{})}
	go func() {
		_ = cmd.Wait() // how it ended is asked of its state
		close(l.ended)
	}()
	r.life = l
}

// working is what controller-runtime says when the caches are filled and work begins.
const working = "Starting workers"

// start starts a process and waits until it is ready.
func (r *replica) start() {
	r.w.t.Helper()
	r.launch()
	r.w.eventually(r.name+" to become ready", func() (bool, string) {
		if r.over() {
			r.w.t.Fatalf("%s ended with %s:\n%s", r.name, r.life.cmd.ProcessState, r.tail())
		}
		return r.ready(), r.tail()
	})
}

func (r *replica) ready() bool {
	ctx, cancel := context.WithTimeout(r.w.ctx, 5*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+r.health+"/readyz", nil)
	r.w.must(err)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return false
	}
	defer response.Body.Close()
	return response.StatusCode == http.StatusOK
}

// over reports whether the process has ended.
func (r *replica) over() bool {
	if r.life == nil {
		return true
	}
	select {
	case <-r.life.ended:
		return true
	default:
		return false
	}
}

// signal sends a signal to the process.
func (r *replica) signal(sig syscall.Signal) {
	r.w.t.Helper()
	totals.fault("process: " + sig.String())
	r.w.must(r.life.cmd.Process.Signal(sig))
}

// kill is kill -9. It returns the moment of it.
func (r *replica) kill() time.Time {
	r.w.t.Helper()
	at := time.Now()
	totals.fault("process: kill -9")
	r.w.must(r.life.cmd.Process.Kill())
	<-r.life.ended
	return at
}

// exitCode waits for the end of the process.
func (r *replica) exitCode() int {
	r.w.t.Helper()
	select {
	case <-r.life.ended:
	case <-time.After(r.w.patience):
		r.w.t.Fatalf("%s does not end:\n%s", r.name, r.tail())
	}
	return r.life.cmd.ProcessState.ExitCode()
}

// end ends the process at the end of a test, however it stands.
func (r *replica) end() {
	if !r.over() {
		_ = r.life.cmd.Process.Kill()
		<-r.life.ended
	}
}

// logs is what all processes of the pod have written.
func (r *replica) logs() string {
	content, err := os.ReadFile(r.log)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		r.w.t.Error(err)
	}
	return string(content)
}

// awaitLog waits until the pod has written a text.
func (r *replica) awaitLog(text string) {
	r.w.t.Helper()
	r.w.eventually(r.name+" to log "+text, func() (bool, string) { return strings.Contains(r.logs(), text), r.tail() })
}

func (r *replica) tail() string {
	lines := strings.Split(strings.TrimSpace(r.logs()), "\n")
	return strings.Join(lines[max(0, len(lines)-40):], "\n")
}

// kept reads the records in the outbox of a pod whose process is dead.
func (r *replica) kept() []rotation.Record {
	r.w.t.Helper()
	opened, err := outbox.Open(r.outbox, outbox.Options{AllowDisk: true})
	r.w.must(err)
	defer func() { _ = opened.Close() }()
	records, err := opened.List()
	r.w.must(err)
	return records
}
