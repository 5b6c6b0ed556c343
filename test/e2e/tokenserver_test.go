//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/githubusertoken/github-user-token-operator/hack/controlplane"
	"github.com/githubusertoken/github-user-token-operator/test/e2e/cluster"
	"github.com/githubusertoken/github-user-token-operator/test/suite"
)

// connections is how many a replica gets while it is asked much. More than three quarters of its places no namespace may have.
const connections = 64

// tokenServer is the token server as it is installed, two replicas of it.
type tokenServer struct {
	endpoints []cluster.Endpoint
	clients   []*http.Client // by replica
	processes []string       // their folders in /proc
}

// startTokenServer installs the token server with a certificate, and serves the address of its Service.
func startTokenServer(t *testing.T) *tokenServer {
	t.Helper()
	certificate, key, err := running.ControlPlane.IssueServingCertificate("token-server", serverHost)
	if err != nil {
		t.Fatal(err)
	}
	create(t, &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: operatorNamespace, Name: serverCertificate}, Type: corev1.SecretTypeTLS,
		Data: map[string][]byte{"tls.crt": certificate, "tls.key": key},
	})
	if err := running.ControlPlane.Apply(t.Context(), "config/token-server"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			return // Its logs are wanted.
		}
		_, err := kubectl(context.Background(), "delete", "-k", "config/token-server", "--timeout=3m")
		if err == nil {
			_, err = kubectl(context.Background(), "-n", operatorNamespace, "delete", "secret", serverCertificate)
		}
		if err != nil {
			t.Error(err)
		}
	})
	run(t, "-n", operatorNamespace, "rollout", "status", "deployment/"+serverName, "--timeout=3m")
	service, err := running.ServeService(net.JoinHostPort(tokenServerAddress, "443"), operatorNamespace, serverName)
	if err != nil {
		t.Fatal(err)
	}
	authority, err := os.ReadFile(running.ControlPlane.AuthorityPath())
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(authority)
	s := &tokenServer{}
	eventually(t, deadline, "the Service has both replicas", func() error {
		if s.endpoints, err = service.Endpoints(t.Context()); err == nil && len(s.endpoints) != 2 {
			err = fmt.Errorf("it has %d", len(s.endpoints))
		}
		return err
	})
	for _, endpoint := range s.endpoints {
		transport := &http.Transport{
			TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}, MaxIdleConnsPerHost: connections, MaxConnsPerHost: connections,
			DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return service.DialEndpoint(ctx, endpoint) },
		}
		t.Cleanup(transport.CloseIdleConnections)
		s.clients = append(s.clients, &http.Client{Transport: transport, Timeout: 3 * time.Minute})
		s.processes = append(s.processes, processOf(t, endpoint.Pod))
	}
	return s
}

// callers are the ServiceAccount tokens of so many pods, each of which may have the token.
func (s *tokenServer) callers(t *testing.T, count int) []string {
	t.Helper()
	var callers []string
	for range count {
		pod := pending(t, "caller-")
		made, err := running.Client.CoreV1().ServiceAccounts(agentsNamespace).CreateToken(t.Context(), "agent", &authenticationv1.TokenRequest{
			Spec: authenticationv1.TokenRequestSpec{
				Audiences: []string{serverAudience},
				BoundObjectRef: &authenticationv1.BoundObjectReference{
					APIVersion: "v1", Kind: "Pod", Name: pod.Name, UID: pod.UID,
				},
			},
		}, metav1.CreateOptions{})
		if err != nil {
			t.Fatal(err)
		}
		callers = append(callers, made.Status.Token)
	}
	return callers
}

// ask asks a replica once. Of a body that holds a token no more is returned than the fingerprint.
func ask(ctx context.Context, through *http.Client, caller, query string) (status int, fingerprint string, err error) {
	url := "https://" + serverHost + "/v1/namespaces/" + agentsTeam + "/githubusertokens/octocat/token" + query
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return 0, "", err
	}
	request.Header.Set("Authorization", "Bearer "+caller)
	response, err := through.Do(request)
	if err != nil {
		return 0, "", err
	}
	defer response.Body.Close()
	var answer struct{ Fingerprint string }
	body, err := io.ReadAll(response.Body)
	if err == nil {
		err = json.Unmarshal(body, &answer)
	}
	return response.StatusCode, answer.Fingerprint, err
}

