package exposition

import (
	"compress/gzip"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// What is written is what Prometheus reads, whatever a label holds.
func TestExpositionIsReadBackWhateverALabelHolds(t *testing.T) {
	values := []string{"", "plain", `with "quotes"`, `a\b`, "two\nlines", `\n`, "ümlaut", `"`, `\`, `} 1`}
	var text strings.Builder
	w := NewWriter(&text)
	w.Family("x_info", "A help\nwith \\ and \"quotes\".", Gauge)
	for i, value := range values {
		w.Sample(float64(i)+0.5, Label{"number", string(rune('a' + i))}, Label{"value", value})
	}
	w.Family("x_seconds", "None.", Gauge)
	w.Sample(1764449000)
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(text.String()))
	if err != nil {
		t.Fatalf("%v\n%s", err, text.String())
	}
	info := families["x_info"]
	if info.GetHelp() != "A help\nwith \\ and \"quotes\"." || len(info.GetMetric()) != len(values) {
		t.Fatalf("read back: %v", info)
	}
	for i, metric := range info.GetMetric() {
		if got := metric.GetLabel()[1].GetValue(); got != values[i] || metric.GetGauge().GetValue() != float64(i)+0.5 {
			t.Errorf("%q is read back as %q", values[i], got)
		}
	}
	if got := families["x_seconds"].GetMetric()[0].GetGauge().GetValue(); got != 1764449000 {
		t.Errorf("a time is read back as %f", got)
	}
}

func scrape(t *testing.T, handler http.Handler, encoding string) (*http.Response, string) {
	t.Helper()
	server := httptest.NewServer(handler)
	defer server.Close()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Accept", "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.7,application/openmetrics-text;version=1.0.0;q=0.6,text/plain;version=0.0.4;q=0.5,*/*;q=0.1")
	request.Header.Set("Accept-Encoding", encoding)
	reply, err := (&http.Transport{DisableCompression: true}).RoundTrip(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = reply.Body.Close() }()
	var body io.Reader = reply.Body
	if reply.Header.Get("Content-Encoding") == "gzip" {
		if body, err = gzip.NewReader(reply.Body); err != nil {
			t.Fatal(err)
		}
	}
	content, err := io.ReadAll(body)
	if err != nil {
		return nil, err.Error()
	}
	return reply, string(content)
}

func TestExpositionServesTheRegistryAndMore(t *testing.T) {
	registry := prometheus.NewRegistry()
	registry.MustRegister(prometheus.NewCounter(prometheus.CounterOpts{Name: "first_total", Help: "One."}))
	handler := NewHandler(registry, func(w *Writer) {
		w.Family("second", "Two.", Gauge)
		w.Sample(2)
	}, 1)
	const want = "# HELP first_total One.\n# TYPE first_total counter\nfirst_total 0\n# HELP second Two.\n# TYPE second gauge\nsecond 2\n"
	for encoding, zipped := range map[string]bool{"": false, "identity": false, "gzip": true, "zstd, gzip;q=0.5": true, "gzip;q=0": false} {
		reply, body := scrape(t, handler, encoding) //nolint:bodyclose // closed there
		if body != want {
			t.Errorf("%q: the body is %q", encoding, body)
		}
		if kind := reply.Header.Get("Content-Type"); !strings.HasPrefix(kind, "text/plain; version=0.0.4") {
			t.Errorf("%q: the type is %q", encoding, kind)
		}
		if got := reply.Header.Get("Content-Encoding") == "gzip"; got != zipped {
			t.Errorf("%q: compressed: %t", encoding, got)
		}
	}
}

// broken is a collector that fails.
type broken struct{}

func (broken) Describe(chan<- *prometheus.Desc) {}
func (broken) Collect(found chan<- prometheus.Metric) {
	found <- prometheus.NewInvalidMetric(prometheus.NewDesc("x", "x", nil, nil), errors.New("no figures"))
}

func TestExpositionOfABrokenRegistryIsAnError(t *testing.T) {
	registry := prometheus.NewRegistry()
	registry.MustRegister(broken{})
	reply, body := scrape(t, NewHandler(registry, func(*Writer) {}, 1), "gzip") //nolint:bodyclose // closed there
	if reply.StatusCode != http.StatusInternalServerError || !strings.Contains(body, "no figures") {
		t.Errorf("status %d: %s", reply.StatusCode, body)
	}
}

// Half of the metrics must not look like all of them: series that are missing end alerts.
func TestExpositionThatIsCutOffIsNotTakenForAll(t *testing.T) {
	handler := NewHandler(prometheus.NewRegistry(), func(w *Writer) {
		w.Family("x", "X.", Gauge)
		for range 10000 {
			w.Sample(1, Label{"a", "b"})
		}
		w.out.Reset(failing{})
		w.Sample(1)
	}, 1)
	if reply, body := scrape(t, handler, ""); reply != nil { //nolint:bodyclose // closed there
		t.Errorf("%d bytes of it pass for all", len(body))
	}
}

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, errors.New("broken") }

func TestExpositionTakesFewScrapesAtOnce(t *testing.T) {
	entered, leave := make(chan struct{}), make(chan struct{})
	handler := NewHandler(prometheus.NewRegistry(), func(*Writer) { entered <- struct{}{}; <-leave }, 1)
	first := make(chan int)
	go func() {
		recorder := httptest.NewRecorder()
		handler.ServeHTTP(recorder, httptest.NewRequest(http.MethodGet, "/metrics", nil))
		first <- recorder.Code
	}()
	<-entered
	recorder := httptest.NewRecorder()
	handler.ServeHTTP(recorder, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	if recorder.Code != http.StatusServiceUnavailable {
		t.Errorf("a second scrape beside the first is answered with %d", recorder.Code)
	}
	close(leave)
	if code := <-first; code != http.StatusOK {
		t.Errorf("the first is answered with %d", code)
	}
}
