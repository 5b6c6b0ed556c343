package tokenserver

import (
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	"github.com/githubusertoken/github-user-token-operator/internal/tokenserver/callers"
	"github.com/githubusertoken/github-user-token-operator/internal/tokenserver/release"
)

// answer is what a request has come to. There is one place that writes to the client, and this is what it writes.
type answer struct {
	// outcome is a word for the metrics.
	outcome string
	status  int
	// code and message are what is said where there is no token.
	code, message string
	// retryAfter is when to ask again; zero when that does not help.
	retryAfter time.Duration
	// waited says that it was waited for.
	waited bool
	// token is what is given.
	token *release.Token
}

// tokenBody is the body of a token.
type tokenBody struct {
	AccessToken   string       `json:"accessToken"`
	TokenType     string       `json:"tokenType"`
	ExpiresAt     string       `json:"expiresAt,omitempty"`
	NextRefreshAt string       `json:"nextRefreshAt,omitempty"`
	Host          string       `json:"host"`
	Account       *accountBody `json:"account,omitempty"`
	Fingerprint   string       `json:"fingerprint"`
}

type accountBody struct {
	Login string `json:"login"`
	ID    int64  `json:"id"`
}

// errorBody is the body of an answer without one.
type errorBody struct {
	Error   string `json:"error"`
	Message string `json:"message"`
}

// write sends an answer. Nobody keeps any.
func (a *answer) write(w http.ResponseWriter) {
	header := w.Header()
	header.Set("Content-Type", "application/json")
	header.Set("Cache-Control", "no-store")
	header.Set("X-Content-Type-Options", "nosniff")
	switch a.status {
	case http.StatusUnauthorized:
		header.Set("WWW-Authenticate", "Bearer")
	case http.StatusMethodNotAllowed:
		header.Set("Allow", http.MethodGet)
	}
	if a.retryAfter > 0 {
		header.Set("Retry-After", strconv.Itoa(int((a.retryAfter+time.Second-1)/time.Second)))
	}
	body, err := json.Marshal(a.body())
	if err != nil {
		panic("encode an answer") // It holds texts and numbers.
	}
	w.WriteHeader(a.status)
	_, _ = w.Write(append(body, '\n'))
}

func (a *answer) body() any {
	if a.token == nil {
		return errorBody{a.code, a.message}
	}
	body := tokenBody{
		AccessToken: a.token.Access.Reveal(), TokenType: a.token.Type, Host: a.token.Host, Fingerprint: string(a.token.Fingerprint),
		ExpiresAt: timestamp(a.token.ExpiresAt), NextRefreshAt: timestamp(a.token.NextRefreshAt),
	}
	if user := a.token.User; user != nil {
		body.Account = &accountBody{user.Login, user.ID}
	}
	return body
}

func timestamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

func invalid(message string) *answer {
	return &answer{outcome: "invalid_request", status: http.StatusBadRequest, code: "invalid_request", message: message}
}

func notFound() *answer {
	return &answer{
		outcome: "not_found", status: http.StatusNotFound, code: "not_found",
		message: "There is nothing at this address. A token is at /v1/namespaces/NAMESPACE/githubusertokens/NAME/token.",
	}
}

func wrongMethod() *answer {
	return &answer{outcome: "invalid_request", status: http.StatusMethodNotAllowed, code: "method_not_allowed", message: "A token is asked for by GET."}
}

// noToken is that a request shows no token at all.
const noToken callers.Refusal = "not_shown"

// shown is what to show instead.
const shown = " Show the token of a ServiceAccount that is projected into a running pod for this server's audience, read from its file for each request."

// unauthorizedBy are the sentences of refusals.
var unauthorizedBy = map[callers.Refusal]string{
	noToken:               "The request shows no token: it needs one header Authorization: Bearer TOKEN.",
	callers.NotAccepted:   "The API server does not accept the token: it has expired, or its ServiceAccount or pod is gone, or it is none.",
	callers.WrongAudience: "The token is for another audience than this server's.",
	callers.NotBound:      "The token is not bound to a pod.",
}

func unauthorized(why callers.Refusal) *answer {
	return &answer{outcome: string(why), status: http.StatusUnauthorized, code: "invalid_token", message: unauthorizedBy[why] + shown}
}

// forbidden is the same for who may not and for what is not there.
func forbidden() *answer {
	return &answer{
		outcome: "forbidden", status: http.StatusForbidden, code: "forbidden",
		message: "There is no such GitHubUserToken, or output of it with a scope, or you may not have its token. It takes the verb get on githubusertokens/token, by a RoleBinding in its namespace.",
	}
}

func refused(why callers.Refusal) *answer {
	if why == callers.Forbidden {
		return forbidden()
	}
	return unauthorized(why)
}

func tooMany(message string) *answer {
	return &answer{outcome: "too_many_requests", status: http.StatusTooManyRequests, code: "too_many_requests", message: message, retryAfter: 2 * time.Second}
}

func unavailable(outcome, message string, retryAfter time.Duration) *answer {
	return &answer{outcome: outcome, status: http.StatusServiceUnavailable, code: "temporarily_unavailable", message: message, retryAfter: retryAfter}
}

// gone is the answer to a client that is no longer there to read it.
func gone() *answer {
	return &answer{outcome: outcomeGone, status: http.StatusServiceUnavailable, code: "temporarily_unavailable", message: "The client has gone."}
}

// busy is that this server has too much to do, and not the API server.
func busy(message string) *answer { return unavailable(outcomeBusy, message, patience) }

// failed is that this server itself is at fault.
func failed() *answer {
	return &answer{
		outcome: outcomeInternal, status: http.StatusInternalServerError, code: "internal",
		message: "The fault is with this server and not with you. Ask again, and if that does not help tell whoever looks after it.", retryAfter: patience,
	}
}

// tooLarge is that somebody has made an object larger than what is read of any. It does not pass.
func tooLarge() *answer {
	return &answer{
		outcome: outcomeTooLarge, status: http.StatusConflict, code: "no_token",
		message: "The resource, one of its Secrets or its App is larger than a megabyte, and is not read. Whoever may write it must make it smaller.",
	}
}

func without(message string) *answer {
	return &answer{outcome: "no_usable_token", status: http.StatusConflict, code: "no_token", message: message}
}

func given(token *release.Token) *answer {
	return &answer{outcome: "released", status: http.StatusOK, token: token}
}

// outcomes are all there are, for the metrics.
var outcomes = []string{
	"released", "invalid_request", "not_found", "not_shown", "not_accepted", "wrong_audience", "not_bound", "forbidden", "too_many_requests",
	outcomeUnknown, outcomeStale, outcomeAPIServer, outcomeBusy, outcomeStopping, "no_usable_token", outcomeTooLarge, outcomeGone, outcomeInternal,
}

// Outcomes that pass, but for the one of an object that is too large.
const (
	outcomeUnknown   = "unknown"
	outcomeStale     = "stale"
	outcomeAPIServer = "api_server"
	outcomeBusy      = "busy"
	outcomeStopping  = "stopping"
	outcomeTooLarge  = "too_large"
	outcomeGone      = "client_gone"
	outcomeInternal  = "internal"
)
