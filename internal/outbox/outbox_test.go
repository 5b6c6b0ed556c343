package outbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/github"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

const canary = "ghr_canaryThatMustNotBePrinted"

var owner = rotation.Owner{Namespace: "team", Name: "octocat", UID: "uid"}

func record(id, body string) rotation.Record {
	return rotation.Record{
		ID: id, Ref: rotation.Ref{Namespace: "team", Name: "octocat"},
		Owner: rotation.Owner{Namespace: "team", Name: "octocat", UID: "uid"}, App: "github.com/Iv1", Spent: "spent",
		Login: true, Base: rotation.State{Owner: "uid", Revision: 7}, User: &rotation.UserPin{Login: "octocat"},
		Reply: &github.Reply{
			Host: "github.com", SentAt: time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC), Date: time.Date(2026, 1, 1, 21, 4, 5, 0, time.UTC), Status: 200,
			ContentType: "application/json", RetryAfter: time.Second, Body: credential.NewRaw([]byte(body)),
		},
	}
}

func open(t *testing.T, dir string, options Options) *Outbox {
	t.Helper()
	options.AllowDisk = true
	o, err := Open(dir, options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = o.Close() })
	return o
}

func list(t *testing.T, o *Outbox) []rotation.Record {
	t.Helper()
	records, err := o.List()
	if err != nil {
		t.Fatal(err)
	}
	return records
}

func TestOutboxRecordSurvivesTheProcess(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "outbox")
	first := open(t, dir, Options{})
	if err := first.Reserve(owner); err != nil {
		t.Fatal(err)
	}
	body := `{"refresh_token":"` + canary + `","odd":"` + "\x00\xff<&>" + `"}`
	for _, id := range []string{"one", "../two", strings.Repeat("long", 1000)} {
		if err := first.Keep(record(id, body)); err != nil {
			t.Fatal(err)
		}
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}

	second := open(t, dir, Options{})
	records := list(t, second)
	if len(records) != 3 {
		t.Fatalf("%d records of 3 survived", len(records))
	}
	for _, got := range records {
		want := record(got.ID, body)
		if got.Reply.Body != want.Reply.Body || !got.Reply.SentAt.Equal(want.Reply.SentAt) || !got.Reply.Date.Equal(want.Reply.Date) || got.Reply.RetryAfter != time.Second ||
			got.Base.Revision != 7 || got.User.Login != "octocat" || !got.Login || got.Spent != want.Spent || got.Ref != want.Ref {
			t.Errorf("the record came back changed: %+v", got)
		}
		if err := second.Remove(got.ID); err != nil {
			t.Error(err)
		}
		if err := second.Remove(got.ID); err != nil {
			t.Errorf("removing a record twice is an error: %v", err)
		}
	}
	if got := list(t, second); len(got) != 0 {
		t.Errorf("%d records are left after all were removed", len(got))
	}
}

func TestOutboxRestartedProcessIsTheSameHolderInAnotherLife(t *testing.T) {
	dir := t.TempDir()
	first := open(t, dir, Options{})
	one := first.Holder()
	_ = first.Close()
	second := open(t, dir, Options{})
	two := second.Holder()
	if intent := (&rotation.Intent{Holder: one}); intent.Standing(two) != rotation.StandingEarlierLife {
		t.Errorf("holder %v does not recognise %v as its earlier life", two, one)
	}
	_ = second.Close()

	for name, damage := range map[string]func(path string) error{
		"lost":    os.Remove,
		"emptied": func(path string) error { return os.WriteFile(path, nil, 0o600) },
		"garbled": func(path string) error { return os.WriteFile(path, []byte("../../etc"), 0o600) },
	} {
		if err := damage(filepath.Join(dir, subdirectory, holderFile)); err != nil {
			t.Fatal(err)
		}
		third := open(t, dir, Options{})
		if three := third.Holder(); three.Outbox == one.Outbox || three.Outbox == "" || three.Process == one.Process {
			t.Errorf("after the holder file was %s the holder is %v, which is not new", name, three)
		}
		_ = third.Close()
	}
}

func TestOutboxSecondProcessOnTheSameOutboxIsRefused(t *testing.T) {
	dir := t.TempDir()
	open(t, dir, Options{})
	if _, err := Open(dir, Options{AllowDisk: true}); !errors.Is(err, ErrLocked) {
		t.Errorf("opening it again gave %v", err)
	}
}

