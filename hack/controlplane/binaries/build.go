package binaries

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

// progressInterval is the time between two lines of a build's progress. Whole
// lines, so that a terminal and the log of a CI job show the same.
const progressInterval = 5 * time.Second

// ensure downloads or builds those of the wanted binaries that are not in the cache yet.
func (r release) ensure(ctx context.Context, log io.Writer, d *downloads, wanted []Name) error {
	if len(r.absent(wanted)) == 0 {
		return nil
	}
	if err := os.MkdirAll(filepath.Join(r.cache, "bin"), 0o755); err != nil {
		return fmt.Errorf("make the cache of the control plane's binaries: %w", err)
	}
	unlock, err := lock(ctx, filepath.Join(r.cache, "lock"), func() {
		fmt.Fprintf(log, "%s %s: waiting for another build of the same to end\n", r.name, r.version)
	})
	if err != nil {
		return fmt.Errorf("lock the cache of the control plane's binaries: %w", err)
	}
	defer unlock()

	// Whoever held the lock may have brought them.
	absent := r.download(ctx, d, r.absent(wanted))
	if len(absent) == 0 {
		return nil
	}
	return r.build(ctx, log, absent)
}

func (r release) absent(wanted []Name) []Name {
	var absent []Name
	for _, name := range wanted {
		if !isExecutable(r.path(name)) {
			absent = append(absent, name)
		}
	}
	return absent
}

// build compiles binaries beside the cache's bin folder and renames each into
// it, so that a path in bin is always a whole program. The caller holds
// the lock.
func (r release) build(ctx context.Context, log io.Writer, names []Name) error {
	work := filepath.Join(r.cache, "building")
	if err := os.RemoveAll(work); err != nil { // of a build that was killed
		return fmt.Errorf("clear %s: %w", work, err)
	}
	if err := os.Mkdir(work, 0o755); err != nil {
		return fmt.Errorf("make %s: %w", work, err)
	}
	defer os.RemoveAll(work)

	b := goBuild{
		what:  fmt.Sprintf("%s %s (%s)", r.name, r.version, join(names)),
		dir:   r.source,
		flags: []string{"-mod=readonly", "-trimpath", "-gcflags=all=-dwarf=false", "-ldflags=" + r.ldflags(r.version)},
		env:   r.env,
		log:   log,
		start: time.Now(),
	}
	if r.tags != "" {
		b.flags = append(b.flags, "-tags="+r.tags)
	}
	for _, name := range names {
		b.packages = append(b.packages, r.packages[name])
	}
	// go build names a program after its package; etcd's is called server.
	b.output = work + string(filepath.Separator)
	if len(names) == 1 {
		b.output = filepath.Join(work, string(names[0]))
	}

	fmt.Fprintf(log, "%s: building from source, once for this version; it is kept in %s\n", b.what, r.cache)
	if err := b.run(ctx); err != nil {
		return fmt.Errorf("build %s: %w", b.what, err)
	}
	for _, name := range names {
		if err := os.Rename(filepath.Join(work, string(name)), r.builtPath(name)); err != nil {
			return fmt.Errorf("put %s into the cache: %w", name, err)
		}
	}
	fmt.Fprintf(log, "%s: built in %s\n", b.what, b.elapsed())
	return nil
}

// goBuild is one go build with visible progress.
type goBuild struct {
	what     string
	dir      string
	packages []string
	flags    []string
	env      []string
	output   string
	log      io.Writer
	start    time.Time

	mu         sync.Mutex
	downloaded int
	stale      map[string]bool // packages that have to be compiled
	begun      int             // how many of them have been begun
	latest     string
}

func (b *goBuild) elapsed() time.Duration { return time.Since(b.start).Round(time.Second) }

// run asks the go command what is to be compiled, then has it compiled. The
// first takes a second, after the modules have been downloaded.
func (b *goBuild) run(ctx context.Context) error {
	stop := b.report()
	defer stop()

	list := append([]string{"list", "-deps", "-f", "{{if .Stale}}{{.ImportPath}}{{end}}"}, b.flags...)
	var stale bytes.Buffer
	if err := b.command(ctx, &stale, append(list, b.packages...)); err != nil {
		return err
	}
	b.mu.Lock()
	b.latest = ""
	b.stale = map[string]bool{}
	for path := range strings.FieldsSeq(stale.String()) {
		b.stale[path] = true
	}
	b.mu.Unlock()

	build := append([]string{"build", "-v", "-o", b.output}, b.flags...)
	return b.command(ctx, io.Discard, append(build, b.packages...))
}

