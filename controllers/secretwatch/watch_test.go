package secretwatch

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/metadata"
)

// server is an API server as far as a watch on Secrets goes.
type server struct {
	// metadata.ResourceInterface is here for the methods that nothing may call.
	metadata.ResourceInterface
	namespace string
	mu        *sync.Mutex
	begun     *[]begun
	streams   chan *watch.FakeWatcher
	refuses   *error
}

// begun is a watch that was asked for.
type begun struct {
	namespace, version string
	at                 time.Time
}

func newServer() *server {
	return &server{mu: &sync.Mutex{}, begun: &[]begun{}, streams: make(chan *watch.FakeWatcher, 100), refuses: new(error)}
}

func (s *server) Resource(resource schema.GroupVersionResource) metadata.Getter {
	if resource != (schema.GroupVersionResource{Version: "v1", Resource: "secrets"}) {
		panic("a watch on " + resource.String())
	}
	return s
}

func (s *server) Namespace(namespace string) metadata.ResourceInterface {
	of := *s
	of.namespace = namespace
	return &of
}

func (s *server) Watch(_ context.Context, options metav1.ListOptions) (watch.Interface, error) {
	if !options.AllowWatchBookmarks {
		panic("a watch without bookmarks")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	*s.begun = append(*s.begun, begun{s.namespace, options.ResourceVersion, time.Now()})
	if err := *s.refuses; err != nil {
		return nil, err
	}
	stream := watch.NewFake()
	s.streams <- stream
	return stream, nil
}

func (s *server) refuse(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	*s.refuses = err
}

// versions are those from which watches began.
func (s *server) versions() (found []string) {
	for _, b := range *s.begun {
		found = append(found, b.version)
	}
	return found
}

// waits are the times between one beginning and the next.
func (s *server) waits() (found []time.Duration) {
	for i := 1; i < len(*s.begun); i++ {
		found = append(found, (*s.begun)[i].at.Sub((*s.begun)[i-1].at))
	}
	return found
}

func secret(name, version string) *metav1.PartialObjectMetadata {
	return &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{
		Namespace: "team-a", Name: name, UID: types.UID("uid-of-" + name), ResourceVersion: version,
	}}
}

func nameOf(name string) types.NamespacedName {
	return types.NamespacedName{Namespace: "team-a", Name: name}
}

// fixture is a watch under test.
type fixture struct {
	*Watch
	server  *server
	named   map[string]bool
	changed []string
	last    Change
}

// run runs a test in a bubble, with a watch that has begun.
func run(t *testing.T, test func(t *testing.T, f *fixture, stream *watch.FakeWatcher)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		f := newFixture("seed")
		ctx, cancel := context.WithCancel(t.Context())
		var ended sync.WaitGroup
		ended.Go(func() { f.Run(ctx) })
		stream := <-f.server.streams
		test(t, f, stream)
		cancel()
		for range len(f.server.streams) {
			(<-f.server.streams).Stop()
		}
		if !stream.IsStopped() {
			stream.Stop()
		}
		ended.Wait()
	})
}

func newFixture(named ...string) *fixture {
	f := &fixture{server: newServer(), named: map[string]bool{}}
	for _, name := range named {
		f.named[name] = true
	}
	f.Watch = New(Options{
		Client: f.server,
		Named:  func(name types.NamespacedName) bool { return name.Namespace == "team-a" && f.named[name.Name] },
		Marks:  func(object metav1.Object) uint64 { return uint64(len(object.GetLabels())) },
		Cached: func(object metav1.Object) bool { return object.GetLabels()["cached"] != "" },
		Changed: func(_ context.Context, change Change) {
			f.changed = append(f.changed, change.Name.Name)
			f.last = change
		},
	})
	return f
}

func (f *fixture) expect(t *testing.T, name, version string, known bool) {
	t.Helper()
	if v, k := f.Version(nameOf(name)); v != version || k != known {
		t.Errorf("%s has version %q, known %t; want %q, %t", name, v, k, version, known)
	}
}

