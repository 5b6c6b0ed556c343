// Package retry says when something that failed at GitHub or at the API server is tried again, by what failed.
// The formula itself is internal/backoff.
package retry
