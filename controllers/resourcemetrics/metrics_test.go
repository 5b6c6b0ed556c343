package resourcemetrics

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"net/http"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	apiruntime "k8s.io/apimachinery/pkg/runtime"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/exposition"
)

var now = time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)

func at(d time.Duration) *metav1.Time { return &metav1.Time{Time: now.Add(d)} }

func resource(namespace, name string) *v1alpha1.GitHubUserToken {
	return &v1alpha1.GitHubUserToken{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec:       v1alpha1.GitHubUserTokenSpec{App: v1alpha1.App{Host: "github.com", ClientID: "Iv23liEXAMPLE"}},
		Status: v1alpha1.GitHubUserTokenStatus{
			Conditions: []metav1.Condition{
				{Type: v1alpha1.ConditionReady, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonTokenValid},
				{Type: v1alpha1.ConditionAuthorized, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonRefreshTokenValid},
			},
			AccessTokenExpirationTime: at(8 * time.Hour), RefreshTokenExpirationTime: at(180 * 24 * time.Hour), NextRefreshTime: at(6 * time.Hour),
			User: &v1alpha1.User{Login: "octocat", ID: 583231},
		},
	}
}

// tokens are what there is, and no Apps.
func tokens(list func() []any) func(apiruntime.Object) []any {
	return func(like apiruntime.Object) []any {
		if _, ok := like.(*v1alpha1.GitHubUserToken); !ok {
			return nil
		}
		return list()
	}
}

// leading is the channel of a process that leads.
func leading() <-chan struct{} {
	closed := make(chan struct{})
	close(closed)
	return closed
}

func written(t *testing.T, options Options) (string, map[string]*dto.MetricFamily) {
	t.Helper()
	var text strings.Builder
	w := exposition.NewWriter(&text)
	New(options).Write(w, now)
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	reader := expfmt.NewTextParser(model.LegacyValidation)
	families, err := reader.TextToMetricFamilies(strings.NewReader(text.String()))
	if err != nil {
		t.Fatalf("%v\n%s", err, text.String())
	}
	return text.String(), families
}

func TestResourceMetricsOfOneResource(t *testing.T) {
	token := resource("team-a", "octocat")
	token.Spec.Suspend = true
	text, families := written(t, Options{Objects: tokens(func() []any { return []any{token} }), App: inline, Leading: leading()})
	for _, line := range []string{
		`githubusertoken_info{namespace="team-a",name="octocat",host="github.com",client_id="Iv23liEXAMPLE",account="octocat",suspended="true"} 1`,
		`githubusertoken_condition{namespace="team-a",name="octocat",type="Ready",status="True",reason="TokenValid"} 1`,
		`githubusertoken_condition{namespace="team-a",name="octocat",type="Authorized",status="True",reason="RefreshTokenValid"} 1`,
		fmt.Sprintf(`githubusertoken_access_token_expiration_timestamp_seconds{namespace="team-a",name="octocat"} %s`,
			strconv.FormatFloat(float64(now.Add(8*time.Hour).Unix()), 'g', -1, 64)),
		"githubusertoken_resources 1",
		"githubusertoken_resources_suspended 1",
		`githubusertoken_resources_by_condition{type="Ready",status="True",reason="TokenValid"} 1`,
	} {
		if !strings.Contains(text, line+"\n") {
			t.Errorf("this is not written: %s", line)
		}
	}
	if len(families) != 11 {
		t.Errorf("%d families", len(families))
	}
	problems, err := promlint.New(strings.NewReader(text)).Lint()
	if err != nil || len(problems) > 0 {
		t.Errorf("the conventions of Prometheus: %v %v", problems, err)
	}
}

