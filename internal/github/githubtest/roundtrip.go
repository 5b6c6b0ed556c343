package githubtest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strconv"
	"sync"
	"syscall"
)

// RoundTripper brings requests to the Server without a socket, so that it works inside a synctest bubble. A connection
// that a fault breaks is an error that wraps ECONNRESET; a body that is cut ends in io.ErrUnexpectedEOF.
func (s *Server) RoundTripper() http.RoundTripper { return roundTripper{s} }

type roundTripper struct{ server *Server }

// RoundTrip implements http.RoundTripper.
func (t roundTripper) RoundTrip(r *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancel(r.Context())
	inbound := r.Clone(ctx)
	inbound.RequestURI = r.URL.RequestURI()
	inbound.RemoteAddr = "127.0.0.1:0"
	if inbound.Host == "" {
		inbound.Host = r.URL.Host
	}
	if inbound.Body == nil {
		inbound.Body = http.NoBody
	}
	reader, writer := io.Pipe()
	stop := context.AfterFunc(ctx, func() { _ = reader.CloseWithError(ctx.Err()) })
	w := &pipeWriter{header: http.Header{}, body: writer, ready: make(chan struct{})}
	go func() {
		defer inbound.Body.Close()
		w.finish(serveRecovered(t.server, w, inbound))
	}()
	select {
	case <-w.ready:
	case <-ctx.Done():
		cancel()
		return nil, ctx.Err()
	}
	if w.status == 0 {
		cancel()
		return nil, fmt.Errorf("read the reply: %w", syscall.ECONNRESET)
	}
	length := int64(-1)
	if n, err := strconv.ParseInt(w.sent.Get("Content-Length"), 10, 64); err == nil {
		length = n
	}
	return &http.Response{
		Status:     strconv.Itoa(w.status) + " " + http.StatusText(w.status),
		StatusCode: w.status,
		Proto:      "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header:        w.sent,
		ContentLength: length,
		Body:          &pipeBody{PipeReader: reader, stop: stop, cancel: cancel},
		Request:       r,
	}, nil
}

// serveRecovered reports whether the handler aborted the connection.
func serveRecovered(h http.Handler, w http.ResponseWriter, r *http.Request) (aborted bool) {
	defer func() {
		if failure := recover(); failure != nil {
			if err, is := failure.(error); !is || !errors.Is(err, http.ErrAbortHandler) {
				panic(failure)
			}
			aborted = true
		}
	}()
	h.ServeHTTP(w, r)
	return false
}

// pipeWriter is the server's end.
type pipeWriter struct {
	header http.Header
	body   *io.PipeWriter
	ready  chan struct{} // closed when status and sent are set, or never will be
	once   sync.Once
	status int
	sent   http.Header
}

// Header implements http.ResponseWriter.
func (w *pipeWriter) Header() http.Header { return w.header }

// WriteHeader implements http.ResponseWriter.
func (w *pipeWriter) WriteHeader(status int) {
	w.once.Do(func() {
		w.status, w.sent = status, maps.Clone(w.header)
		close(w.ready)
	})
}

// Write implements http.ResponseWriter.
func (w *pipeWriter) Write(p []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	return w.body.Write(p)
}

// Flush implements http.Flusher: nothing is buffered.
func (w *pipeWriter) Flush() {}

func (w *pipeWriter) finish(aborted bool) {
	if aborted {
		w.once.Do(func() { close(w.ready) })
		_ = w.body.CloseWithError(io.ErrUnexpectedEOF)
		return
	}
	w.WriteHeader(http.StatusOK)
	_ = w.body.Close()
}

// pipeBody is the client's end; closing it is hanging up.
type pipeBody struct {
	*io.PipeReader
	stop   func() bool
	cancel context.CancelFunc
}

// Close implements io.Closer.
func (b *pipeBody) Close() error {
	b.stop()
	b.cancel()
	return b.PipeReader.Close()
}
