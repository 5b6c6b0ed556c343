package client

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"time"
	"unicode"
)

// Error is a refusal of the server.
type Error struct {
	// Status is that of HTTP.
	Status int
	// Code is the server's word for it, such as forbidden or no_token; empty if it had none.
	Code string
	// Message is the server's sentence for people.
	Message string
	// RetryAfter is when the server wants to be asked again; zero if it did not say.
	RetryAfter time.Duration
}

// Error says what is wrong, and what to do where the server said it.
func (e *Error) Error() string {
	if e.Message == "" {
		return fmt.Sprintf("the token server answered %d %s", e.Status, strings.ToLower(http.StatusText(e.Status)))
	}
	return fmt.Sprintf("the token server answered %d: %s", e.Status, e.Message)
}

// unreachable is a failure before there was an answer.
type unreachable struct{ err error }

func (u *unreachable) Error() string { return "the token server cannot be reached: " + u.err.Error() }
func (u *unreachable) Unwrap() error { return u.err }

// IsTemporary reports whether the same question may be answered later without anybody having acted.
func IsTemporary(err error) bool {
	if refusal, ok := errors.AsType[*Error](err); ok {
		switch refusal.Status {
		case http.StatusTooManyRequests, http.StatusInternalServerError, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
			return true
		}
		return false
	}
	_, ok := errors.AsType[*unreachable](err)
	return ok
}

// RetryAfter is when the server wants to be asked again at the earliest, by its refusal; zero if it did not say.
func RetryAfter(err error) time.Duration {
	if refused, ok := errors.AsType[*Error](err); ok {
		return refused.RetryAfter
	}
	return 0
}

// hasCode reports whether an error is a refusal with a code of the server.
func hasCode(err error, status int) bool {
	refusal, ok := errors.AsType[*Error](err)
	return ok && refusal.Status == status
}

const mostMessage = 1000

var codePattern = regexp.MustCompile(`^[a-z][a-z_]{0,63}$`)

// refusal reads an answer that is none of success. What is no sentence is not repeated.
func refusal(response *http.Response, body []byte, now time.Time) *Error {
	refused := &Error{Status: response.StatusCode, RetryAfter: retryAfter(response.Header.Get("Retry-After"), now)}
	var said struct {
		Error   string `json:"error"`
		Message string `json:"message"`
	}
	if json.Unmarshal(body, &said) != nil || !codePattern.MatchString(said.Error) {
		return refused // It is not the token server that speaks.
	}
	refused.Code = said.Error
	refused.Message = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, said.Message)
	if len(refused.Message) > mostMessage {
		refused.Message = strings.ToValidUTF8(refused.Message[:mostMessage], "") + "…"
	}
	return refused
}
