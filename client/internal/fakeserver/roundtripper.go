package fakeserver

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
)

// RoundTripper hands requests to a handler without a socket, so that tests can run in a bubble of testing/synctest.
type RoundTripper struct{ Handler http.Handler }

// RoundTrip implements http.RoundTripper.
func (rt RoundTripper) RoundTrip(request *http.Request) (*http.Response, error) {
	recorder := httptest.NewRecorder()
	done := make(chan struct{})
	served := request.Clone(request.Context())
	if served.Body == nil {
		served.Body = http.NoBody
	}
	aborted := false
	go func() {
		defer close(done)
		defer func() {
			switch p := recover(); p {
			case nil:
			case http.ErrAbortHandler:
				aborted = true
			default:
				panic(p)
			}
		}()
		rt.Handler.ServeHTTP(recorder, served)
	}()
	select {
	case <-done:
	case <-request.Context().Done():
		<-done
		return nil, request.Context().Err()
	}
	if request.Body != nil {
		_ = request.Body.Close()
	}
	if aborted {
		return nil, errors.Join(io.ErrUnexpectedEOF, request.Context().Err())
	}
	response := recorder.Result()
	response.Request = request
	return response, nil
}