// command runs the go command and follows what it says on its standard error.
func (b *goBuild) command(ctx context.Context, stdout io.Writer, args []string) error {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = b.dir
	cmd.Env = append(quickly(os.Environ()), "GOFLAGS=", "GOWORK=off", "GOOS=", "GOARCH=", "CGO_ENABLED=0")
	cmd.Env = append(cmd.Env, b.env...)
	cmd.Stdout = stdout
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) } // lets it end its compilers
	cmd.WaitDelay = 10 * time.Second

	reader, writer, err := os.Pipe()
	if err != nil {
		return err
	}
	defer reader.Close()
	cmd.Stderr = writer
	err = cmd.Start()
	writer.Close()
	if err != nil {
		if errors.Is(err, exec.ErrNotFound) {
			return errors.New("the go command is not in PATH: install Go, see https://go.dev/doc/install")
		}
		return err
	}
	said := b.follow(reader)
	if err := cmd.Wait(); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return fmt.Errorf("go %s: %w\n%s", args[0], err, strings.Join(said, "\n"))
	}
	return nil
}

// quickly has compilers collect their garbage less often, which costs some memory.
// This, and no data for debuggers, spares an eighth of the CPU.
func quickly(env []string) []string { return append([]string{"GOGC=400"}, env...) }

// follow counts what the go command reports, and returns what else it says: the
// errors, if there are any.
func (b *goBuild) follow(stderr io.Reader) []string {
	var rest []string
	lines := bufio.NewScanner(stderr)
	for lines.Scan() {
		line := lines.Text()
		module, downloading := strings.CutPrefix(line, "go: downloading ")
		b.mu.Lock()
		switch {
		case downloading:
			b.downloaded++
			b.latest = module
		case b.stale[line]:
			b.begun++
			b.latest = line
		default:
			rest = append(rest, line)
		}
		b.mu.Unlock()
	}
	return rest
}

// report writes a line of progress every few seconds until it is stopped.
func (b *goBuild) report() (stop func()) {
	return every(progressInterval, func(time.Duration) {
		fmt.Fprintf(b.log, "%s: %s\n", b.what, b.progress())
	})
}

// every calls do again and again until it is stopped.
func every(interval time.Duration, do func(elapsed time.Duration)) (stop func()) {
	begin := time.Now()
	done := make(chan struct{})
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		ticker := time.NewTicker(interval)
		defer ticker.Stop()
		for {
			select {
			case <-done:
				return
			case <-ticker.C:
				do(time.Since(begin))
			}
		}
	}()
	return func() { close(done); <-ended }
}

func (b *goBuild) progress() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.stale == nil && b.downloaded == 0:
		return fmt.Sprintf("looking at the packages, %s", b.elapsed())
	case b.stale == nil:
		return fmt.Sprintf("%d modules downloaded, %s, now %s", b.downloaded, b.elapsed(), b.latest)
	case b.begun == 0:
		return fmt.Sprintf("%d packages to compile or link, %s", len(b.stale), b.elapsed())
	case b.begun < len(b.stale):
		return fmt.Sprintf("%d of %d packages compiled, %s, now %s", b.begun, len(b.stale), b.elapsed(), b.latest)
	default:
		return fmt.Sprintf("all %d packages compiled, linking, %s", len(b.stale), b.elapsed())
	}
}

// lock takes an exclusive lock between processes, which ends with the process
// that holds it. If it has to wait it calls waiting first.
func lock(ctx context.Context, path string, waiting func()) (unlock func(), err error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	said := false
	for {
		err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return func() { file.Close() }, nil
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) && !errors.Is(err, syscall.EINTR) {
			file.Close()
			return nil, err
		}
		if !said {
			waiting()
			said = true
		}
		select {
		case <-ctx.Done():
			file.Close()
			return nil, ctx.Err()
		case <-time.After(200 * time.Millisecond):
		}
	}
}

func join(names []Name) string {
	words := make([]string, len(names))
	for i, name := range names {
		words[i] = string(name)
	}
	return strings.Join(words, ", ")
}
