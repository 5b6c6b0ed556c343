package seeds

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/scope"
)

// A small patch of a resource must not cost a read of a large Secret each time.
func TestSeedPaceLargeSecretOfAKnownVersionIsNotReadForEachChangeOfASpec(t *testing.T) {
	r, cluster := newReader()
	now := time.Hour
	r.pace.now = func() time.Duration { return now }
	token := resource()
	put := func(version, seed string) {
		cluster.put("seed", version, map[string]string{"refresh_token": seed, "rest": string(make([]byte, 1<<20))})
	}
	look := func(want string) {
		t.Helper()
		now += 10 * time.Millisecond
		if found, err := r.Look(t.Context(), token, nil, true); err != nil || found.Fingerprint != fingerprint(want) {
			t.Fatalf("found %+v, %v", found, err)
		}
	}
	put("uid/1", "ghr_a")
	for range 1000 {
		look("ghr_a")
	}
	if n := len(cluster.reads); n < 5 || n > 20 { // In ten seconds.
		t.Errorf("read %d times", n)
	}
	put("uid/2", "ghr_b")
	cluster.tell("seed")
	look("ghr_b")
}

// A name may be changed to that of another large Secret each time, and a client secret is read for each try.
func TestSeedPaceIsThatOfANamespace(t *testing.T) {
	r, cluster := newReader()
	now := time.Hour
	r.pace.now = func() time.Duration { return now }
	const secrets, size = 10, 1 << 20
	for i := range secrets {
		cluster.put(fmt.Sprintf("large-%d", i), "uid/1", map[string]string{"refresh_token": "x", "client_secret": "x", "rest": string(make([]byte, size))})
	}
	began, read, paced := now, 0, 0
	for i := range 100 * 60 { // A hundred a second for a minute.
		now += 10 * time.Millisecond
		token := resource()
		token.Spec.RefreshTokenRef.Name = fmt.Sprintf("large-%d", i%secrets)
		token.Spec.App.ClientSecretRef = &v1alpha1.ClientSecretReference{Name: token.Spec.RefreshTokenRef.Name, Key: "client_secret"}
		clear(cluster.versions) // Each of them was named by nobody in between.
		before := len(cluster.reads)
		_, seedErr := r.Look(t.Context(), token, nil, true)
		_, _, secretErr := r.ClientSecret(t.Context(), scope.InlineApp(token))
		read += len(cluster.reads) - before
		for _, err := range []error{seedErr, secretErr} {
			if wait, ok := errors.AsType[*PacedError](err); ok && wait.RetryIn > 0 && wait.RetryIn < 10*time.Second {
				paced++
			} else if err != nil {
				t.Fatal(err)
			}
		}
	}
	most := int((now-began)*bytesPerSecond/time.Second)/size + bytesAtOnce/size + 1
	if read > most || read < most/2 || paced == 0 {
		t.Errorf("%d MiB were read in a minute, want %d at most", read, most)
	}
	other := resource()
	other.Namespace = "team-b"
	if _, _, err := r.Read(t.Context(), other); err != nil {
		t.Errorf("another namespace waits: %v", err)
	}
	now += time.Minute
	for i := range 1000 { // Nothing is remembered for ever.
		now += time.Second
		r.pace.add(fmt.Sprint(i), 1)
	}
	if n := len(r.pace.paid); n > 2*roomForPaces {
		t.Errorf("%d namespaces are remembered", n)
	}
}
