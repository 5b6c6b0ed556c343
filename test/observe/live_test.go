//go:build observe

package observe

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"flag"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/hack/controlplane"
	"github.com/githubusertoken/github-user-token-operator/hack/demo/stage"
	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/test/suite"
)

var hold = flag.Duration("hold", 0, "for how long to leave Prometheus running after the last alert, to look at its pages")

const (
	liveClientID = "Iv23liObserve"
	liveSecret   = "observe-client-secret"
	// offeredID and offeredSecret are of the App that a ClusterGitHubApp offers.
	offeredID     = "Iv23liOffered"
	offeredSecret = "offered-client-secret"
	// lifetime is that of access tokens. They are refreshed when a quarter of it is left.
	lifetime = time.Minute
	// patience is how long things may take that have no bound of their own.
	patience = 3 * time.Minute
	// calm is for how long nothing may fire before anything is broken.
	calm = 15 * time.Second
	team = "team-a"
)

// live is an operator with a Prometheus that watches it.
type live struct {
	t          *testing.T
	stage      *stage.Stage
	admin      client.Client
	prometheus *server
	tokens     *stage.TokenServer
	outbox     string
	begin      time.Time
}

func startLive(t *testing.T) *live {
	t.Helper()
	ctrl.SetLogger(logr.Discard())
	l := &live{t: t, begin: time.Now()}
	ctx := t.Context()
	s, err := stage.Start(ctx, stage.Options{Log: t.Output()})
	l.must(err)
	t.Cleanup(s.Stop)
	l.stage = s
	l.must(s.StartGitHub(ctx, stage.GitHubOptions{
		Apps: []stage.App{
			{ClientID: liveClientID, Secret: credential.NewClientSecret(liveSecret)}, {ClientID: offeredID, Secret: credential.NewClientSecret(offeredSecret)},
		},
		Users:               []string{"octocat", "hubot"},
		AccessTokenLifetime: lifetime,
	}))
	scheme, err := stage.Scheme()
	l.must(err)
	l.admin, err = client.New(s.Plane.AdminConfig(), client.Options{Scheme: scheme})
	l.must(err)

	m, ofTokens, tokenFile := l.monitoring()
	certificates := t.TempDir()
	certificate, key, err := s.Plane.IssueServingCertificate("metrics", m.Spec.Endpoints[0].TLSConfig.ServerName)
	l.must(err)
	l.must(os.WriteFile(filepath.Join(certificates, "tls.crt"), certificate, 0o600))
	l.must(os.WriteFile(filepath.Join(certificates, "tls.key"), key, 0o600))
	memory, err := controlplane.NewTempDir("/dev/shm", "github-user-token-observe-")
	l.must(err)
	t.Cleanup(func() { _ = memory.Remove() })
	l.outbox = memory.Path("outbox")
	l.must(os.Mkdir(l.outbox, 0o700))
	l.must(s.StartOperator(ctx, "--metrics-cert-path="+certificates, "--outbox-dir="+l.outbox, "--token-requests-per-hour=100000", "--unproven-app-requests-per-hour=100000"))
	l.tokens, err = s.StartTokenServer(ctx, "--metrics-secure=true")
	l.must(err)
	address, err := url.Parse(l.tokens.MetricsURL)
	l.must(err)
	l.prometheus = startPrometheus(t, []scraped{
		{m, "github-user-token-operator-metrics", "operator-0", s.MetricsAddress},
		{ofTokens, "github-user-token-operator-token-server-metrics", "token-server-0", address.Host},
	}, tokenFile, s.Plane.AuthorityPath(), fastRules(t))

	l.must(l.admin.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: team}}))
	l.secret(team, "github-app", "client_secret", liveSecret)
	return l
}

func (l *live) must(err error) {
	l.t.Helper()
	if err != nil {
		l.t.Fatal(err)
	}
}