func TestOutboxModesAreNarrow(t *testing.T) {
	dir := t.TempDir()
	sub := filepath.Join(dir, subdirectory)
	if err := os.Mkdir(sub, 0o777); err != nil {
		t.Fatal(err)
	}
	o := open(t, dir, Options{})
	if err := errors.Join(o.Reserve(owner), o.Keep(record("one", "body"))); err != nil {
		t.Fatal(err)
	}
	err := filepath.WalkDir(sub, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		want := fs.FileMode(0o600)
		if entry.IsDir() {
			want = 0o700
		}
		if err == nil && info.Mode().Perm() != want {
			t.Errorf("%s has mode %v, want %v", entry.Name(), info.Mode().Perm(), want)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

func TestOutboxDiskIsRefusedUnlessAllowed(t *testing.T) {
	onDisk := &faults{memoryBacked: new(false)}
	_, err := Open(t.TempDir(), Options{files: onDisk})
	if !errors.Is(err, ErrOnDisk) || !strings.Contains(err.Error(), "--outbox-allow-disk") {
		t.Errorf("a disk gave %v", err)
	}
	o, err := Open(t.TempDir(), Options{files: onDisk, AllowDisk: true})
	if err != nil {
		t.Fatalf("an allowed disk gave %v", err)
	}
	_ = o.Close()
}

func TestOutboxDamagedRecordsAreSetAsideAndNeverPrinted(t *testing.T) {
	damages := map[string]func(whole []byte) []byte{
		"empty":          func([]byte) []byte { return nil },
		"cut":            func(whole []byte) []byte { return whole[:len(whole)/2] },
		"a flipped byte": func(whole []byte) []byte { return []byte(strings.Replace(string(whole), "team", "tean", 1)) },
		"not JSON":       func([]byte) []byte { return []byte(canary) },
		"zeros":          func(whole []byte) []byte { return make([]byte, len(whole)) },
	}
	for name, damage := range damages {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			o := open(t, dir, Options{})
			if err := errors.Join(o.Keep(record("good", "body")), o.Keep(record("bad", canary))); err != nil {
				t.Fatal(err)
			}
			path := o.path(fileName("bad"))
			whole, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, damage(whole), 0o600); err != nil {
				t.Fatal(err)
			}
			_ = o.Close()

			o = open(t, dir, Options{})
			records, err := o.List()
			if len(records) != 1 || records[0].ID != "good" {
				t.Errorf("the good record was lost beside a damaged one: %d records", len(records))
			}
			if !errors.Is(err, errCorrupt) || strings.Contains(err.Error(), canary) {
				t.Errorf("the damage was reported as %q", err)
			}
			if stats := o.Stats(); stats.Corrupt != 1 || stats.Records != 1 {
				t.Errorf("the figures are %+v", stats)
			}
			if _, err := os.Stat(path + badSuffix); err != nil {
				t.Errorf("the damaged file was not kept: %v", err)
			}
			_ = o.Close()
			if stats := open(t, dir, Options{}).Stats(); stats.Corrupt != 1 {
				t.Errorf("the next life counts %+v", stats)
			}
		})
	}
}

