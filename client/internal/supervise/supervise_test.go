//go:build unix

package supervise

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"testing"
	"time"
)

// childOf tells this test program that it is the command, and where the test listens.
const childOf = "SUPERVISE_TEST_ADDRESS"

func TestMain(m *testing.M) {
	if address := os.Getenv(childOf); address != "" {
		os.Exit(child(address))
	}
	os.Exit(m.Run())
}

// child is the command of the tests: it says what token it has, and does what it is told.
func child(address string) int {
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT, syscall.SIGUSR1, syscall.SIGHUP)
	connection, err := net.Dial("tcp", address)
	if err != nil {
		return 99
	}
	fmt.Fprintf(connection, "token %s %s\n", os.Getenv("GITHUB_TOKEN"), os.Getenv("OTHER"))
	orders := make(chan string)
	go func() {
		for lines := bufio.NewScanner(connection); lines.Scan(); {
			orders <- lines.Text()
		}
		close(orders) // The test is over.
	}()
	isDeaf := false
	for {
		select {
		case order, ok := <-orders:
			switch {
			case !ok:
				return 98
			case order == "deaf":
				isDeaf = true
				fmt.Fprintln(connection, "deaf")
			case order == "abort":
				signal.Reset(syscall.SIGTERM)
				_ = syscall.Kill(os.Getpid(), syscall.SIGTERM)
				select {}
			default:
				code := 0
				_, _ = fmt.Sscanf(order, "exit %d", &code)
				return code
			}
		case got := <-signals:
			fmt.Fprintf(connection, "signal %s\n", got)
			if got == syscall.SIGTERM && !isDeaf {
				return 7
			}
		}
	}
}

// world is a job whose commands talk to the test.
type world struct {
	t       *testing.T
	job     *Job
	tokens  chan Token
	signals chan os.Signal
	calls   chan net.Conn
	ended   chan struct{}
	code    int
	err     error
	said    chan string
}

// process is one run of the command.
type process struct {
	t    *testing.T
	conn net.Conn
	read *bufio.Reader
}

func newWorld(t *testing.T) *world {
	t.Helper()
	var config net.ListenConfig
	listener, err := config.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	t.Setenv(childOf, listener.Addr().String())
	w := &world{
		t: t, tokens: make(chan Token), signals: make(chan os.Signal, 8), calls: make(chan net.Conn, 8), ended: make(chan struct{}), said: make(chan string, 64),
	}
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			w.calls <- conn
		}
	}()
	w.job = &Job{
		Command: []string{os.Args[0]}, Variables: []string{"GITHUB_TOKEN", "OTHER"}, Grace: time.Minute, Signals: w.signals,
		First: func(context.Context) (Token, error) { return Token{"ghu_1", "1"}, nil },
		Next: func(ctx context.Context, fingerprint string) Token {
			select {
			case token := <-w.tokens:
				if token.Fingerprint == fingerprint {
					t.Error("the next token is the same")
				}
				return token
			case <-ctx.Done():
				return Token{}
			}
		},
		Say: func(format string, args ...any) { w.said <- fmt.Sprintf(format, args...) },
	}
	return w
}

func (w *world) start() {
	go func() {
		defer close(w.ended)
		w.code, w.err = w.job.Run(context.Background())
	}()
	w.t.Cleanup(func() { // A command ends when the test hangs up.
		for {
			select {
			case conn := <-w.calls:
				_ = conn.Close()
			case <-w.ended:
				return
			}
		}
	})
}

// process waits for the command to start, and says which token it must have.
func (w *world) process(token string) *process {
	w.t.Helper()
	select {
	case conn := <-w.calls:
		w.t.Cleanup(func() { _ = conn.Close() })
		p := &process{w.t, conn, bufio.NewReader(conn)}
		p.says("token " + token + " " + token)
		return p
	case <-w.ended:
		w.t.Fatalf("it ended with %d: %v", w.code, w.err)
	case <-time.After(time.Minute):
		w.t.Fatal("no command was started")
	}
	return nil
}

func (p *process) says(want string) {
	p.t.Helper()
	_ = p.conn.SetReadDeadline(time.Now().Add(time.Minute))
	if line, err := p.read.ReadString('\n'); err != nil || strings.TrimSpace(line) != want {
		p.t.Fatalf("the command says %q (%v), want %q", strings.ReplaceAll(line, "ghu_", ""), err, strings.ReplaceAll(want, "ghu_", ""))
	}
}

func (p *process) tell(order string) {
	p.t.Helper()
	if _, err := fmt.Fprintln(p.conn, order); err != nil {
		p.t.Fatal(err)
	}
}

func (w *world) ends(code int) {
	w.t.Helper()
	select {
	case <-w.ended:
	case <-time.After(time.Minute):
		w.t.Fatal("it does not end")
	}
	if w.code != code || w.err != nil {
		w.t.Errorf("it ended with %d (%v), want %d", w.code, w.err, code)
	}
}

func TestExecHasTheExitCodeOfTheCommand(t *testing.T) {
	for order, code := range map[string]int{"exit 0": 0, "exit 42": 42, "abort": 128 + 15} {
		t.Run(order, func(t *testing.T) {
			w := newWorld(t)
			w.start()
			w.process("ghu_1").tell(order)
			w.ends(code)
		})
	}
}

func TestExecStartsTheCommandAgainWithEachToken(t *testing.T) {
	w := newWorld(t)
	w.start()
	p := w.process("ghu_1")
	for n := 2; n < 5; n++ {
		w.tokens <- Token{fmt.Sprintf("ghu_%d", n), fmt.Sprint(n)}
		p.says("signal terminated")
		p = w.process(fmt.Sprintf("ghu_%d", n))
	}
	p.tell("exit 3")
	w.ends(3)
	for len(w.said) > 0 {
		if line := <-w.said; strings.Contains(line, "ghu_") {
			t.Error("a token stands in a text that people see")
		}
	}
}