// monitoring installs what lets Prometheus in, and says how it is to scrape: the operator with its certificate verified, and both with the
// token of the ServiceAccount that comes with config/prometheus.
func (l *live) monitoring() (m, ofTokens monitor, tokenFile string) {
	l.t.Helper()
	dir := l.t.TempDir()
	config, err := filepath.Rel(dir, filepath.Join(l.stage.Root, "config"))
	l.must(err)
	write(l.t, filepath.Join(dir, "kustomization.yaml"), map[string]any{
		"resources": []string{config + "/default"},
		"components": []string{
			config + "/prometheus", config + "/components/metrics-certificate", config + "/grafana",
			config + "/components/token-server", config + "/components/token-server-prometheus",
		},
	})
	text, err := l.stage.Kubectl(l.t.Context(), "kustomize", dir)
	l.must(err)
	rendered(l.t, text, "ServiceMonitor", "github-user-token-operator", &m)
	rendered(l.t, text, "ServiceMonitor", "github-user-token-operator-token-server", &ofTokens)
	if mine := ofTokens.Spec.Endpoints[0].Authorization; mine != m.Spec.Endpoints[0].Authorization {
		l.t.Errorf("the token server's metrics are read by %v", mine)
	}
	_, err = l.stage.Kubectl(l.t.Context(), "apply", "--server-side", "-f", "config/prometheus/metrics_reader.yaml")
	l.must(err)
	credentials := m.Spec.Endpoints[0].Authorization.Credentials
	tokenFile = filepath.Join(l.t.TempDir(), "token")
	suite.Eventually(l.t, patience, "the token of the scraper's ServiceAccount", func() (bool, string) {
		var secret corev1.Secret
		err := l.admin.Get(l.t.Context(), types.NamespacedName{Namespace: stage.Namespace, Name: credentials.Name}, &secret)
		token := secret.Data[credentials.Key]
		if err != nil || len(token) == 0 {
			return false, fmt.Sprint(err)
		}
		l.must(os.WriteFile(tokenFile, token, 0o600))
		return true, ""
	})
	return m, ofTokens, tokenFile
}

// release has the token server give out tokens, as to a pod.
func (l *live) release(name string) {
	l.t.Helper()
	const agents, account = "agents", "agent"
	for _, object := range []client.Object{
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: agents}},
		&corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: agents, Name: account}},
		&rbacv1.RoleBinding{
			ObjectMeta: metav1.ObjectMeta{Namespace: team, Name: account},
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "github-user-token-operator-token-reader"},
			Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: agents, Name: account}},
		},
	} {
		l.must(l.admin.Create(l.t.Context(), object))
	}
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: agents, Name: account},
		Spec:       corev1.PodSpec{ServiceAccountName: account, Containers: []corev1.Container{{Name: "agent", Image: "agent"}}},
	}
	l.must(l.admin.Create(l.t.Context(), pod))
	core, err := kubernetes.NewForConfig(l.stage.Plane.AdminConfig())
	l.must(err)
	shown, err := core.CoreV1().ServiceAccounts(agents).CreateToken(l.t.Context(), account, &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{
		Audiences: []string{stage.Audience}, BoundObjectRef: &authenticationv1.BoundObjectReference{APIVersion: "v1", Kind: "Pod", Name: pod.Name, UID: pod.UID},
	}}, metav1.CreateOptions{})
	l.must(err)
	authority, err := os.ReadFile(l.tokens.CAFile)
	l.must(err)
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(authority)
	through := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}}}
	ask := func() int {
		request, err := http.NewRequestWithContext(l.t.Context(), http.MethodGet, l.tokens.URL+"/v1/namespaces/"+team+"/githubusertokens/"+name+"/token", http.NoBody)
		l.must(err)
		request.Header.Set("Authorization", "Bearer "+shown.Status.Token)
		reply, err := through.Do(request)
		l.must(err)
		_, err = io.Copy(io.Discard, reply.Body)
		l.must(err)
		l.must(reply.Body.Close())
		return reply.StatusCode
	}
	suite.Eventually(l.t, patience, "the agent to have a token", func() (bool, string) {
		status := ask()
		return status == http.StatusOK, fmt.Sprint(status)
	})
	// So many that a first one that was slow is none of the 99 %.
	for range 200 {
		if status := ask(); status != http.StatusOK {
			l.t.Errorf("the token server answers %d", status)
		}
	}
}

func (l *live) secret(namespace, name, key, value string) {
	l.t.Helper()
	l.must(l.admin.Create(l.t.Context(), &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}, StringData: map[string]string{key: value}}))
}

