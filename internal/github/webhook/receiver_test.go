package webhook

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/githubusertoken/github-user-token-operator/internal/credential"
)

// receiver is a receiver as the operator runs it, at an address.
func receiver(t *testing.T, accounts *atomic.Int64) string {
	t.Helper()
	h, err := NewHandler(credential.NewRaw([]byte(secret)), func(string, int64) bool { accounts.Add(1); return true })
	if err != nil {
		t.Fatal(err)
	}
	listener, err := Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := NewServer(h)
	ended := make(chan struct{})
	go func() { defer close(ended); _ = server.Serve(listener) }()
	t.Cleanup(func() { _ = server.Close(); <-ended })
	return listener.Addr().String()
}

// heap is what is alive on it.
func heap() int64 {
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return int64(stats.HeapAlloc)
}

// Six hundred strangers each send all of a delivery but its last byte. The receiver holds little of it, and takes a
// good delivery without delay meanwhile.
func TestReceiverUnfinishedDeliveriesHoldLittleMemoryAndNobodyUp(t *testing.T) {
	const strangers = 600
	head := func(headers string) string {
		return "POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nX-GitHub-Event: " + event +
			"\r\nX-Hub-Signature-256: sha256=00\r\n" + headers + "\r\n\r\n"
	}
	fill := func(n int) []byte { return bytes.Repeat([]byte("x"), n) }
	for name, message := range map[string][]byte{
		"as large as is read":         append([]byte(head(fmt.Sprintf("Content-Length: %d", maxBody))), fill(maxBody-1)...),
		"a MiB":                       append([]byte(head("Content-Length: 1048576")), fill(1<<20-1)...),
		"a MiB of unannounced size":   append([]byte(head("Transfer-Encoding: chunked")+"100000\r\n"), fill(1<<20-1)...),
		"headers of a MiB":            append([]byte("POST / HTTP/1.1\r\nX: "), fill(1<<20)...),
		"headers as large as is read": append([]byte("POST / HTTP/1.1\r\nX: "), fill(limits.Headers)...),
	} {
		t.Run(name, func(t *testing.T) {
			var accounts atomic.Int64
			address := receiver(t, &accounts)
			before := heap()
			var sending sync.WaitGroup
			var open []net.Conn
			for range strangers {
				stranger, err := new(net.Dialer).DialContext(t.Context(), "tcp", address)
				if err != nil {
					t.Fatal(err)
				}
				open = append(open, stranger)
				sending.Go(func() { _, _ = stranger.Write(message) })
			}
			began := time.Now()
			request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+address, strings.NewReader(revoked))
			if err != nil {
				t.Fatal(err)
			}
			request.Header.Set("Content-Type", "application/json")
			request.Header.Set("X-GitHub-Event", event)
			request.Header.Set("X-Hub-Signature-256", "sha256="+sign(sha256.New, secret, revoked))
			var peak atomic.Int64
			measured := make(chan struct{})
			go func() {
				defer close(measured)
				for end := time.Now().Add(time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
					peak.Store(max(peak.Load(), heap()))
				}
			}()
			reply, err := http.DefaultClient.Do(request)
			if err != nil {
				t.Fatal(err)
			}
			_ = reply.Body.Close()
			if reply.StatusCode != http.StatusNoContent || accounts.Load() != 1 {
				t.Errorf("the good delivery was answered with %d", reply.StatusCode)
			}
			waited := time.Since(began)
			<-measured
			grown := (peak.Load() - before) >> 20
			t.Logf("the good delivery took %s, and the heap grew by %d MiB", waited.Round(time.Millisecond), grown)
			// GitHub waits for ten seconds. A connection's share is its body, its headers, and buffers.
			if waited > 8*time.Second {
				t.Errorf("the good delivery took %s", waited)
			}
			if most := int64(maxConnections*(2*maxBody+2*limits.Headers)>>20) + 8; grown > most {
				t.Errorf("the heap grew by %d MiB, want at most %d", grown, most)
			}
			for _, stranger := range open {
				_ = stranger.Close()
			}
			sending.Wait()
		})
	}
}

// GitHub shows the answer to a delivery; to one that is not read, too.
func TestReceiverDeliveryThatIsNotReadIsAnswered(t *testing.T) {
	var accounts atomic.Int64
	large := strings.Repeat("x", 1<<20)
	for kind, want := range map[string]int{event: http.StatusRequestEntityTooLarge, "push": http.StatusNoContent} {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+receiver(t, &accounts), strings.NewReader(large))
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("X-GitHub-Event", kind)
		request.Header.Set("X-Hub-Signature-256", "sha256=00")
		reply, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		_ = reply.Body.Close()
		if reply.StatusCode != want {
			t.Errorf("%s: status %d, want %d", kind, reply.StatusCode, want)
		}
	}
}