// Of several deployments that share a cluster each has the series of what it serves, and the number of the rest.
func TestResourceMetricsAreOfWhatIsServedHere(t *testing.T) {
	own, others := resource("team-a", "octocat"), resource("team-b", "hubot")
	objects := func(like apiruntime.Object) []any {
		if _, ok := like.(*v1alpha1.GitHubUserToken); ok {
			return []any{own, others, others}
		}
		return appObjects(like)
	}
	text, _ := written(t, Options{Objects: objects, App: inline, Leading: leading(), Selects: func(object metav1.Object) bool { return object.GetNamespace() == "team-a" }})
	for _, line := range []string{"githubusertoken_resources 1", "githubusertoken_resources_unselected 2", `githubusertoken_app_tokens{kind="GitHubApp",namespace="team-a",name="mine"} 3`} {
		if !strings.Contains(text, line+"\n") {
			t.Errorf("this is not written: %s", line)
		}
	}
	if strings.Contains(text, "hubot") || strings.Contains(text, "platform") {
		t.Error("what another serves has series here")
	}
}

func TestResourceMetricsCountWhatIsLateAndWhatEnds(t *testing.T) {
	late, expiring, fresh := resource("a", "late"), resource("a", "expiring"), resource("a", "fresh")
	late.Status.NextRefreshTime = at(-11 * time.Minute)
	fresh.Status.NextRefreshTime = at(-9 * time.Minute)
	expiring.Status.RefreshTokenExpirationTime = at(13 * 24 * time.Hour)
	fresh.Status.RefreshTokenExpirationTime = at(15 * 24 * time.Hour)
	text, families := written(t, Options{Objects: tokens(func() []any { return []any{late, expiring, fresh} }), App: inline, Leading: leading(), Aggregate: true})
	for _, line := range []string{
		"githubusertoken_resources 3", "githubusertoken_resources_suspended 0", "githubusertoken_resources_overdue 1",
		"githubusertoken_resources_refresh_token_expiring 1", `githubusertoken_resources_by_condition{type="Ready",status="True",reason="TokenValid"} 3`,
	} {
		if !strings.Contains(text, line+"\n") {
			t.Errorf("this is not written: %s", line)
		}
	}
	for name, family := range families {
		for _, label := range family.GetMetric()[0].GetLabel() {
			if label.GetName() == "name" || label.GetName() == "namespace" {
				t.Errorf("%s tells of a resource by its name", name)
			}
		}
	}
}

func TestResourceMetricsAreTheLeadersAlone(t *testing.T) {
	objects := func() []any { t.Error("the cache is read"); return nil }
	if text, _ := written(t, Options{Objects: tokens(objects), App: inline, Leading: make(chan struct{})}); text != "" {
		t.Errorf("a process that does not lead tells: %s", text)
	}
}

// Who may write a status can put anything into its conditions.
func TestResourceMetricsShowNoInventedReason(t *testing.T) {
	token := resource("a", "b")
	token.Status.Conditions = nil
	for i := range 1000 {
		token.Status.Conditions = append(token.Status.Conditions, metav1.Condition{Type: fmt.Sprint("Type", i), Status: "True", Reason: "X"})
	}
	token.Status.Conditions = append(token.Status.Conditions, metav1.Condition{Type: v1alpha1.ConditionReady, Status: "False", Reason: "GhrSecret"})
	text, families := written(t, Options{Objects: tokens(func() []any { return []any{token} }), App: inline, Leading: leading()})
	if strings.Contains(text, "GhrSecret") || strings.Contains(text, "Type1") {
		t.Error("an invented condition has series")
	}
	for _, name := range []string{"githubusertoken_condition", "githubusertoken_resources_by_condition"} {
		if got := len(families[name].GetMetric()); got != 1 {
			t.Errorf("%s has %d series", name, got)
		}
	}
}