// login makes a resource for a user who has logged in, and waits until it is ready.
func (l *live) login(user string, change func(*v1alpha1.GitHubUserToken)) {
	l.t.Helper()
	token, err := l.stage.GitHub.Login(l.t.Context(), liveClientID, user)
	l.must(err)
	l.secret(team, user+"-seed", "refresh_token", token.Reveal())
	resource := suite.Resource(team, user, "github.com", liveClientID)
	change(resource)
	l.must(l.admin.Create(l.t.Context(), resource))
	l.ready(user)
}

func (l *live) get(name string) *v1alpha1.GitHubUserToken {
	l.t.Helper()
	var token v1alpha1.GitHubUserToken
	l.must(l.admin.Get(l.t.Context(), types.NamespacedName{Namespace: team, Name: name}, &token))
	return &token
}

func (l *live) ready(name string) {
	l.t.Helper()
	suite.Eventually(l.t, patience, name+" to be ready", func() (bool, string) {
		token := l.get(name)
		return meta.IsStatusConditionTrue(token.Status.Conditions, v1alpha1.ConditionReady) &&
			meta.FindStatusCondition(token.Status.Conditions, v1alpha1.ConditionReconciling) == nil, suite.Describe(token)
	})
}

// again has a refresh tried at once, in place of after a back-off, in which alerts that are faster than in life would fire.
func (l *live) again(name string) {
	l.t.Helper()
	l.kubectl("annotate", "--overwrite", "-n", team, "ghut", name, v1alpha1.AnnotationRefreshRequestedAt+"="+time.Now().UTC().Format(time.RFC3339Nano))
	l.ready(name)
}

func (l *live) kubectl(args ...string) {
	l.t.Helper()
	_, err := l.stage.Kubectl(l.t.Context(), args...)
	l.must(err)
}

// post asks the stand-in's admin side for something.
func (l *live) post(path string, query url.Values) {
	l.t.Helper()
	request, err := http.NewRequestWithContext(l.t.Context(), http.MethodPost, l.stage.GitHub.Admin()+path+"?"+query.Encode(), nil)
	l.must(err)
	reply, err := http.DefaultClient.Do(request)
	l.must(err)
	_ = reply.Body.Close()
	if reply.StatusCode != http.StatusOK {
		l.t.Fatalf("%s: %s", path, reply.Status)
	}
}

// of labels an alert about a resource.
func of(name string, reason ...string) string {
	labels := fmt.Sprintf("name=%q, namespace=%q", name, team)
	for _, r := range reason {
		labels += fmt.Sprintf(", reason=%q", r)
	}
	return labels
}

// broken breaks something, waits until all alerts that tell of it have fired, mends it, and waits until none does. No
// other alert may fire.
func (l *live) broken(what string, want []string, breakIt, mend func()) {
	l.t.Helper()
	slices.Sort(want)
	began := time.Now()
	breakIt()
	var seen []string
	look := func() (now []string) {
		now = l.prometheus.alerts()
		for _, firing := range now {
			if !slices.Contains(seen, firing) {
				seen = append(seen, firing)
				l.t.Logf("%s: %s after %.0f s", what, firing, time.Since(began).Seconds())
			}
		}
		return now
	}
	suite.Eventually(l.t, patience, what+": the alerts that tell of it", func() (bool, string) {
		look()
		missing := slices.DeleteFunc(slices.Clone(want), func(one string) bool { return slices.Contains(seen, one) })
		return len(missing) == 0, fmt.Sprintf("missing: %v; seen: %v", missing, seen)
	})
	mend()
	suite.Eventually(l.t, patience, what+": the end of the alerts", func() (bool, string) {
		now := look()
		return len(now) == 0, fmt.Sprint(now)
	})
	slices.Sort(seen)
	if !slices.Equal(seen, want) {
		l.t.Errorf("%s: these have fired: %v; want %v", what, seen, want)
	}
	l.t.Logf("%s: over after %.0f s", what, time.Since(began).Seconds())
}

