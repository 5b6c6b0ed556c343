package githubtest

import (
	"net/http"
	"strconv"
	"time"
)

// Effect is what a fault does to a request.
type Effect string

const (
	// NoEffect only waits: see Fault.Held and Fault.Delay.
	NoEffect Effect = ""
	// ReplyWith sends Status, Header, ContentType and Body.
	ReplyWith Effect = "reply"
	// ReplyError sends the OAuth error Error.
	ReplyError Effect = "error"
	// Reset breaks the connection with a TCP reset.
	Reset Effect = "reset"
	// Close breaks the connection without a word.
	Close Effect = "close"
	// Cut sends a Content-Length and fewer bytes.
	Cut Effect = "cut"
	// Drip sends a byte, waits, sends a byte.
	Drip Effect = "drip"
	// Pad makes the reply Bytes longer.
	Pad Effect = "pad"
	// Change sets and removes fields of the reply.
	Change Effect = "change"
	// Mislabel sends the reply under ContentType.
	Mislabel Effect = "mislabel"
)

// Fault is one way of failing. The functions that make one, such as BadGateway and DropReply, say what it does and
// whether the exchange has been made by then; AfterCommit and BeforeCommit change that.
type Fault struct {
	Effect Effect
	// Committed: the request is processed as usual, and the fault hits the reply. Otherwise it is never looked at.
	Committed bool
	// Count is how many requests it hits: 0 means one, negative means all until it is removed.
	Count int

	// Endpoint it hits; default TokenEndpoint.
	Endpoint Endpoint
	// ClientID restricts it to one App.
	ClientID string
	// Fingerprint restricts it to one refresh token; a prefix is enough.
	Fingerprint string

	// Held keeps the request until Injection.Release: before it is processed, or before the reply if Committed.
	Held bool
	// Delay is waited at the same place.
	Delay time.Duration
	// DespiteHangUp goes on with a request that waits even if its client has gone, as a gateway's back end may. By
	// default a client that leaves takes its request with it.
	DespiteHangUp bool

	// Status of ReplyWith, and of ReplyError unless 0.
	Status int
	// Header of ReplyWith.
	Header http.Header
	// ContentType of ReplyWith and Mislabel.
	ContentType string
	// Body of ReplyWith.
	Body string
	// Error of ReplyError.
	Error string
	// Bytes sent by Cut (negative: all but that many), or added by Pad.
	Bytes int
	// Every is the pause between the bytes of Drip.
	Every time.Duration
	// Fields set by Change; nil removes one.
	Fields map[string]any
}

// The page that a reader knows from GitHub's bad days.
const unicorn = "<!DOCTYPE html>\n<html>\n<head><title>Unicorn! &middot; GitHub</title></head>\n" +
	"<body><h1>This page is taking too long to load.</h1><p>Sorry about that. Please try refreshing.</p></body>\n</html>\n"

// Respond sends this reply in place of the real one. The request is not processed.
func Respond(status int, contentType, body string) Fault {
	return Fault{Effect: ReplyWith, Status: status, ContentType: contentType, Body: body}
}

// HTMLPage sends GitHub's error page under any status. The request is not processed.
func HTMLPage(status int) Fault { return Respond(status, "text/html; charset=utf-8", unicorn) }

// BadGateway sends 502 with an HTML page. The request is not processed.
func BadGateway() Fault { return HTMLPage(http.StatusBadGateway) }

// Unavailable sends 503 with an HTML page, as an Enterprise Server in maintenance does. The request is not processed.
func Unavailable() Fault { return HTMLPage(http.StatusServiceUnavailable) }

// ServerError sends 500 with the text "Server Error". The request is not processed.
func ServerError() Fault {
	return Respond(http.StatusInternalServerError, "text/plain; charset=utf-8", "Server Error")
}

// EmptyBody sends 200 with nothing in it. The request is not processed.
func EmptyBody() Fault { return Respond(http.StatusOK, "application/json; charset=utf-8", "") }

// NotJSON sends 200 with a body that only claims to be JSON. The request is not processed.
func NotJSON() Fault {
	return Respond(http.StatusOK, "application/json; charset=utf-8", "access_token: see below")
}

// Redirect sends a redirect: 301, 302, 307 or 308. The request is not processed.
func Redirect(status int, url string) Fault {
	return Respond(status, "text/html; charset=utf-8", "").WithHeader("Location", url)
}

// OAuthError sends an OAuth error by any name. The request is not processed.
func OAuthError(code string) Fault { return Fault{Effect: ReplyError, Error: code} }

// RESTError sends an error of the REST API, in the form that all of them have. The request is not processed.
func RESTError(status int, message string) Fault {
	return Respond(status, "application/json; charset=utf-8", string(restError(status, message).body))
}

// RateLimited sends 403 or 429 as GitHub does over the limit: Retry-After in seconds unless retryAfter is 0, and
// x-ratelimit-remaining and x-ratelimit-reset unless reset is zero. The request is not processed.
func RateLimited(status int, retryAfter time.Duration, reset time.Time) Fault {
	f := Respond(status, "application/json; charset=utf-8",
		`{"message":"API rate limit exceeded","documentation_url":"https://docs.github.com/rest/overview/rate-limits-for-the-rest-api"}`)
	if retryAfter != 0 {
		f = f.WithHeader("Retry-After", strconv.Itoa(int(retryAfter/time.Second)))
	}
	if !reset.IsZero() {
		f = f.WithHeader("X-RateLimit-Remaining", "0").
			WithHeader("X-RateLimit-Reset", strconv.FormatInt(reset.Unix(), 10))
	}
	return f
}