func TestSecretWatchTellsChangesOfNamedSecretsOnly(t *testing.T) {
	const v1, v2 = "uid-of-seed/1", "uid-of-seed/2"
	cases := map[string]struct {
		before  string // what is known; nothing when empty
		learned bool
		event   watch.EventType
		secret  *metav1.PartialObjectMetadata
		version string
		known   bool
		changed bool
	}{
		"a named Secret that nothing was known of is news":     {"", false, watch.Added, secret("seed", "1"), v1, true, true},
		"a version that is known is no news":                   {v1, false, watch.Added, secret("seed", "1"), v1, true, false},
		"a version that was learned is no news":                {v1, true, watch.Added, secret("seed", "1"), v1, true, false},
		"another version is news":                              {v1, false, watch.Modified, secret("seed", "2"), v2, true, true},
		"a deletion is news, and the version is empty":         {v1, false, watch.Deleted, secret("seed", "2"), "", true, true},
		"an unnamed Secret is no news and nothing is kept":     {"", false, watch.Added, secret("other", "1"), "", false, false},
		"a bookmark is no news, whatever it names":             {v1, false, watch.Bookmark, secret("seed", "9"), v1, true, false},
		"what is kept of a Secret is its last version or none": {"uid-of-other/1", false, watch.Modified, secret("other", "2"), "", false, false},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			run(t, func(t *testing.T, f *fixture, stream *watch.FakeWatcher) {
				switch {
				case c.learned:
					f.Learn(nameOf(c.secret.Name), c.before)
				case c.before != "":
					f.versions.set(nameOf(c.secret.Name), seen{version: c.before}, &Change{})
				}
				stream.Action(c.event, c.secret)
				synctest.Wait()
				f.expect(t, c.secret.Name, c.version, c.known)
				if changed := len(f.changed) == 1; changed != c.changed {
					t.Errorf("told %v, want told: %t", f.changed, c.changed)
				}
			})
		})
	}
}

// What is found is told once. A change of it is told here as well, since it may be for others than the cache tells.
func TestSecretWatchTellsNobodyOfWhatACacheTellsAtAStart(t *testing.T) {
	run(t, func(t *testing.T, f *fixture, stream *watch.FakeWatcher) {
		found := secret("seed", "1")
		found.Labels = map[string]string{"cached": "yes"}
		stream.Add(found)
		synctest.Wait()
		f.expect(t, "seed", "uid-of-seed/1", true)
		if len(f.changed) > 0 {
			t.Errorf("told %v", f.changed)
		}
		changed := found.DeepCopy()
		changed.ResourceVersion = "2"
		stream.Modify(changed)
		synctest.Wait()
		if len(f.changed) != 1 || f.last.First {
			t.Errorf("told %v, %+v", f.changed, f.last)
		}
	})
}

func TestSecretWatchTellsWhetherTheMarksHaveChanged(t *testing.T) {
	mark := func(secret *metav1.PartialObjectMetadata) *metav1.PartialObjectMetadata {
		secret.Labels = map[string]string{"a": "b"}
		return secret
	}
	cases := map[string]struct {
		prepare func(f *fixture)
		kind    watch.EventType
		secret  *metav1.PartialObjectMetadata
		marked  bool
	}{
		"a Secret of which nothing was known": {func(*fixture) {}, watch.Added, secret("seed", "2"), true},
		"one of which the version alone was":  {func(f *fixture) { f.Learn(nameOf("seed"), "uid-of-seed/1") }, watch.Modified, secret("seed", "2"), true},
		"one that was touched":                {func(f *fixture) { f.see(t.Context(), watch.Added, secret("seed", "1"), false) }, watch.Modified, secret("seed", "2"), false},
		"one that was learned, told and touched": {func(f *fixture) {
			f.Learn(nameOf("seed"), "uid-of-seed/1")
			f.see(t.Context(), watch.Added, secret("seed", "1"), false)
		}, watch.Modified, secret("seed", "2"), false},
		"one that was marked":  {func(f *fixture) { f.see(t.Context(), watch.Added, secret("seed", "1"), false) }, watch.Modified, mark(secret("seed", "2")), true},
		"one that was deleted": {func(f *fixture) { f.see(t.Context(), watch.Added, secret("seed", "1"), false) }, watch.Deleted, secret("seed", "2"), true},
		"one that was made anew": {func(f *fixture) {
			f.see(t.Context(), watch.Added, secret("seed", "1"), false)
			f.see(t.Context(), watch.Deleted, secret("seed", "2"), false)
		}, watch.Added, secret("seed", "3"), true},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			f := newFixture("seed")
			c.prepare(f)
			c.secret.OwnerReferences = []metav1.OwnerReference{{UID: "u", Controller: new(true)}}
			f.see(t.Context(), c.kind, c.secret, false)
			want := Change{Name: nameOf("seed"), Marked: c.marked, Controller: "u"}
			want.First = c.kind == watch.Added && c.secret.ResourceVersion == "2"
			if c.kind == watch.Deleted {
				want.Controller = ""
			}
			if f.last != want {
				t.Errorf("told %+v, want %+v", f.last, want)
			}
		})
	}
}