// fingerprint is that of the token that a caller gets.
func (s *tokenServer) fingerprint(t *testing.T, through *http.Client, caller string) string {
	t.Helper()
	status, fingerprint, err := ask(t.Context(), through, caller, "")
	if err != nil || status != http.StatusOK || fingerprint == "" {
		t.Fatalf("the token server answers %d: %v", status, err)
	}
	return fingerprint
}

// released is how long it took to be answered with the token, and which other answers there were.
type released struct {
	took   times
	others map[string]int
	lasted time.Duration
}

func (r released) String() string {
	if len(r.took) == 0 {
		return "no token was given"
	}
	return fmt.Sprintf("%d releases, %.0f a second, %s", len(r.took), float64(len(r.took))/r.lasted.Seconds(), r.took)
}

// load asks for the token releaseRate times a second, whether those before are answered or not. The time of each counts from the moment in
// which it was to be asked.
func (s *tokenServer) load(t *testing.T, callers []string) released {
	t.Helper()
	var mu sync.Mutex
	var under sync.WaitGroup
	for _, through := range s.clients { // Who comes for the first time is another matter, and so is a new connection.
		for _, caller := range callers {
			s.fingerprint(t, through, caller)
		}
		for range connections {
			under.Go(func() { _, _, _ = ask(t.Context(), through, callers[0], "") })
		}
		under.Wait()
	}
	r := released{others: map[string]int{}}
	begin := time.Now()
	for i := range releaseRate * loadSeconds {
		due := begin.Add(time.Duration(i) * time.Second / releaseRate)
		time.Sleep(time.Until(due))
		under.Go(func() {
			status, _, err := ask(t.Context(), s.clients[i%len(s.clients)], callers[i/len(s.clients)%len(callers)], "")
			took := time.Since(due)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err != nil:
				r.others[err.Error()]++
			case status != http.StatusOK:
				r.others[http.StatusText(status)]++
			default:
				r.took = append(r.took, took)
			}
		})
	}
	under.Wait()
	r.lasted = time.Since(begin)
	slices.Sort(r.took)
	return r
}

// audited says whether the logs of the replicas tell of at least so many releases.
func (s *tokenServer) audited(count int) error {
	paths, err := running.ContainerLogPaths()
	if err != nil {
		return err
	}
	found := 0
	for _, path := range paths {
		if !strings.Contains(path, serverName) {
			continue
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		found += bytes.Count(content, []byte("A token is given out"))
	}
	if found < count {
		return fmt.Errorf("it tells of %d of %d", found, count)
	}
	return nil
}

// usage is what the replicas have used so far, together, and each at most; and what the API server and this test, which asks, have.
type usage struct {
	at           time.Time
	cpu          time.Duration
	api, own     time.Duration
	idle         time.Duration // of all cores of the machine
	memory, most int           // MiB
}

func (u usage) since(before usage) string {
	lasted := u.at.Sub(before.at)
	share := func(used time.Duration) string { return fmt.Sprintf("%.0f%%", 100*used.Seconds()/lasted.Seconds()) }
	return fmt.Sprintf("%.2f s of CPU, %s of a core for both replicas; the larger one has %d MiB of memory, and had at most %d "+
		"(the API server: %s of a core, this test %s, idle %s of %d cores)", (u.cpu - before.cpu).Seconds(), share(u.cpu-before.cpu),
		u.memory, u.most, share(u.api-before.api), share(u.own-before.own), share(u.idle-before.idle), runtime.NumCPU())
}

// usage reads it from /proc.
func (s *tokenServer) usage(t *testing.T) usage {
	t.Helper()
	u := usage{
		at: time.Now(), own: cpuOf(t, "/proc/self"), api: cpuOf(t, "/proc/"+strconv.Itoa(running.ControlPlane.APIServer.PID())),
	}
	machine, err := os.ReadFile("/proc/stat")
	if err != nil {
		t.Fatal(err)
	}
	u.idle = ticks(t, strings.Fields(string(machine))[4])
	for _, process := range s.processes {
		u.cpu += cpuOf(t, process)
		status, err := os.ReadFile(filepath.Join(process, "status"))
		if err != nil {
			t.Fatal(err)
		}
		u.memory, u.most = max(u.memory, kibibytes(status, "VmRSS")/1024), max(u.most, kibibytes(status, "VmHWM")/1024)
	}
	return u
}

// cpuOf is how much a process has used.
func cpuOf(t *testing.T, process string) time.Duration {
	t.Helper()
	stat, err := os.ReadFile(filepath.Join(process, "stat"))
	if err != nil {
		t.Fatal(err)
	}
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:])) // From the third on: the 14th and the 15th are its time.
	return ticks(t, fields[11]) + ticks(t, fields[12])
}