// The lists are those of the API.
func TestResourceMetricsKnowEveryReason(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "../../api/v1alpha1/conditions.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	reasons, types := 0, 0
	ast.Inspect(file, func(node ast.Node) bool {
		spec, ok := node.(*ast.ValueSpec)
		if !ok {
			return true
		}
		literal, ok := spec.Values[0].(*ast.BasicLit)
		if !ok {
			return true
		}
		value, err := strconv.Unquote(literal.Value)
		if err != nil {
			t.Fatal(err)
		}
		switch name := spec.Names[0].Name; {
		case strings.HasPrefix(name, "Reason"):
			reasons++
			if !knownReasons[value] && !appReasons[value] {
				t.Errorf("the reason %s would be told as %s", value, otherReason)
			}
		case strings.HasPrefix(name, "Condition"):
			types++
			if !slices.Contains(conditionTypes, value) && !slices.Contains(appConditionTypes, value) {
				t.Errorf("nothing would be told of the condition %s", value)
			}
		}
		return true
	})
	if reasons < 40 || types < 5 {
		t.Errorf("%d reasons and %d types were found", reasons, types)
	}
}

// many are so many resources, as the cache holds them.
func many(count int) []any {
	objects := make([]any, count)
	for i := range objects {
		objects[i] = resource(fmt.Sprintf("team-%03d", i%500), fmt.Sprintf("user-%06d", i))
	}
	return objects
}

// counted is an http.ResponseWriter that counts what it is given.
type counted struct {
	header http.Header
	bytes  int
}

func (c *counted) Header() http.Header { return c.header }
func (c *counted) WriteHeader(int)     {}
func (c *counted) Write(content []byte) (int, error) {
	c.bytes += len(content)
	return len(content), nil
}

// maxScrapeMemory is what a scrape of 100,000 resources may take beside what there is.
const maxScrapeMemory = 8 << 20

func TestResourceMetricsOfAHundredThousandTakeLittleMemory(t *testing.T) {
	objects := many(100_000)
	// The indexer of a cache makes a list of what it holds.
	list := func() []any { return append([]any(nil), objects...) }
	metrics := New(Options{Objects: tokens(list), App: inline, Leading: leading()})
	handler := exposition.NewHandler(prometheus.NewRegistry(), func(w *exposition.Writer) { metrics.Write(w, now) }, 1)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, encoding := range []string{"", "gzip"} {
		request.Header.Set("Accept-Encoding", encoding)
		runtime.GC()
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		out := &counted{header: http.Header{}}
		handler.ServeHTTP(out, request)
		runtime.ReadMemStats(&after)
		allocated, objects := after.TotalAlloc-before.TotalAlloc, after.Mallocs-before.Mallocs
		t.Logf("%q: %.1f MB of text, %.1f MiB allocated in %d pieces", encoding, float64(out.bytes)/1e6, float64(allocated)/(1<<20), objects)
		if allocated > maxScrapeMemory || objects > 10_000 {
			t.Errorf("%q: a scrape allocates %d bytes in %d pieces", encoding, allocated, objects)
		}
		if encoding == "" && out.bytes < 40e6 {
			t.Errorf("only %d bytes were written", out.bytes)
		}
	}
}

// Resources that come and go do not disturb a scrape that runs.
func TestResourceMetricsOfOneScrapeAreOfTheSameResources(t *testing.T) {
	var lists atomic.Int64
	objects := func() []any {
		lists.Add(1)
		return []any{resource("a", fmt.Sprint("b", lists.Load()))}
	}
	_, families := written(t, Options{Objects: tokens(objects), App: inline, Leading: leading()})
	if lists.Load() != 1 {
		t.Errorf("the cache was listed %d times", lists.Load())
	}
	if got := families["githubusertoken_info"].GetMetric()[0].GetLabel()[1].GetValue(); got != "b1" {
		t.Errorf("it tells of %s", got)
	}
}

func BenchmarkResourceMetrics(b *testing.B) {
	for _, count := range []int{1_000, 10_000, 100_000} {
		objects := many(count)
		metrics := New(Options{Objects: tokens(func() []any { return append([]any(nil), objects...) }), App: inline, Leading: leading()})
		b.Run(fmt.Sprint(count), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				w := exposition.NewWriter(io.Discard)
				metrics.Write(w, now)
				if err := w.Flush(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func inline(token *v1alpha1.GitHubUserToken) (host, clientID string) {
	return token.Spec.App.Host, token.Spec.App.ClientID
}