// Of a Secret of which nothing is known, as after a write that failed, a change is no less of one for that.
func TestSecretWatchTellsWhatItFindsFromWhatHappens(t *testing.T) {
	events := map[string]func(*watch.FakeWatcher){
		"it is there":   func(stream *watch.FakeWatcher) { stream.Add(secret("seed", "3")) },
		"it is changed": func(stream *watch.FakeWatcher) { stream.Modify(secret("seed", "3")) },
		"it is deleted": func(stream *watch.FakeWatcher) { stream.Delete(secret("seed", "3")) },
		"it comes after something has happened": func(stream *watch.FakeWatcher) {
			stream.Modify(secret("other", "2"))
			stream.Add(secret("seed", "3"))
		},
		"it comes after the watch has told the time": func(stream *watch.FakeWatcher) {
			stream.Action(watch.Bookmark, secret("", "2"))
			stream.Add(secret("seed", "3"))
		},
	}
	for name, happens := range events {
		t.Run(name, func(t *testing.T) {
			run(t, func(t *testing.T, f *fixture, stream *watch.FakeWatcher) {
				happens(stream)
				synctest.Wait()
				if !f.last.First || f.last.Found != (name == "it is there") {
					t.Errorf("told %+v", f.last)
				}
			})
		})
	}
	t.Run("it is there in a watch that goes on", func(t *testing.T) {
		run(t, func(t *testing.T, f *fixture, stream *watch.FakeWatcher) {
			stream.Add(secret("other", "2"))
			synctest.Wait()
			stream.Stop()
			synctest.Wait()
			stream = <-f.server.streams
			stream.Add(secret("seed", "3"))
			synctest.Wait()
			stream.Stop()
			synctest.Wait()
			if !f.last.First || f.last.Found {
				t.Errorf("told %+v", f.last)
			}
		})
	})
	t.Run("it is found and deleted before anybody is told", func(t *testing.T) {
		if both := Merge(Change{First: true, Found: true}, Change{Marked: true}); both.Found || !both.First {
			t.Errorf("merged to %+v", both)
		}
	})
}

func TestSecretWatchLearnsWhatItHasNotBeenTold(t *testing.T) {
	f := newFixture("seed")
	f.Learn(nameOf("seed"), "")
	f.expect(t, "seed", "", true)
	f.Learn(nameOf("seed"), "u/1")
	f.expect(t, "seed", "", true) // What the watch may have told stands.
	f.Forget(nameOf("seed"))
	f.expect(t, "seed", "", false)
	f.Learn(nameOf("seed"), "u/1")
	f.expect(t, "seed", "u/1", true)
}