// tell says how everything stands, for whoever looks for what went wrong.
func (l *live) tell() {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	var resources v1alpha1.GitHubUserTokenList
	if err := l.admin.List(ctx, &resources); err != nil {
		l.t.Log(err)
	}
	for i := range resources.Items {
		l.t.Logf("%s: %s; next refresh %s, expires %s", resources.Items[i].Name, suite.Describe(&resources.Items[i]),
			resources.Items[i].Status.NextRefreshTime, resources.Items[i].Status.AccessTokenExpirationTime)
	}
	var targets any
	err := l.prometheus.get(ctx, "/api/v1/targets", nil, &targets)
	l.t.Logf("it is %s; Prometheus scrapes %v, %v", time.Now().UTC().Format(time.RFC3339), targets, err)
	l.t.Logf("the operator: %s\nPrometheus: %s", l.stage.Operator.LogTail(), l.prometheus.process.LogTail())
}

// quiet holds that nothing fires for a while.
func (l *live) quiet(what string, d time.Duration) {
	l.t.Helper()
	for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(500 * time.Millisecond) {
		if firing := l.prometheus.alerts(); len(firing) > 0 {
			l.t.Fatalf("%s: %v", what, firing)
		}
	}
}

// A Prometheus that scrapes the operator over TLS, with the token of its ServiceAccount, tells of whatever breaks by the
// alerts that are about it and by no others; and each query of the dashboard has something to show.
func TestLiveEachFailureRaisesItsAlertsAndNoOthers(t *testing.T) {
	l := startLive(t)
	defer func() {
		if t.Failed() {
			l.tell()
		}
	}()
	l.login("octocat", func(token *v1alpha1.GitHubUserToken) {
		token.Spec.Outputs = []v1alpha1.Output{{Name: "octocat-netrc", Format: v1alpha1.OutputFormatNetrc}}
	})
	l.scraped()
	l.release("octocat")
	l.quiet("all is well", calm)

	l.broken("the token server is gone", []string{alert("GitHubUserTokenServerDown", "critical", `component="token-server"`)},
		func() { l.must(l.tokens.Process.Stop(t.Context())) },
		func() { l.must(l.tokens.Process.Start(t.Context())) })

	// First: the watches that it has outlive the permissions by minutes, and would end in one of the later ones.
	l.broken("the permissions are removed", []string{
		alert("GitHubUserTokenRefreshOverdue", "warning", of("octocat")), alert("GitHubUserTokenRefreshOverdue", "critical", of("octocat")),
	},
		func() { l.kubectl("delete", "clusterrolebinding", "github-user-token-operator") },
		func() {
			l.must(l.stage.Plane.Apply(t.Context(), filepath.Join(l.stage.Root, "config", "default")))
			suite.Eventually(t, patience, "the permissions", func() (bool, string) {
				said, err := l.stage.Kubectl(t.Context(), "auth", "can-i", "patch", "secrets", "-n", team, "--as=system:serviceaccount:"+stage.Namespace+":"+stage.ServiceAccount)
				return err == nil, said
			})
			l.again("octocat")
		})

	failing := []string{alert("GitHubUserTokenRefreshFailing", "warning", of("octocat")), alert("GitHubUserTokenRefreshFailing", "critical", of("octocat"))}
	l.broken("the way to GitHub is closed", failing,
		func() { l.stage.DenyEgress(true) },
		func() { l.stage.DenyEgress(false); l.again("octocat") })

	away := l.outbox + ".away"
	l.broken("the outbox cannot be written", append([]string{alert("GitHubUserTokenOutboxUnavailable", "critical", "")}, failing...),
		func() { l.must(os.Rename(l.outbox, away)) },
		func() { l.must(os.Rename(away, l.outbox)); l.again("octocat") })

	// It is found at the next refresh: a check believes no answer about a token that is younger than a minute.
	l.login("hubot", func(*v1alpha1.GitHubUserToken) {})
	l.broken("a person revokes the App", []string{
		alert("GitHubUserTokenHumanNeeded", "warning", of("hubot", "RefreshTokenRejected")), alert("GitHubUserTokenHumanNeeded", "critical", of("hubot", "RefreshTokenRejected")),
	},
		func() { l.post("/revoke", url.Values{"app": {liveClientID}, "user": {"hubot"}}) },
		func() { l.must(l.admin.Delete(t.Context(), l.get("hubot"))) })

	l.broken("the client secret of an App that is offered is wrong", []string{
		alert("GitHubUserTokenAppNotUsable", "warning", `kind="ClusterGitHubApp", name="platform", reason="IncorrectClientCredentials"`),
	},
		func() {
			l.secret(stage.Namespace, "platform-app", "client_secret", "a-former-client-secret")
			l.must(l.admin.Create(t.Context(), &v1alpha1.ClusterGitHubApp{
				ObjectMeta: metav1.ObjectMeta{Name: "platform"},
				Spec: v1alpha1.ClusterGitHubAppSpec{GitHubAppSpec: v1alpha1.GitHubAppSpec{
					ClientID: offeredID, ClientSecretRef: &v1alpha1.ClientSecretReference{Name: "platform-app"},
				}},
			}))
		},
		func() {
			suite.Eventually(t, patience, "the dashboard to have a moment of it", func() (bool, string) {
				values, err := l.prometheus.values(`githubusertoken_app_condition{status="False"}`, l.begin)
				return err == nil && len(values) > 0, fmt.Sprint(err)
			})
			l.kubectl("patch", "-n", stage.Namespace, "secret", "platform-app", "--type=merge", "-p", `{"stringData":{"client_secret":"`+offeredSecret+`"}}`)
		})

	l.broken("nobody enters the code of a new resource", []string{alert("GitHubUserTokenFirstLoginPending", "warning", of("newcomer"))},
		func() {
			newcomer := suite.Resource(team, "newcomer", "github.com", liveClientID)
			newcomer.Spec.RefreshTokenRef, newcomer.Spec.DeviceFlow = nil, &v1alpha1.DeviceFlow{}
			l.must(l.admin.Create(t.Context(), newcomer))
		},
		func() {
			l.dashboard()
			if *hold > 0 {
				t.Logf("Prometheus is at %s for %s", l.prometheus.address, *hold)
				select {
				case <-time.After(*hold):
				case <-t.Context().Done():
				}
			}
			l.must(l.admin.Delete(t.Context(), l.get("newcomer")))
		})
	l.quiet("all is well again", calm)
	page := l.page()
	for token := range strings.FieldsSeq(page) {
		if found := suite.FindTokens([]byte(token)); len(found) > 0 {
			t.Error("a token stands in the metrics")
		}
	}
}

