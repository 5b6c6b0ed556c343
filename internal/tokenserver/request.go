package tokenserver

import (
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/reviewed"
)

const (
	// maxURL and maxToken are how long what is asked for and what it is asked with may be.
	maxURL   = 2 << 10
	maxToken = 8 << 10

	// maxWait is how long somebody may ask to wait, afterWait how long they wait for another token by default, and patience for one that works.
	maxWait   = 300 * time.Second
	afterWait = time.Minute
	patience  = 5 * time.Second
)

// request is what somebody asks for.
type request struct {
	of types.NamespacedName
	// token is what they show.
	token string
	// output is the output with a scope whose token they want; empty for the user's own.
	output string
	// after is the token that they have, and stale the one that GitHub has refused.
	after, stale credential.Fingerprint
	// wait is how long they wait at most.
	wait time.Duration
}

var (
	paths = regexp.MustCompile(`^/v1/namespaces/([a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)/githubusertokens/([a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?)/token$`)
	// fingerprints are as credential.Fingerprint makes them.
	fingerprints = regexp.MustCompile(`^[0-9a-f]{32}$`)
	outputs      = regexp.MustCompile(`^[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?$`)
)

// parse reads a request, or says what is wrong with it. A path has one spelling: none is cleaned, and none is led to another.
func parse(r *http.Request) (request, *answer) {
	if len(r.URL.Path)+len(r.URL.RawPath)+len(r.URL.RawQuery) > maxURL {
		return request{}, invalid("The address is too long.")
	}
	found := paths.FindStringSubmatch(r.URL.EscapedPath())
	if found == nil || strings.Contains(found[2], "..") {
		return request{}, notFound()
	}
	if r.Method != http.MethodGet {
		return request{}, wrongMethod()
	}
	if r.ContentLength != 0 || len(r.TransferEncoding) > 0 {
		return request{}, invalid("A request has no body.")
	}
	asked := request{of: types.NamespacedName{Namespace: found[1], Name: found[2]}}
	if refused := asked.readQuery(r.URL.RawQuery); refused != nil {
		return request{}, refused
	}
	token, ok := reviewed.Bearer(r.Header)
	if !ok || len(r.Header["Authorization"]) != 1 || len(token) > maxToken {
		return request{}, unauthorized(noToken)
	}
	asked.token = token
	return asked, nil
}

// readQuery reads the parameters. Each occurs once at most, and there are no others.
func (q *request) readQuery(raw string) *answer {
	query, err := url.ParseQuery(raw)
	if err != nil {
		return invalid("The query cannot be read.")
	}
	for name, values := range query {
		if !slices.Contains([]string{"after", "stale", "wait", "output"}, name) {
			return invalid("There is a parameter that this server does not know. It knows after, stale, wait and output.")
		}
		if len(values) != 1 {
			return invalid("A parameter is there twice.")
		}
	}
	for name, into := range map[string]*credential.Fingerprint{"after": &q.after, "stale": &q.stale} {
		if !query.Has(name) {
			continue
		}
		if !fingerprints.MatchString(query.Get(name)) {
			return invalid("The parameter " + name + " must be a fingerprint, as an answer has it: 32 hexadecimal digits.")
		}
		*into = credential.Fingerprint(query.Get(name))
	}
	if query.Has("output") {
		if q.output = query.Get("output"); !outputs.MatchString(q.output) {
			return invalid("The parameter output must be the name of an output.")
		}
	}
	return q.readWait(query)
}

func (q *request) readWait(query url.Values) *answer {
	switch {
	case query.Has("wait"):
		seconds, err := strconv.ParseUint(query.Get("wait"), 10, 16)
		if err != nil || time.Duration(seconds)*time.Second > maxWait {
			return invalid("The parameter wait must be a number of seconds from 0 to 300.")
		}
		q.wait = time.Duration(seconds) * time.Second
	case q.after != "":
		q.wait = afterWait
	default:
		q.wait = patience
	}
	return nil
}