func TestSecretWatchGoesOnAfterItsEnd(t *testing.T) {
	cases := map[string]struct {
		end      func(f *fixture, stream *watch.FakeWatcher)
		versions []string
		waits    []time.Duration
	}{
		"an orderly end goes on at once, from the last version": {
			func(_ *fixture, stream *watch.FakeWatcher) {
				stream.Add(secret("seed", "7"))
				stream.Stop()
			},
			[]string{"", "7"}, []time.Duration{0},
		},
		"a bookmark moves the version on": {
			func(_ *fixture, stream *watch.FakeWatcher) {
				stream.Add(secret("seed", "7"))
				stream.Action(watch.Bookmark, secret("", "90"))
				stream.Stop()
			},
			[]string{"", "90"}, []time.Duration{0},
		},
		"an end that brought nothing waits": {
			func(_ *fixture, stream *watch.FakeWatcher) { stream.Stop() },
			[]string{"", ""}, []time.Duration{time.Second},
		},
		"an error begins anew, after a wait": {
			func(_ *fixture, stream *watch.FakeWatcher) {
				stream.Add(secret("seed", "7"))
				stream.Error(&metav1.Status{Status: metav1.StatusFailure, Code: 410, Reason: metav1.StatusReasonExpired})
				stream.Stop()
			},
			[]string{"", ""}, []time.Duration{time.Second},
		},
		"a refusal waits longer each time, up to half a minute": {
			func(f *fixture, stream *watch.FakeWatcher) {
				f.server.refuse(errors.New("forbidden"))
				stream.Stop()
				time.Sleep(100 * time.Second)
			},
			make([]string, 8),
			[]time.Duration{time.Second, 2 * time.Second, 4 * time.Second, 8 * time.Second, 16 * time.Second, 30 * time.Second, 30 * time.Second},
		},
		"an orderly end makes the next wait short again": {
			func(f *fixture, stream *watch.FakeWatcher) {
				f.server.refuse(errors.New("forbidden"))
				stream.Stop()
				time.Sleep(10 * time.Second) // Refused after 1, 3, 7 seconds.
				f.server.refuse(nil)
				stream = <-f.server.streams // After 15.
				stream.Add(secret("seed", "7"))
				stream.Stop()
				(<-f.server.streams).Stop()
			},
			[]string{"", "", "", "", "", "7", "7"},
			[]time.Duration{time.Second, 2 * time.Second, 4 * time.Second, 8 * time.Second, 0, time.Second},
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			run(t, func(t *testing.T, f *fixture, stream *watch.FakeWatcher) {
				c.end(f, stream)
				time.Sleep(1500 * time.Millisecond)
				synctest.Wait()
				if got := f.server.versions(); !slices.Equal(got, c.versions) {
					t.Errorf("watches began from %q, want %q", got, c.versions)
				}
				if got := f.server.waits(); !slices.Equal(got, c.waits) {
					t.Errorf("waited %v, want %v", got, c.waits)
				}
			})
		})
	}
}

func TestSecretWatchTellsAtANewBeginningWhatHasChangedOnly(t *testing.T) {
	run(t, func(t *testing.T, f *fixture, stream *watch.FakeWatcher) {
		f.named["client"] = true
		stream.Add(secret("seed", "1"))
		stream.Add(secret("client", "2"))
		stream.Error(&metav1.Status{Status: metav1.StatusFailure, Code: 410})
		stream.Stop()
		stream = <-f.server.streams
		defer stream.Stop()
		stream.Add(secret("seed", "1"))
		stream.Add(secret("client", "5"))
		synctest.Wait()
		if want := []string{"seed", "client", "client"}; !slices.Equal(f.changed, want) {
			t.Errorf("told %v, want %v", f.changed, want)
		}
	})
}

func TestSecretWatchWatchesEachNamespaceAndEndsWithItsContext(t *testing.T) {
	cases := map[string]struct{ namespaces, watched []string }{
		"those that it is given": {[]string{"team-a", "team-b"}, []string{"team-a", "team-b"}},
		"all by default":         {nil, []string{""}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newServer()
				s.refuse(errors.New("the API server is away"))
				w := New(Options{Client: s, Namespaces: c.namespaces})
				ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
				defer cancel()
				w.Run(ctx)
				var watched []string
				for _, b := range *s.begun {
					watched = append(watched, b.namespace)
				}
				slices.Sort(watched)
				if !slices.Equal(watched, c.watched) {
					t.Errorf("watched %q, want %q", watched, c.watched)
				}
			})
		})
	}
}

