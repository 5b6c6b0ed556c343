package chaos

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"syscall"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/githubusertoken/github-user-token-operator/internal/github/githubtest"
)

// TestChaosControlPlaneFails stops etcd and the API server themselves while pairs are on their way to them.
func TestChaosControlPlaneFails(t *testing.T) {
	t.Parallel()
	outage := 20 * time.Second
	if long {
		outage = 3 * time.Minute
	}
	w := newWorld(t, worldOptions{ownPlane: true})
	w.patience += outage
	r := w.replica()
	r.start()
	commits, killed, fences, restarted, frozen := w.subject("commits"), w.subject("killed"), w.subject("fences"), w.subject("restarted"), w.subject("frozen")
	for _, s := range w.subjects {
		s.awaitReady()
	}

	// etcd is gone when the replies come. One process dies with its pair in the outbox, and is started again and
	// again until there is an API server, as a kubelet does.
	release := []func(){commits.exchange(), killed.exchange()}
	w.must(w.plane.Etcd.Stop(w.ctx))
	totals.fault("control plane: etcd stopped")
	for _, release := range release {
		release()
	}
	w.eventually("both replies to be kept", func() (bool, string) {
		kept, err := filepath.Glob(filepath.Join(r.outbox, "replies", "reply-*.json"))
		return len(kept) == 2, fmt.Sprint(len(kept), err)
	})
	stopped := time.Now()
	r.kill()
	restart := r.keepRunning()
	w.eventually("the outage to last long enough", func() (bool, string) {
		restart()
		return time.Since(stopped) > outage, ""
	})
	w.must(w.plane.Etcd.Start(w.ctx))
	// The longer etcd was away, the longer the API server waits before it looks for it again.
	w.eventually("the API server to be back", func() (bool, string) {
		restart()
		_, err := commits.pair()
		return err == nil, fmt.Sprint(err)
	})
	back := time.Now()
	w.eventually("the operator to be back", func() (bool, string) {
		restart()
		return r.ready(), r.tail()
	})
	w.settle(back)

	// The API server is killed while replies are on their way, and a fence comes when it is not there.
	replied := restarted.exchange()
	w.plane.APIServer.Kill()
	totals.fault("control plane: API server killed")
	replied()
	w.must(w.plane.APIServer.Start(w.ctx))
	restarted.awaitReady()

	// The API server stands still, longer than a request may take.
	replied = frozen.exchange()
	w.must(w.plane.APIServer.Signal(syscall.SIGSTOP))
	totals.fault("control plane: API server stopped with SIGSTOP")
	replied()
	still := time.Now()
	w.eventually("the API server to have stood still", func() (bool, string) { return time.Since(still) > 17*time.Second, "" })
	w.must(w.plane.APIServer.Signal(syscall.SIGCONT))
	frozen.awaitReady()

	// While the operator's watches are away etcd is compacted and the API server forgets what it knew: they
	// have to list everything anew.
	gone := r.proxy.inject(&apiFault{kind: "watch refused", on: (*apiCall).watch, times: -1, refuse: true})
	r.proxy.cutWatches()
	w.must(w.admin.Patch(w.ctx, fences.object(), client.RawPatch(types.MergePatchType, []byte(`{"metadata":{"labels":{"seen":"by-a-list"}}}`))))
	fences.request()
	w.compact()
	w.must(w.plane.APIServer.Stop(w.ctx))
	w.must(w.plane.APIServer.Start(w.ctx))
	totals.fault("control plane: etcd compacted")
	r.proxy.remove(gone)
	w.judge()
}

// keepRunning returns what starts the process again whenever it has ended.
func (r *replica) keepRunning() func() {
	return func() {
		if r.over() {
			r.launch()
		}
	}
}

// compact makes etcd forget all but the present.
func (w *world) compact() {
	w.t.Helper()
	read := func(name string) []byte {
		content, err := os.ReadFile(filepath.Join(w.plane.Dir(), name))
		w.must(err)
		return content
	}
	certificate, err := tls.X509KeyPair(read("apiserver-to-etcd.crt"), read("apiserver-to-etcd.key"))
	w.must(err)
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(read("etcd-ca.crt"))
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{
		RootCAs: roots, Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12,
	}}}
	defer client.CloseIdleConnections()
	line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", w.plane.APIServer.PID()))
	w.must(err)
	found := regexp.MustCompile(`--etcd-servers=([^\x00]+)`).FindSubmatch(line)
	if found == nil {
		w.t.Fatal("the API server does not say where etcd is")
	}
	ask := func(path string, body any) map[string]json.RawMessage {
		content, err := json.Marshal(body)
		w.must(err)
		ctx, cancel := context.WithTimeout(w.ctx, 30*time.Second)
		defer cancel()
		request, err := http.NewRequestWithContext(ctx, http.MethodPost, string(found[1])+path, bytes.NewReader(content))
		w.must(err)
		response, err := client.Do(request)
		w.must(err)
		defer response.Body.Close()
		answer, err := io.ReadAll(response.Body)
		w.must(err)
		if response.StatusCode != http.StatusOK {
			w.t.Fatalf("etcd: %s: %s: %s", path, response.Status, answer)
		}
		fields := map[string]json.RawMessage{}
		w.must(json.Unmarshal(answer, &fields))
		return fields
	}
	var header struct{ Revision string }
	w.must(json.Unmarshal(ask("/v3/kv/range", map[string]any{"key": "AA==", "limit": 1})["header"], &header))
	ask("/v3/kv/compaction", map[string]any{"revision": header.Revision, "physical": true})
}

// TestChaosWayToTheAPIServerIsCut refuses every request of the operator for a while after GitHub has replied.
func TestChaosWayToTheAPIServerIsCut(t *testing.T) {
	t.Parallel()
	outage := 12 * time.Second
	if long {
		outage = 4 * time.Minute
	}
	w := newWorld(t, worldOptions{})
	w.patience += outage
	r := w.replica()
	r.start()
	committing, sending, idle := w.subject("committing"), w.subject("sending"), w.subject("idle")
	for _, s := range w.subjects {
		s.awaitReady()
	}
	replied := committing.exchange()
	atGitHub := w.gh.Inject(githubtest.Hold().ForRefreshToken(sending.holds()))
	sending.request()
	w.arrived("the exchange at GitHub", atGitHub.Arrived())
	cut := r.proxy.inject(&apiFault{kind: "not reachable", on: all, times: -1, refuse: true})
	r.proxy.cutWatches()
	replied()
	atGitHub.Release()
	idle.request() // which nobody can know before the end of the outage
	began := time.Now()
	w.eventually("the outage to last long enough", func() (bool, string) { return time.Since(began) > outage, "" })
	if n := len(w.gh.PresentationsOf(idle.holds())); n != 0 {
		t.Errorf("a token was presented %d times without a fence", n)
	}
	r.proxy.remove(cut)
	w.settle(time.Now())
	w.judge()
}
