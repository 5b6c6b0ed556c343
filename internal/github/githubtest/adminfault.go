package githubtest

import (
	"net/http"
	"strconv"
	"time"
)

// FaultRequest is the Fault that POST /faults takes. Preset names a function of this package, which the other fields
// refine; without it Effect says all.
type FaultRequest struct {
	// Preset is one of badGateway, unavailable, serverError, htmlPage, emptyBody, notJSON, redirect, rateLimited,
	// secondaryRateLimit, oauthError, resetConnection, closeConnection, dropReply, hold, delay, cutBody, slowBody,
	// hugeBody, withoutFields, withField, contentType.
	Preset string `json:"preset,omitempty"`
	Effect Effect `json:"effect,omitempty"`
	// AfterCommit makes the exchange first, BeforeCommit leaves it undone; default as the preset does.
	AfterCommit  bool `json:"afterCommit,omitempty"`
	BeforeCommit bool `json:"beforeCommit,omitempty"`
	// Count is how many requests it hits: default 1, negative all.
	Count    int      `json:"count,omitempty"`
	Endpoint Endpoint `json:"endpoint,omitempty"`
	ClientID string   `json:"clientID,omitempty"`
	// Fingerprint of the refresh token, or its beginning.
	Fingerprint   string `json:"fingerprint,omitempty"`
	Held          bool   `json:"held,omitempty"`
	DespiteHangUp bool   `json:"despiteHangUp,omitempty"`
	// Delay and Every are durations such as "30s".
	Delay  string            `json:"delay,omitempty"`
	Every  string            `json:"every,omitempty"`
	Status int               `json:"status,omitempty"`
	Header map[string]string `json:"header,omitempty"`
	// URL is where redirect leads.
	URL         string `json:"url,omitempty"`
	ContentType string `json:"contentType,omitempty"`
	Body        string `json:"body,omitempty"`
	Error       string `json:"error,omitempty"`
	Bytes       int    `json:"bytes,omitempty"`
	// Fields set by withField, or removed by withoutFields where null.
	Fields map[string]any `json:"fields,omitempty"`
	// RetryAfter of the rate limits, such as "30s".
	RetryAfter string `json:"retryAfter,omitempty"`
}

// fault turns the request into a Fault.
func (q FaultRequest) fault() (Fault, error) {
	delay, err := optional("delay", q.Delay)
	if err != nil {
		return Fault{}, err
	}
	every, err := optional("every", q.Every)
	if err != nil {
		return Fault{}, err
	}
	retryAfter, err := optional("retryAfter", q.RetryAfter)
	if err != nil {
		return Fault{}, err
	}
	status := q.Status
	f := Fault{Effect: q.Effect}
	switch q.Preset {
	case "":
	case "badGateway":
		f = BadGateway()
	case "unavailable":
		f = Unavailable()
	case "serverError":
		f = ServerError()
	case "htmlPage":
		def(&status, http.StatusOK)
		f = HTMLPage(status)
	case "emptyBody":
		f = EmptyBody()
	case "notJSON":
		f = NotJSON()
	case "redirect":
		def(&status, http.StatusTemporaryRedirect)
		f = Redirect(status, q.URL)
	case "rateLimited":
		def(&status, http.StatusForbidden)
		f = RateLimited(status, retryAfter, time.Time{})
	case "secondaryRateLimit":
		f = SecondaryRateLimit(retryAfter)
	case "oauthError":
		f = OAuthError(q.Error)
	case "resetConnection":
		f = ResetConnection()
	case "closeConnection":
		f = CloseConnection()
	case "dropReply":
		f = DropReply()
	case "hold":
		f = Hold()
	case "delay":
		f = Delay(delay)
	case "cutBody":
		f = CutBody(q.Bytes)
	case "slowBody":
		f = SlowBody(every)
	case "hugeBody":
		f = HugeBody(q.Bytes)
	case "withoutFields", "withField":
		f = Fault{Effect: Change, Committed: true, Fields: q.Fields}
	case "contentType":
		f = ContentType(q.ContentType)
	default:
		return Fault{}, badRequest("there is no preset %q", q.Preset)
	}
	for name, value := range q.Header {
		f = f.WithHeader(name, value)
	}
	def(&status, f.Status)
	def(&q.ContentType, f.ContentType)
	def(&q.Body, f.Body)
	f.Status, f.ContentType, f.Body = status, q.ContentType, q.Body
	def(&f.Error, q.Error)
	def(&f.Bytes, q.Bytes)
	if f.Fields == nil {
		f.Fields = q.Fields
	}
	f.Committed = (f.Committed || q.AfterCommit) && !q.BeforeCommit
	f.Held = f.Held || q.Held
	f.Delay, f.Every, f.DespiteHangUp = delay, every, q.DespiteHangUp
	f.Count, f.Endpoint, f.ClientID, f.Fingerprint = q.Count, q.Endpoint, q.ClientID, q.Fingerprint
	return f, f.check()
}

func optional(name, text string) (time.Duration, error) {
	if text == "" {
		return 0, nil
	}
	d, err := duration(name, &text)
	if err != nil {
		return 0, err
	}
	return *d, nil
}

// check refuses a fault that would fail when it is played.
func (f Fault) check() error {
	switch f.Effect {
	case NoEffect, Reset, Close, Cut, Drip, Pad, Change, Mislabel:
	case ReplyWith:
		if f.Status < 200 || f.Status > 599 {
			return badRequest("status: not an HTTP status from 200 to 599")
		}
	case ReplyError:
		if f.Error == "" {
			return badRequest("error: name the OAuth error")
		}
	default:
		return badRequest("there is no effect %q", f.Effect)
	}
	if f.Status != 0 && (f.Status < 200 || f.Status > 599) {
		return badRequest("status: not an HTTP status from 200 to 599")
	}
	switch f.Endpoint {
	case "", TokenEndpoint, DeviceCodeEndpoint, UserEndpoint, CheckEndpoint, ScopedEndpoint, DeleteTokenEndpoint, DeleteGrantEndpoint,
		RevokeEndpoint, AnyEndpoint:
		return nil
	default:
		return badRequest("there is no endpoint %q", f.Endpoint)
	}
}

func (s *Server) adminInject(r *http.Request) (any, error) {
	var request FaultRequest
	if err := readJSON(r, &request); err != nil {
		return nil, err
	}
	fault, err := request.fault()
	if err != nil {
		return nil, err
	}
	return map[string]int{"id": s.Inject(fault).ID()}, nil
}

func (s *Server) adminFaults() any {
	type view struct {
		ID       int      `json:"id"`
		Fault    string   `json:"fault"`
		Endpoint Endpoint `json:"endpoint"`
		Hits     int      `json:"hits"`
		// Left is the number of requests that it will still hit; negative: all.
		Left int `json:"left"`
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	out := []view{}
	for _, i := range s.injected {
		out = append(out, view{i.id, i.fault.label(), i.fault.Endpoint, i.hits, i.left})
	}
	return out
}

// adminFault does something to the fault that the path names.
func (s *Server) adminFault(do func(*Injection)) func(*http.Request) (any, error) {
	return func(r *http.Request) (any, error) {
		id, _ := strconv.Atoi(r.PathValue("id"))
		if injection := s.injection(id); injection != nil {
			do(injection)
			return adminOK, nil
		}
		return nil, notFound("there is no fault %q", r.PathValue("id"))
	}
}

func (s *Server) injection(id int) *Injection {
	s.mu.Lock()
	defer s.mu.Unlock()
	if id < 1 || id > len(s.injected) {
		return nil
	}
	return s.injected[id-1]
}