func TestExecKillsACommandThatDoesNotEnd(t *testing.T) {
	w := newWorld(t)
	w.job.Grace = 50 * time.Millisecond
	w.start()
	p := w.process("ghu_1")
	p.tell("deaf")
	p.says("deaf")
	w.tokens <- Token{"ghu_2", "2"}
	p.says("signal terminated")
	w.process("ghu_2").tell("exit 0")
	w.ends(0)
}

func TestExecPassesSignalsOn(t *testing.T) {
	w := newWorld(t)
	w.start()
	p := w.process("ghu_1")
	for _, sent := range []syscall.Signal{syscall.SIGUSR1, syscall.SIGHUP, syscall.SIGINT} {
		w.signals <- sent
		p.says("signal " + sent.String())
	}
	// None of these was the end: the next token starts it again.
	w.tokens <- Token{"ghu_2", "2"}
	p.says("signal terminated")
	p = w.process("ghu_2")
	w.signals <- syscall.SIGTERM
	p.says("signal terminated")
	w.ends(7)
}

// What ends for good is not started again, whichever came first, the signal or the token.
func TestExecDoesNotStartACommandAgainThatIsToEnd(t *testing.T) {
	for name, isFirst := range map[string]bool{"the signal comes first": true, "the token comes first": false} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.start()
			p := w.process("ghu_1")
			p.tell("deaf")
			p.says("deaf")
			steps := []func(){func() { w.signals <- syscall.SIGTERM }, func() { w.tokens <- Token{"ghu_2", "2"} }}
			if !isFirst {
				steps[0], steps[1] = steps[1], steps[0]
			}
			steps[0]()
			p.says("signal terminated")
			steps[1]()
			if !isFirst {
				p.says("signal terminated")
			}
			p.tell("exit 5")
			w.ends(5)
			if len(w.calls) > 0 {
				t.Error("it was started again")
			}
		})
	}
}

func TestExecEndsBeforeThereIsAToken(t *testing.T) {
	t.Run("by a signal", func(t *testing.T) {
		w := newWorld(t)
		w.job.First = func(ctx context.Context) (Token, error) {
			<-ctx.Done()
			return Token{}, ctx.Err()
		}
		w.start()
		w.signals <- syscall.SIGUSR1 // This one does not end it.
		w.signals <- syscall.SIGTERM
		w.ends(128 + 15)
	})
	t.Run("by a refusal", func(t *testing.T) {
		w := newWorld(t)
		w.job.First = func(context.Context) (Token, error) { return Token{}, errors.New("no") }
		if code, err := w.job.Run(t.Context()); code != CodeFailed || err == nil {
			t.Errorf("%d, %v", code, err)
		}
	})
}

func TestExecSaysOfACommandThatItCannotBeRun(t *testing.T) {
	w := newWorld(t)
	for name, command := range map[string][]string{"none": nil, "unknown": {"no-such-command"}} {
		w.job.Command = command
		if err := w.job.Check(); err == nil {
			t.Errorf("%s: it is taken", name)
		}
	}
	w.job.Command = []string{"no-such-command"}
	if code, err := w.job.Run(t.Context()); code != CodeNotFound || err == nil {
		t.Errorf("%d, %v", code, err)
	}
	w.job.Command = []string{t.TempDir()}
	if code, err := w.job.Run(t.Context()); code != CodeNotRunnable || err == nil {
		t.Errorf("%d, %v", code, err)
	}
	if _, err := exec.LookPath("sh"); err != nil {
		t.Fatal(err)
	}
	w.job.Command = []string{"sh"}
	if err := w.job.Check(); err != nil {
		t.Errorf("sh is not taken: %v", err)
	}
}

// What the command has started gets the signals too, as from a shell that ends a pipeline.
func TestExecSignalsWhatTheCommandHasStarted(t *testing.T) {
	w := newWorld(t)
	w.job.Command = []string{"sh", "-c", `"$0" & wait; exit 11`, os.Args[0]}
	w.start()
	p := w.process("ghu_1")
	w.signals <- syscall.SIGUSR1 // sh ends by it, and what it started says so.
	p.says("signal " + syscall.SIGUSR1.String())
	w.ends(128 + int(syscall.SIGUSR1))
	p.tell("exit 0")
}

// What it has started and left goes with it: otherwise two of them would be at work.
func TestExecLeavesNothingOfACommandThatItStartsAgain(t *testing.T) {
	w := newWorld(t)
	w.job.Command, w.job.Grace = []string{"sh", "-c", `"$0" & wait`, os.Args[0]}, 100*time.Millisecond
	w.start()
	p := w.process("ghu_1")
	p.tell("deaf")
	p.says("deaf")
	w.tokens <- Token{"ghu_2", "2"}
	p.says("signal terminated")
	next := w.process("ghu_2")
	_ = p.conn.SetReadDeadline(time.Now().Add(time.Minute))
	if line, err := p.read.ReadString('\n'); !errors.Is(err, io.EOF) && !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("it is still there: %q, %v", line, err)
	}
	next.tell("exit 0")
	w.ends(0)
}

// A command that is done when the next token comes is done.
func TestExecDoesNotStartACommandAgainThatHasJustEnded(t *testing.T) {
	for range 300 {
		run := &running{ended: make(chan struct{})}
		job := &Job{
			Say:  func(string, ...any) {},
			Next: func(context.Context, string) Token { close(run.ended); return Token{"ghu_2", "2"} },
		}
		if _, again := job.watch(t.Context(), run, Token{"ghu_1", "1"}); again {
			t.Fatal("it would be started again")
		}
	}
}
