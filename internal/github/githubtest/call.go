package githubtest

import (
	"io"
	"net/http"
)

// Endpoint names what a fault can hit.
type Endpoint string

const (
	// TokenEndpoint is POST /login/oauth/access_token. It is the default of a Fault.
	TokenEndpoint Endpoint = "token"
	// DeviceCodeEndpoint is POST /login/device/code.
	DeviceCodeEndpoint Endpoint = "device_code"
	// UserEndpoint is GET /user.
	UserEndpoint Endpoint = "user"
	// CheckEndpoint is POST /applications/{client_id}/token.
	CheckEndpoint Endpoint = "check"
	// ScopedEndpoint is POST /applications/{client_id}/token/scoped.
	ScopedEndpoint Endpoint = "scoped"
	// DeleteTokenEndpoint is DELETE /applications/{client_id}/token.
	DeleteTokenEndpoint Endpoint = "delete_token"
	// DeleteGrantEndpoint is DELETE /applications/{client_id}/grant.
	DeleteGrantEndpoint Endpoint = "delete_grant"
	// RevokeEndpoint is POST /credentials/revoke.
	RevokeEndpoint Endpoint = "revoke"
	// AnyEndpoint is all of them.
	AnyEndpoint Endpoint = "any"
)

// call is one request to an endpoint, read but not yet answered.
type call struct {
	endpoint Endpoint
	r        *http.Request
	parameters
	body []byte // of a REST request

	presentation *Presentation     // nil if no refresh token was presented
	code         *CodePresentation // nil if no code of the web flow was presented
	committed    bool              // an exchange was made
}

// endpointHandler reads a request, chooses the fault to play, and answers. The answer function runs under the lock.
func (s *Server) endpointHandler(endpoint Endpoint, answer func(*call) reply) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		c := &call{endpoint: endpoint, r: r}
		if err := c.read(); err != nil {
			rejected := textReply(http.StatusBadRequest, "text/plain; charset=utf-8", err.Error()+"\n")
			rejected.send(w)
			return
		}
		injection := s.begin(c)
		if injection == nil {
			result := s.process(c, answer)
			result.encode(r.Header.Get("Accept"))
			result.send(w)
			return
		}
		s.play(w, c, injection, answer)
	}
}

func (c *call) read() (err error) {
	if c.endpoint == TokenEndpoint || c.endpoint == DeviceCodeEndpoint {
		c.parameters, err = readParameters(c.r)
		return err
	}
	c.body, err = io.ReadAll(io.LimitReader(c.r.Body, maxRequestBody))
	return err
}

// begin records the request and returns the fault to play, if any.
func (s *Server) begin(c *call) *Injection {
	s.mu.Lock()
	s.arrive(c)
	s.arriveCode(c)
	if c.endpoint == TokenEndpoint || c.endpoint == DeviceCodeEndpoint {
		s.inspect(c)
	}
	injection := s.takeFault(c)
	choose := s.options.ChooseFault
	var presented Presentation
	if c.presentation != nil {
		presented = *c.presentation
	}
	s.mu.Unlock()

	if injection == nil && choose != nil && c.presentation != nil {
		if fault := choose(presented); fault != nil {
			injection = newInjection(s, *fault)
			injection.arrive()
		}
	}
	if injection != nil && c.presentation != nil {
		s.mu.Lock()
		c.presentation.Fault = injection.fault.label()
		s.mu.Unlock()
	}
	return injection
}

// unexpectedHeaders have no business at the OAuth endpoints; an Idempotency-Key would even allow net/http to send the
// request twice.
var unexpectedHeaders = []string{
	"Cookie", "Idempotency-Key", "Proxy-Authorization", "Referer", "X-Idempotency-Key",
}

// inspect notes what a strict server holds against an OAuth request. The caller holds the lock.
func (s *Server) inspect(c *call) {
	for _, rule := range c.wrong {
		s.violate(c, rule, "")
	}
	if c.r.Header.Get("Authorization") != "" {
		if _, _, basic := c.r.BasicAuth(); basic {
			s.violate(c, BasicAuth, "")
		} else {
			s.violate(c, UnexpectedHeader, "Authorization")
		}
	}
	for _, name := range unexpectedHeaders {
		if len(c.r.Header.Values(name)) > 0 {
			s.violate(c, UnexpectedHeader, name)
		}
	}
}

// process answers the request and tells the hooks.
func (s *Server) process(c *call, answer func(*call) reply) reply {
	s.mu.Lock()
	result := answer(c)
	s.mu.Unlock()
	s.tell(c)
	return result
}

func (s *Server) tell(c *call) {
	if c.presentation == nil {
		return
	}
	s.mu.Lock()
	presentation, onExchange, onPresentation := *c.presentation, s.options.OnExchange, s.options.OnPresentation
	s.mu.Unlock()
	if onPresentation != nil {
		onPresentation(presentation)
	}
	if c.committed && onExchange != nil {
		onExchange(presentation)
	}
}
