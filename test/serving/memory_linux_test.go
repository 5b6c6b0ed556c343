package serving

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	"sigs.k8s.io/yaml"

	"github.com/githubusertoken/github-user-token-operator/hack/demo/stage"
	"github.com/githubusertoken/github-user-token-operator/test/suite"
)

const (
	// loadClients have a connection each, nearly as many as a replica takes of those who do not wait, and ask once a second.
	loadClients = 500
	// loadWaits are as many as may wait for the next token.
	loadWaits = 1024
)

// own is a client with one connection, as that of a pod.
func own(server *stage.TokenServer) (*http.Client, error) {
	authority, err := os.ReadFile(server.CAFile)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(authority)
	return &http.Client{Transport: &http.Transport{MaxConnsPerHost: 1, TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}}}, nil
}

// memoryLimit is that of the container that is shipped, in bytes.
func (w *world) memoryLimit() int64 {
	w.t.Helper()
	content, err := os.ReadFile(filepath.Join("..", "..", "config", "components", "token-server", "deployment.yaml"))
	w.must(err)
	deployment := &appsv1.Deployment{}
	w.must(yaml.UnmarshalStrict(content, deployment))
	return deployment.Spec.Template.Spec.Containers[0].Resources.Limits.Memory().Value()
}

// mostMemory is the most that a process has ever had, in bytes.
func (w *world) mostMemory(pid int) int64 {
	w.t.Helper()
	content, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "status"))
	w.must(err)
	found := regexp.MustCompile(`(?m)^VmHWM:\s+(\d+) kB$`).FindSubmatch(content)
	if found == nil {
		w.t.Fatal("it is not told how much memory it has had")
	}
	most, err := strconv.ParseInt(string(found[1]), 10, 64)
	w.must(err)
	return most << 10
}

// cpuOf is how much CPU time a process has had, by the clock ticks of which Linux tells programs, 100 a second.
func (w *world) cpuOf(pid int) time.Duration {
	w.t.Helper()
	content, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	w.must(err)
	fields := strings.Fields(string(content[bytes.LastIndexByte(content, ')')+1:])) // The name before may hold anything.
	var ticks int64
	for _, field := range fields[11:13] {
		n, err := strconv.ParseInt(field, 10, 64)
		w.must(err)
		ticks += n
	}
	return time.Duration(ticks) * time.Second / 100
}

// BenchmarkServingMemory asks one replica for 500 tokens a second, by as many connections as it takes from those whom it does not know, while as many as
// may wait for the next one, and says how much memory that takes, and how much CPU time beside that of
// asking, which does each TLS handshake of 500 a second as well. b.N are the requests: -benchtime=10000x is 20 seconds.
//
//	go test ./test/serving -run '^$' -bench ServingMemory -benchtime 10000x
func BenchmarkServingMemory(b *testing.B) {
	if b.N == 1 {
		return // The package testing tries that first, and it says nothing.
	}
	w := newWorldOf(b, "octocat")
	server, err := the.stage.StartTokenServer(b.Context())
	w.must(err)
	w.grant("runner", reader)
	shown := w.shown("runner")
	fingerprint := w.allowed(shown).fingerprint()
	url := server.URL + "/v1/namespaces/" + w.namespace + "/githubusertokens/octocat/token"

	var all sync.WaitGroup
	var waiting, early atomic.Int64
	for range loadWaits {
		through, err := own(server)
		w.must(err)
		all.Go(func() {
			waiting.Add(1)
			for b.Context().Err() == nil {
				if got, err := askAt(b.Context(), through, url+"?wait=300&after="+fingerprint, shown); err == nil && got.status == http.StatusOK && got.fingerprint() != fingerprint {
					return // It is over.
				}
				early.Add(1)
				time.Sleep(time.Second)
			}
		})
	}
	suite.Eventually(b, patience, "all wait", func() (bool, string) {
		return w.waiting(server) >= loadWaits, fmt.Sprintf("%v wait, %d have begun, %d were answered early", w.waiting(server), waiting.Load(), early.Load())
	})
	atRest := w.mostMemory(server.Process.PID())

	var mu sync.Mutex
	var took []time.Duration
	failed := map[string]int{}
	var asking sync.WaitGroup
	cpu, cpuOfAsking := w.cpuOf(server.Process.PID()), w.cpuOf(os.Getpid())
	begin := time.Now()
	for client := range loadClients {
		through, err := own(server)
		w.must(err)
		asking.Go(func() {
			for n := client; n < b.N; n += loadClients {
				// Each has its moment, however long the one before took.
				time.Sleep(time.Until(begin.Add(time.Duration(n) * time.Second / loadClients)))
				got, err := askAt(b.Context(), through, url, shown)
				mu.Lock()
				switch {
				case err != nil:
					failed[fmt.Sprintf("%T", errors.Unwrap(err))]++
				case got.status != http.StatusOK:
					failed[fmt.Sprint(got.status, " ", got.body["message"])]++
				default:
					took = append(took, got.took)
				}
				mu.Unlock()
			}
		})
	}
	asking.Wait()
	elapsed := time.Since(begin)
	cpu, cpuOfAsking = w.cpuOf(server.Process.PID())-cpu, w.cpuOf(os.Getpid())-cpuOfAsking
	most, limit := w.mostMemory(server.Process.PID()), w.memoryLimit()
	w.rotate("the-end")
	all.Wait()
	w.must(server.Process.Stop(b.Context()))
	if len(took) == 0 {
		b.Fatal("nothing was given out")
	}
	slices.Sort(took)
	b.ReportMetric(float64(len(took))/elapsed.Seconds(), "releases/s")
	b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "p50-ms")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "p99-ms")
	b.ReportMetric(float64(b.N-len(took)), "failed")
	b.ReportMetric(cpu.Seconds()/elapsed.Seconds(), "cores")
	b.ReportMetric(cpuOfAsking.Seconds()/elapsed.Seconds(), "cores-of-asking")
	b.ReportMetric(float64(atRest)/(1<<20), "MiB-while-all-wait")
	b.ReportMetric(float64(most)/(1<<20), "MiB-at-most")
	b.ReportMetric(0, "ns/op")
	if most > limit {
		b.Errorf("it has had %d MiB, and its limit is %d MiB", most>>20, limit>>20)
	}
	for how, n := range failed {
		b.Logf("%d of %d requests: %s", n, b.N, how)
	}
}

// waiting is how many requests wait at a server.
func (w *world) waiting(server *stage.TokenServer) int64 {
	w.t.Helper()
	request, err := http.NewRequestWithContext(w.t.Context(), http.MethodGet, server.MetricsURL, http.NoBody)
	w.must(err)
	response, err := http.DefaultClient.Do(request)
	w.must(err)
	defer func() { _ = response.Body.Close() }()
	content, err := io.ReadAll(response.Body)
	w.must(err)
	found := regexp.MustCompile(`(?m)^githubusertoken_token_server_waiting (\d+)$`).FindSubmatch(content)
	if found == nil {
		return 0
	}
	waiting, err := strconv.ParseInt(string(found[1]), 10, 64)
	w.must(err)
	return waiting
}
