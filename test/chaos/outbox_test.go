package chaos

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/outbox"
	"github.com/githubusertoken/github-user-token-operator/test/chaos/probe"
)

func TestChaosNoExchangeBeginsWithoutAnOutbox(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	r, s := w.running("octocat")
	replies, away := filepath.Join(r.outbox, "replies"), filepath.Join(r.outbox, "away")
	w.must(os.Rename(replies, away))
	totals.fault("outbox: not writable")
	token := s.holds()
	s.request()
	s.awaitReason(v1alpha1.ConditionReconciling, v1alpha1.ReasonOutboxUnavailable)
	if n := len(w.gh.PresentationsOf(token)); n != 0 {
		t.Errorf("the token was presented %d times without an outbox", n)
	}
	w.must(os.Rename(away, replies))
	w.judge()
}

func TestChaosDamagedRecordKeepsNothingFromBeingReplayed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	r, s := w.running("octocat")
	commit := r.proxy.inject(holdRequest(s.commit()))
	s.request()
	w.arrived("the commit", commit.arrived)
	at := r.kill()
	r.proxy.clear()
	if n := len(r.kept()); n != 1 {
		t.Fatalf("there are %d records in the outbox, want one", n)
	}
	damaged := filepath.Join(r.outbox, "replies", "reply-00000000000000000000000000000000.json")
	w.must(os.WriteFile(damaged, []byte(`{"version":1,"sha256":"00","content":{"`), 0o600))
	totals.fault("outbox: damaged record")
	r.start()
	w.settle(at)
	if _, err := os.Stat(damaged + ".corrupt"); err != nil {
		t.Errorf("the damaged record was not set aside: %v", err)
	}
	if !strings.Contains(string(r.metricsPage()), "githubusertoken_outbox_corrupt_records 1") {
		t.Error("the metrics do not tell of the damaged record")
	}
	w.judge()
}

// TestChaosOutboxThatIsNoneIsRefused starts operators that must not start.
func TestChaosOutboxThatIsNoneIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	first, s := w.running("octocat")

	second := w.replica()
	second.outbox = first.outbox
	second.launch()
	if code := second.exitCode(); code != 1 {
		t.Errorf("a second process on the same outbox ended with %d, want 1", code)
	}
	second.awaitLog("another process is using the outbox")

	third := w.replica()
	third.outbox = onDisk(t)
	third.launch()
	if code := third.exitCode(); code != 1 {
		t.Errorf("an operator whose outbox is on a disk ended with %d, want 1", code)
	}
	third.awaitLog("the outbox must not be on a disk")
	totals.fault("outbox: on disk")
	totals.fault("outbox: used by another")
	s.request()
	w.judge()
}

// onDisk finds a folder that is on a disk: of the folders that a test may write to, one usually is.
func onDisk(t *testing.T) string {
	t.Helper()
	for _, parent := range []string{t.TempDir(), root} {
		dir, err := os.MkdirTemp(parent, "on-disk-")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = os.RemoveAll(dir) })
		opened, err := outbox.Open(filepath.Join(dir, "outbox"), outbox.Options{})
		if errors.Is(err, outbox.ErrOnDisk) {
			return filepath.Join(dir, "outbox")
		}
		if err != nil {
			t.Fatal(err)
		}
		_ = opened.Close()
	}
	t.Fatal("all folders are on file systems in memory")
	return ""
}

// TestChaosPanicLosesNothingThatWasKept lets an exchange panic right after its reply was kept. The process goes on, and
// so do all other exchanges.
func TestChaosPanicLosesNothingThatWasKept(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	r := w.replica().probed()
	r.start()
	refreshed, other := w.subject("refreshed"), w.subject("other")
	for _, s := range w.subjects {
		s.awaitReady()
	}
	imported := w.prepare("imported", w.namespaces[0], clientID)
	r.order("kept-"+refreshed.name, probe.Panic)
	r.order("kept-"+imported.name, probe.Panic)
	refreshed.request()
	w.must(imported.apply())
	r.awaitOrder("kept-" + refreshed.name)
	r.awaitOrder("kept-" + imported.name)
	other.request()
	began := time.Now()
	w.settle(began)
	if r.over() {
		t.Error("the process has ended")
	}
	if strings.Contains(r.logs(), "ordered by a test") {
		t.Error("the value of a panic, which might hold anything, is logged")
	}
	w.judge()
}