// SecondaryRateLimit sends 403 with GitHub's text about abuse. Retry-After is left out if retryAfter is 0. The request
// is not processed.
func SecondaryRateLimit(retryAfter time.Duration) Fault {
	f := RateLimited(http.StatusForbidden, retryAfter, time.Time{})
	f.Body = `{"message":"You have exceeded a secondary rate limit. Please wait a few minutes before you try again.",` +
		`"documentation_url":"https://docs.github.com/rest/overview/rate-limits-for-the-rest-api#about-secondary-rate-limits"}`
	return f
}

// ResetConnection breaks the connection with a TCP reset. The request is not processed.
func ResetConnection() Fault { return Fault{Effect: Reset} }

// CloseConnection closes the connection without a reply. The request is not processed.
func CloseConnection() Fault { return Fault{Effect: Close} }

// DropReply makes the exchange and closes the connection without a reply.
func DropReply() Fault { return Fault{Effect: Close, Committed: true} }

// Hold keeps the request until Injection.Release, and then processes it as if nothing had been. AfterCommit keeps the
// reply instead.
func Hold() Fault { return Fault{Held: true} }

// Delay keeps the request for d, and then processes it as if nothing had been. AfterCommit keeps the reply instead.
func Delay(d time.Duration) Fault { return Fault{Delay: d} }

// CutBody makes the exchange, announces the reply's full length and sends only its first n bytes; a negative n leaves
// that many out at the end.
func CutBody(n int) Fault { return Fault{Effect: Cut, Committed: true, Bytes: n} }

// SlowBody makes the exchange and sends the reply one byte at a time, with this pause between them.
func SlowBody(pause time.Duration) Fault { return Fault{Effect: Drip, Committed: true, Every: pause} }

// HugeBody makes the exchange and sends a valid reply that is n bytes longer than it need be. BeforeCommit sends n
// bytes of nonsense.
func HugeBody(n int) Fault { return Fault{Effect: Pad, Committed: true, Bytes: n} }

// WithoutFields makes the exchange and leaves these fields out of the reply.
func WithoutFields(names ...string) Fault {
	f := Fault{Effect: Change, Committed: true, Fields: map[string]any{}}
	for _, name := range names {
		f.Fields[name] = nil
	}
	return f
}

// WithField makes the exchange and sets a field of the reply to a string, number or boolean, known to GitHub or not.
func WithField(name string, value any) Fault {
	return Fault{Effect: Change, Committed: true, Fields: map[string]any{name: value}}
}

// ContentType makes the exchange and sends the reply under a Content-Type that it has not got.
func ContentType(kind string) Fault {
	return Fault{Effect: Mislabel, Committed: true, ContentType: kind}
}

// AfterCommit makes the exchange first, so that the fault costs its reply.
func (f Fault) AfterCommit() Fault { f.Committed = true; return f }

// BeforeCommit leaves the exchange undone.
func (f Fault) BeforeCommit() Fault { f.Committed = false; return f }

// Times hits the next n requests that match.
func (f Fault) Times(n int) Fault { f.Count = n; return f }

// Always hits every request that matches until the fault is removed.
func (f Fault) Always() Fault { f.Count = -1; return f }

// At hits another endpoint than the token endpoint.
func (f Fault) At(endpoint Endpoint) Fault { f.Endpoint = endpoint; return f }

// ForApp hits requests of one App only.
func (f Fault) ForApp(clientID string) Fault { f.ClientID = clientID; return f }

// ForRefreshToken hits requests that present this refresh token only.
func (f Fault) ForRefreshToken(token string) Fault { f.Fingerprint = Fingerprint(token); return f }

// ForFingerprint hits requests that present the refresh token of this fingerprint, or of one that begins so.
func (f Fault) ForFingerprint(fingerprint string) Fault { f.Fingerprint = fingerprint; return f }

// OnceReleased holds the request, or the reply after a commit, until Injection.Release, and does its harm then.
func (f Fault) OnceReleased() Fault { f.Held = true; return f }

// DelayedBy waits for d before it does its harm.
func (f Fault) DelayedBy(d time.Duration) Fault { f.Delay = d; return f }

// WhetherOrNotTheClientWaits goes on after a hold or delay even if the client has left.
func (f Fault) WhetherOrNotTheClientWaits() Fault { f.DespiteHangUp = true; return f }

// WithHeader adds a header to the reply of a fault that sends its own.
func (f Fault) WithHeader(name, value string) Fault {
	f.Header = f.Header.Clone()
	if f.Header == nil {
		f.Header = http.Header{}
	}
	f.Header.Set(name, value)
	return f
}

// label names the fault in the ledger.
func (f Fault) label() string {
	name := string(f.Effect)
	switch {
	case f.Effect == ReplyWith:
		name = strconv.Itoa(f.Status)
	case f.Effect == ReplyError:
		name = f.Error
	case f.Effect == NoEffect && f.Held:
		name = "hold"
	case f.Effect == NoEffect:
		name = "delay"
	}
	if f.Committed {
		return name + " after commit"
	}
	return name + " before commit"
}
