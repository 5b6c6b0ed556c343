package exposition

import (
	"compress/gzip"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/expfmt"
)

// NewHandler serves what a registry holds, and then what more writes. Who asks beside as many others as are served at once
// is answered with 503. Only the text format is spoken, which every scraper takes.
func NewHandler(registry prometheus.Gatherer, more func(*Writer), atOnce int) http.Handler {
	return &handler{registry: registry, more: more, places: make(chan struct{}, atOnce)}
}

type handler struct {
	registry prometheus.Gatherer
	more     func(*Writer)
	places   chan struct{}
}

// zips are kept: each takes a MiB.
var zips = sync.Pool{New: func() any {
	zip, err := gzip.NewWriterLevel(nil, gzip.BestSpeed)
	if err != nil {
		panic(err) // There is such a level.
	}
	return zip
}}

// ServeHTTP implements http.Handler.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	select {
	case h.places <- struct{}{}:
		defer func() { <-h.places }()
	default:
		http.Error(w, "too many scrapes at once", http.StatusServiceUnavailable)
		return
	}
	families, err := h.registry.Gather()
	if err != nil {
		http.Error(w, "the metrics could not be gathered: "+err.Error(), http.StatusInternalServerError)
		return
	}
	format := expfmt.NewFormat(expfmt.TypeTextPlain)
	w.Header().Set("Content-Type", string(format))
	var out io.Writer = w
	if takesGzip(r.Header) {
		w.Header().Set("Content-Encoding", "gzip")
		zip, ok := zips.Get().(*gzip.Writer)
		if !ok {
			panic("the pool holds something else")
		}
		zip.Reset(w)
		defer zips.Put(zip)
		out = zip
	}
	writer := NewWriter(out)
	encoder := expfmt.NewEncoder(writer.out, format)
	for _, family := range families {
		err = errors.Join(err, encoder.Encode(family))
	}
	h.more(writer)
	err = errors.Join(err, writer.Flush())
	if zip, ok := out.(*gzip.Writer); ok {
		err = errors.Join(err, zip.Close())
	}
	if err != nil {
		// The status has been sent. Half of the metrics must not look like all of them.
		panic(http.ErrAbortHandler)
	}
}

func takesGzip(header http.Header) bool {
	for accepted := range strings.SplitSeq(header.Get("Accept-Encoding"), ",") {
		coding, quality, _ := strings.Cut(strings.TrimSpace(accepted), ";")
		if strings.TrimSpace(coding) == "gzip" && strings.ReplaceAll(quality, " ", "") != "q=0" {
			return true
		}
	}
	return false
}