func TestOutboxRecordOfALaterVersionIsLeftAlone(t *testing.T) {
	o := open(t, t.TempDir(), Options{})
	path := o.path(fileName("later"))
	if err := os.WriteFile(path, []byte(`{"version":2,"something":"else"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if records, err := o.List(); !errors.Is(err, errNewer) || len(records) != 0 {
		t.Errorf("got %d records and %v", len(records), err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Errorf("the record of a later version is gone: %v", err)
	}
}

// Once Ready has said yes, as many replies as there are slots fit into a full file system.
func TestOutboxFullFileSystemTakesWhatWasReserved(t *testing.T) {
	const slots = 4
	disk := &faults{}
	o := open(t, t.TempDir(), Options{Slots: slots, files: disk})
	if err := o.Reserve(owner); err != nil {
		t.Fatal(err)
	}
	disk.setFull(true)
	var group sync.WaitGroup
	for i := range slots {
		group.Go(func() {
			if err := o.Keep(record(fmt.Sprint(i), `{"access_token":"ghu_x"}`)); err != nil {
				t.Errorf("reply %d could not be kept: %v", i, err)
			}
		})
	}
	group.Wait()
	if err := o.Reserve(owner); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("a full outbox is ready: %v", err)
	}
	disk.setFull(false)
	if err := o.Reserve(owner); err != nil {
		t.Errorf("the outbox is not ready when there is room again: %v", err)
	}
	if got := len(list(t, o)); got != slots {
		t.Errorf("%d replies of %d were kept", got, slots)
	}
}

func TestOutboxHugeReplyIsKeptByItsBeginning(t *testing.T) {
	pair := `{"access_token":"ghu_a","refresh_token":"ghr_b","padding":"`
	for name, length := range map[string]int{"ordinary": 1 << 10, "as large as fits": maxBody, "huge": 64 << 10} {
		disk := &faults{}
		o := open(t, t.TempDir(), Options{files: disk})
		if err := o.Reserve(owner); err != nil {
			t.Fatal(err)
		}
		disk.setFull(true)
		body := pair + strings.Repeat("x", length-len(pair))
		if err := o.Keep(record(name, body)); err != nil {
			t.Fatal(err)
		}
		got := list(t, o)[0]
		if tokens, err := got.Reply.Tokens(); err != nil || tokens.RefreshToken.Reveal() != "ghr_b" {
			t.Errorf("%s: the pair cannot be read any more: %v", name, err)
		}
		if whole := got.Reply.Body.Reveal() == body; whole != (length <= maxBody) || got.Reply.Truncated == whole {
			t.Errorf("%s: whole is %v, truncated is %v", name, whole, got.Reply.Truncated)
		}
	}
}

// Whatever a tenant and its GitHub make of it, a record fits into the space that is reserved for it.
func TestOutboxLargestRecordFitsIntoItsSlot(t *testing.T) {
	var state rotation.State
	padding := `{"padding":"` + strings.Repeat("x", 16<<10-64) + `"}`
	if err := json.Unmarshal([]byte(padding), &state); err != nil {
		t.Fatal(err)
	}
	if text, err := json.Marshal(state); err != nil || len(text) < 16<<10-64 || len(text) > 16<<10 {
		t.Fatalf("the state has %d bytes: %v", len(text), err)
	}
	long := strings.Repeat("n", 253)
	largest := record(strings.Repeat("i", 64), strings.Repeat("\x00<", 40<<10))
	largest.Base, largest.SeedVersion = state, long+"/"+long+"@uid/1"
	largest.Ref = rotation.Ref{Namespace: long[:63], Name: long}
	largest.Owner = rotation.Owner{Namespace: long[:63], Name: long, UID: long[:36]}
	largest.App, largest.RefreshRequestedAt = long+"/"+long[:100], strings.Repeat("&", 64)
	largest.User = &rotation.UserPin{Login: long[:100], ID: 1 << 60}
	largest.Reply.Host, largest.Reply.ContentType = long, strings.Repeat("<", 1<<20)

	disk := &faults{}
	o := open(t, t.TempDir(), Options{files: disk})
	if err := o.Reserve(largest.Owner); err != nil {
		t.Fatal(err)
	}
	disk.setFull(true)
	if err := o.Keep(largest); err != nil {
		t.Fatalf("the largest record could not be kept in what was reserved: %v", err)
	}
	info, err := os.Stat(o.path(fileName(largest.ID)))
	if err != nil || info.Size() > slotSize {
		t.Errorf("the record has %d bytes (%v), which is more than the %d of a slot", info.Size(), err, slotSize)
	}
	if got := list(t, o); len(got) != 1 || got[0].Owner != largest.Owner {
		t.Errorf("the record did not come back: %d", len(got))
	}
}

func TestOutboxReadyFailsWhenAnyPartOfAKeepWould(t *testing.T) {
	for _, operation := range []string{"overwrite", "rename"} {
		disk := &faults{}
		o := open(t, t.TempDir(), Options{files: disk})
		if err := o.Reserve(owner); err != nil {
			t.Fatal(err)
		}
		disk.failAlways(operation, syscall.EROFS)
		if err := o.Reserve(owner); !errors.Is(err, syscall.EROFS) {
			t.Errorf("ready although %s fails: %v", operation, err)
		}
	}
	o := open(t, t.TempDir(), Options{})
	if err := errors.Join(o.Reserve(owner), os.RemoveAll(o.dir)); err != nil {
		t.Fatal(err)
	}
	if err := o.Reserve(owner); err == nil {
		t.Error("ready although the directory is gone")
	}
}

// The process dies, or the file system breaks, at each operation in turn. What is found afterwards is a
// whole record, or none if Keep did not return.
func TestOutboxDeathAtEveryStepOfKeep(t *testing.T) {
	for step := 0; ; step++ {
		disk := &faults{}
		dir := t.TempDir()
		o := open(t, dir, Options{Slots: 2, files: disk})
		if err := errors.Join(o.Reserve(owner), o.Keep(record("before", "body"))); err != nil {
			t.Fatal(err)
		}
		disk.breakAfter(step)
		keepErr := o.Keep(record("during", "body"))
		_ = o.Close()

		o = open(t, dir, Options{Slots: 2})
		ids := map[string]bool{}
		for _, r := range list(t, o) {
			ids[r.ID] = true
		}
		if !ids["before"] {
			t.Fatalf("step %d: an earlier record was lost", step)
		}
		if keepErr == nil && !ids["during"] {
			t.Fatalf("step %d: Keep returned and the record is not there", step)
		}
		if err := errors.Join(o.Reserve(owner), o.Keep(record("after", "body"))); err != nil {
			t.Fatalf("step %d: the next life cannot use the outbox: %v", step, err)
		}
		if keepErr == nil {
			if step < 3 {
				t.Fatalf("only %d operations were broken", step)
			}
			return
		}
	}
}

func TestOutboxFigures(t *testing.T) {
	now := time.Now()
	o := open(t, t.TempDir(), Options{Now: func() time.Time { return now }})
	if stats := o.Stats(); stats != (Stats{}) {
		t.Errorf("an empty outbox says %+v", stats)
	}
	if err := o.Keep(record("one", "body")); err != nil {
		t.Fatal(err)
	}
	now = now.Add(time.Minute)
	if err := o.Keep(record("two", "body")); err != nil {
		t.Fatal(err)
	}
	if stats := o.Stats(); stats.Records != 2 || stats.OldestAge != time.Minute {
		t.Errorf("two records say %+v", stats)
	}
	if err := o.Remove("one"); err != nil {
		t.Fatal(err)
	}
	if stats := o.Stats(); stats.Records != 1 || stats.OldestAge != 0 {
		t.Errorf("after one was removed: %+v", stats)
	}
}

// The age calls somebody at night because a pair is not stored: one that must not be stored is none of these.
func TestOutboxRecordWhosePairIsNotWantedIsNotWaitedFor(t *testing.T) {
	now := time.Now()
	dir := t.TempDir()
	o := open(t, dir, Options{Now: func() time.Time { return now }})
	if err := o.Keep(record("one", "body")); err != nil {
		t.Fatal(err)
	}
	o.Unwanted("one")
	o.Unwanted("another")
	now = now.Add(10 * time.Minute)
	if stats := o.Stats(); stats.Records != 1 || stats.OldestAge != 0 {
		t.Errorf("the outbox says %+v", stats)
	}
	if err := o.Keep(record("one", "body")); err != nil { // Found out anew, it is a record like any other.
		t.Fatal(err)
	}
	now = now.Add(time.Minute)
	if stats := o.Stats(); stats.OldestAge != time.Minute {
		t.Errorf("the outbox says %+v", stats)
	}
}

func TestOutboxIsReadyWhenItTakesWhatAnExchangeHasToKeep(t *testing.T) {
	files := &faults{}
	o := open(t, filepath.Join(t.TempDir(), "outbox"), Options{Slots: 2, files: files})
	for operation, broken := range map[string]bool{"write": true, "overwrite": true, "rename": true, "remove": false} {
		o.spares = nil
		files.failAlways(operation, errBroken)
		if err := o.Ready(); broken != errors.Is(err, errBroken) {
			t.Errorf("when %s fails: %v", operation, err)
		}
		files.failAlways("", nil)
		if err := o.Ready(); err != nil {
			t.Errorf("after %s has failed: %v", operation, err)
		}
	}
	files.setFull(true)
	if err := o.Ready(); err != nil {
		t.Errorf("without room for more than was reserved: %v", err)
	}
	o.spares = nil
	if err := o.Ready(); err == nil {
		t.Error("it is ready without room for a reply")
	}
}

func TestOutboxSaysHowMuchMemoryItMayTake(t *testing.T) {
	for name, c := range map[string]struct {
		size     uint64
		inMemory bool
		want     uint64
	}{
		"as shipped":         {32 << 20, true, 32<<20 - 2*slotSize},
		"a volume too small": {1 << 20, true, (256 + 1) * slotSize},
		"a volume too large": {1 << 40, true, (256 + maxPlaces) * slotSize},
		"a disk":             {32 << 20, false, 0},
	} {
		o := open(t, filepath.Join(t.TempDir(), "outbox"), Options{Slots: 256, files: &faults{size: c.size, memoryBacked: &c.inMemory}})
		if got := o.Memory(); got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
	}
}