// scraped waits until Prometheus has read the metrics of resources, and an alert is over that it may have given before: it waits
// five seconds for its targets, and after four the rules of this run call an operator down that nobody can scrape.
func (l *live) scraped() {
	l.t.Helper()
	suite.Eventually(l.t, patience, "Prometheus to be let in", func() (bool, string) {
		var targets struct {
			Active []struct{ Health, LastError string } `json:"activeTargets"`
		}
		l.must(l.prometheus.get(l.t.Context(), "/api/v1/targets", nil, &targets))
		values, err := l.prometheus.values(`githubusertoken_info{namespace="team-a"}`, l.begin)
		ofTokens, errOfTokens := l.prometheus.values(`githubusertoken_token_server_waiting{namespace="github-user-token-system"}`, l.begin)
		firing := l.prometheus.alerts()
		return err == nil && errOfTokens == nil && len(values) > 0 && len(ofTokens) > 0 && len(firing) == 0, fmt.Sprint(targets, err, errOfTokens, firing)
	})
}

// dashboard runs each query of the dashboard.
func (l *live) dashboard() {
	l.t.Helper()
	queries := 0
	for _, p := range shippedDashboard(l.t).Panels {
		for _, target := range p.Targets {
			queries++
			values, err := l.prometheus.values(inGrafana(target.Expr), l.begin)
			values = slices.DeleteFunc(values, math.IsNaN)
			if err != nil || len(values) == 0 {
				l.t.Errorf("%q shows nothing: %v: %s", p.Title, err, inGrafana(target.Expr))
			}
		}
	}
	l.t.Logf("%d queries of the dashboard have something to show", queries)
}

// page is the metrics as Prometheus reads them, linted by promtool.
func (l *live) page() string {
	l.t.Helper()
	ctx, cancel := context.WithTimeout(l.t.Context(), patience)
	defer cancel()
	var series []map[string]string
	l.must(l.prometheus.get(ctx, "/api/v1/series", url.Values{"match[]": {`{__name__=~"githubusertoken_.+"}`}}, &series))
	var text strings.Builder
	for _, one := range series {
		fmt.Fprintln(&text, one)
	}
	if len(series) < 100 {
		l.t.Errorf("Prometheus has %d series of the operator", len(series))
	}
	return text.String()
}
