package github

import (
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/githubusertoken/github-user-token-operator/internal/credential"
)

const (
	// maxReply bounds a reply. One with a pair has less than 1 KiB.
	maxReply = 64 << 10
	// maxRetryAfter bounds what a header can make us wait.
	maxRetryAfter = 24 * time.Hour
)

// Reply is GitHub's answer as it came, unexamined, so that it can be kept before it is looked at. Its
// fields are all that Tokens needs; SentAt, Body and Truncated suffice to get a pair out of it again.
type Reply struct {
	// Host is the host that answered.
	Host string
	// SentAt is the local time just before the request was written. Expiry is counted from it, hence
	// never too late, however long the answer took, unless the local clock was ahead: see Date.
	SentAt time.Time
	// Date is the header of that name, by the clock of GitHub or of a proxy; zero when there is none that can be
	// read. It may shorten an expiry, and never lengthens one.
	Date time.Time
	// Status is the HTTP status. GitHub sends most errors with 200.
	Status int
	// ContentType is the header of that name. It is not trusted.
	ContentType string
	// RateLimited says that the headers speak of a used-up rate limit. It can be so on a success too:
	// then this was the last request for RetryAfter. Who fails (5xx) does not speak of it by Retry-After.
	RateLimited bool
	// RetryAfter is what Retry-After says, or else the time until X-RateLimit-Reset if nothing remains.
	// 0 if neither is there; at most a day.
	RetryAfter time.Duration
	// Body is the body, at most 64 KiB of it.
	Body credential.Raw
	// Truncated says that the body is not whole: it was too big, or the connection broke.
	Truncated bool
}

func readReply(response *http.Response, sentAt, now time.Time) *Reply {
	body, err := io.ReadAll(io.LimitReader(response.Body, maxReply+1))
	truncated := err != nil || len(body) > maxReply
	if len(body) > maxReply {
		body = body[:maxReply]
	}
	retryAfter, limited := rateLimit(response.Header, now)
	date, _ := http.ParseTime(response.Header.Get("Date"))
	return &Reply{
		Host:        response.Request.URL.Host,
		SentAt:      sentAt,
		Date:        date,
		Status:      response.StatusCode,
		ContentType: response.Header.Get("Content-Type"),
		RateLimited: limited && response.StatusCode < 500 || response.StatusCode == http.StatusTooManyRequests,
		RetryAfter:  retryAfter,
		Body:        credential.NewRaw(body),
		Truncated:   truncated,
	}
}

// rateLimit reads Retry-After (seconds or a date) and X-RateLimit-Remaining and -Reset (seconds since
// the epoch). Points in time are compared with the reply's own Date where there is one, so that a skewed
// clock on either side does not matter.
func rateLimit(header http.Header, now time.Time) (retryAfter time.Duration, limited bool) {
	if date, err := http.ParseTime(header.Get("Date")); err == nil {
		now = date
	}
	bounded := func(d time.Duration) time.Duration { return max(0, min(d, maxRetryAfter)) }

	if value := strings.TrimSpace(header.Get("Retry-After")); value != "" {
		if seconds, err := strconv.ParseUint(value, 10, 64); err == nil {
			return bounded(time.Duration(min(seconds, uint64(maxRetryAfter/time.Second))) * time.Second), true
		}
		if date, err := http.ParseTime(value); err == nil {
			return bounded(date.Sub(now)), true
		}
	}
	if strings.TrimSpace(header.Get("X-RateLimit-Remaining")) == "0" {
		reset, err := strconv.ParseInt(strings.TrimSpace(header.Get("X-RateLimit-Reset")), 10, 64)
		if err != nil {
			return 0, true
		}
		return bounded(time.Unix(reset, 0).Sub(now)), true
	}
	return 0, false
}