// ticks are hundredths of a second.
func ticks(t *testing.T, text string) time.Duration {
	t.Helper()
	count, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return time.Duration(count) * 10 * time.Millisecond
}

func kibibytes(status []byte, name string) int {
	found := regexp.MustCompile(`(?m)^` + name + `:\s+(\d+) kB`).FindSubmatch(status)
	if found == nil {
		return 0
	}
	value, _ := strconv.Atoi(string(found[1])) // Digits alone.
	return value
}

// processOf finds the process of a pod of the token server on this machine.
func processOf(t *testing.T, pod string) string {
	t.Helper()
	processes, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		t.Fatal(err)
	}
	for _, process := range processes {
		arguments, err := os.ReadFile(filepath.Join(process, "cmdline"))
		if err != nil || !bytes.Contains(arguments, []byte("\x00token-server\x00")) {
			continue // It is another, or it is gone.
		}
		variables, err := os.ReadFile(filepath.Join(process, "environ"))
		if err == nil && slices.Contains(strings.Split(string(variables), "\x00"), "HOSTNAME="+pod) {
			return process
		}
	}
	t.Fatalf("no process is that of %s", pod)
	return ""
}

// shownTokens is how the tokens of ServiceAccounts look.
var shownTokens = regexp.MustCompile(`eyJ[A-Za-z0-9_-]{20,}\.eyJ[A-Za-z0-9_-]{20,}\.[A-Za-z0-9_-]{20,}`)

// searchLogs looks for tokens, of GitHub and of ServiceAccounts, in all that pods, nodes and control plane have written.
func searchLogs(t *testing.T) {
	t.Helper()
	paths, err := running.ContainerLogPaths()
	if err != nil {
		t.Fatal(err)
	}
	ofPods := len(paths)
	paths = append(paths, running.LogPaths()...)
	paths = append(paths, running.ControlPlane.AuditLogPath())
	for _, process := range []*controlplane.Process{running.ControlPlane.APIServer, running.ControlPlane.ControllerManager} {
		paths = append(paths, process.LogPath())
	}
	size := 0
	for _, path := range paths {
		content, err := os.ReadFile(path)
		if errors.Is(err, os.ErrNotExist) {
			continue // Its pod has just gone.
		}
		if err != nil {
			t.Error(err)
		}
		size += len(content)
		for what, found := range map[string]int{
			"tokens of GitHub": len(suite.FindTokens(content)), "tokens of GitHub in base64": len(suite.EncodedTokens.FindAll(content, -1)),
			"tokens of ServiceAccounts": len(shownTokens.FindAll(content, -1)),
		} {
			if found > 0 {
				t.Errorf("%s holds %d %s", path, found, what)
			}
		}
	}
	if ofPods == 0 || size == 0 {
		t.Errorf("%d logs of pods, and %d bytes in all", ofPods, size)
	}
	t.Logf("no token was to be found in %d logs, %d of them of pods, %d KiB in all", len(paths), ofPods, size>>10)
}