func TestSecretWatchVersionsGrowWithWhatIsNamed(t *testing.T) {
	cases := map[string]func(f *fixture, i int, name string){
		"of Secrets that were read after a change of a spec": func(f *fixture, _ int, name string) {
			f.Learn(nameOf(name), "u/1")
		},
		"of Secrets that the watch tells of": func(f *fixture, i int, name string) {
			f.see(context.Background(), watch.Added, secret(name, fmt.Sprint(i)), false)
		},
		"of Secrets that were deleted while they were named": func(f *fixture, i int, name string) {
			f.see(context.Background(), watch.Deleted, secret(name, fmt.Sprint(i)), false)
		},
	}
	for title, note := range cases {
		t.Run(title, func(t *testing.T) {
			f := newFixture("client")
			f.Learn(nameOf("client"), "u/1")
			for i := range 3000 {
				name := fmt.Sprintf("seed-%d", i)
				f.named[name] = true
				note(f, i, name)
				f.named[name] = false
			}
			if n := len(f.versions.known); n > roomFor {
				t.Errorf("%d versions are known where 1 Secret is named", n)
			}
			f.Prune()
			if n := len(f.versions.known); n != 1 {
				t.Errorf("%d versions are known after all that nobody names were dropped", n)
			}
			f.expect(t, "client", "u/1", true)
		})
	}
}

func TestSecretWatchAsksSeldomWhatIsNamed(t *testing.T) {
	asked := 0
	w := New(Options{Named: func(types.NamespacedName) bool { asked++; return true }})
	const n = 10_000
	for i := range n {
		w.Learn(nameOf(fmt.Sprint(i)), "u/1")
	}
	if len(w.versions.known) != n {
		t.Errorf("%d versions of %d named Secrets are known", len(w.versions.known), n)
	}
	if asked > 4*n {
		t.Errorf("asked %d times for %d Secrets", asked, n)
	}
}

// Somebody begins to name a Secret while it is found that nobody does, and the watch tells of its change.
func TestSecretWatchKeepsWhatIsToldWhileItPrunes(t *testing.T) {
	f := newFixture()
	f.Learn(nameOf("seed"), "u/1")
	f.versions.named = func(name types.NamespacedName) bool {
		f.versions.set(name, seen{version: "u/2"}, &Change{})
		return false
	}
	f.Prune()
	f.expect(t, "seed", "u/2", true)
}

func TestSecretWatchVersionsNameTheObjectToo(t *testing.T) {
	a, b := secret("seed", "7"), secret("seed", "7")
	b.UID = "another"
	if VersionOf(a) == VersionOf(b) || VersionOf(a) != "uid-of-seed/7" {
		t.Errorf("versions are %q and %q", VersionOf(a), VersionOf(b))
	}
}

// A Secret may be deleted while there is no watch. The next one does not tell of it.
func TestSecretWatchHearsOfADeletionThatItHasMissed(t *testing.T) {
	run(t, func(t *testing.T, f *fixture, stream *watch.FakeWatcher) {
		f.named["stays"] = true
		stream.Add(secret("seed", "1"))
		stream.Add(secret("stays", "2"))
		synctest.Wait()
		stream.Error(&metav1.Status{Status: metav1.StatusFailure, Code: http.StatusGone, Reason: metav1.StatusReasonExpired})
		next := <-f.server.streams
		next.Add(secret("stays", "2"))
		synctest.Wait()
		f.expect(t, "seed", VersionOf(secret("seed", "1")), true)
		next.Action(watch.Bookmark, secret("", "50"))
		synctest.Wait()
		f.expect(t, "seed", "", true)
		f.expect(t, "stays", VersionOf(secret("stays", "2")), true)
		next.Stop()
	})
}

// A watch that ends while it tells what there is goes on behind the last that it has told of: the others are not gone for that.
func TestSecretWatchTakesNothingForDeletedThatItWasCutBefore(t *testing.T) {
	run(t, func(t *testing.T, f *fixture, stream *watch.FakeWatcher) {
		f.named["other"] = true
		stream.Add(secret("seed", "1"))
		stream.Add(secret("other", "2"))
		synctest.Wait()
		stream.Error(&metav1.Status{Status: metav1.StatusFailure, Code: http.StatusGone, Reason: metav1.StatusReasonExpired})
		cut := <-f.server.streams
		cut.Add(secret("other", "2"))
		synctest.Wait()
		cut.Stop()
		next := <-f.server.streams
		next.Action(watch.Bookmark, secret("", "50"))
		synctest.Wait()
		f.expect(t, "seed", VersionOf(secret("seed", "1")), true)
		next.Stop()
	})
}
