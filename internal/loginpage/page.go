package loginpage

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/go-logr/logr"

	"github.com/githubusertoken/github-user-token-operator/internal/loginpage/limits"
	"github.com/githubusertoken/github-user-token-operator/internal/systemclock"
)

// Options configure a Page.
type Options struct {
	// BaseURL is where browsers reach it (https).
	BaseURL string
	Cluster *Cluster
	Log     logr.Logger
	// PerClient and InAll are how many requests a second are answered, of one address and of all. Defaults: 5 and 50. Behind a
	// proxy all have the address of that.
	PerClient, InAll float64
	// Visits are those by which people prove whose account is theirs, to see their tokens; nil when the page does not offer that.
	Visits *Visits
	// Now and Pause are the clock. By default the real one; Pause returns early when ctx ends.
	Now   func() time.Time
	Pause func(ctx context.Context, d time.Duration)
}

// Page is the login page. It is an http.Handler.
type Page struct {
	address address
	cluster *Cluster
	log     logr.Logger
	now     func() time.Time
	pause   func(ctx context.Context, d time.Duration)
	limits  *limits.Limits
	metrics *pageMetrics
	// holding is a place for each request that is held until there is something to tell.
	holding chan struct{}
	style   []byte
	visits  *Visits
	// listing is a place for each list of tokens that is being read.
	listing chan struct{}
}

// maxHolding is how many requests are held at once. What comes beside them is answered at once, and asks again.
const maxHolding = 64

// New makes a Page.
func New(options Options) (*Page, error) {
	where, err := newAddress(options.BaseURL)
	if err != nil {
		return nil, fmt.Errorf("the base URL: %w", err)
	}
	if options.Now == nil {
		options.Now = systemclock.New().Now
	}
	if options.Pause == nil {
		options.Pause = pause
	}
	style, err := files.ReadFile("templates/style.css")
	if err != nil {
		return nil, err
	}
	return &Page{
		address: where, cluster: options.Cluster, log: options.Log, now: options.Now, pause: options.Pause, style: style,
		limits: limits.New(orElse(options.PerClient, 5), orElse(options.InAll, 50)), metrics: newMetrics(),
		holding: make(chan struct{}, maxHolding), visits: options.Visits, listing: make(chan struct{}, maxListing),
	}, nil
}

func orElse(value, otherwise float64) float64 {
	if value > 0 {
		return value
	}
	return otherwise
}

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// route is what answers an address, by method. A POST answers a form of this page.
type route struct {
	step      string
	get, post func(p *Page, r *http.Request, rest string) answer
}

// routes are the addresses that there are.
var routes = map[string]route{
	pathLogin:    {step: "login", get: (*Page).showRequest, post: (*Page).begin},
	pathWait:     {step: "wait", get: (*Page).showWait},
	pathGo:       {step: "go", get: (*Page).goOn},
	pathCallback: {step: "callback", get: (*Page).takeAnswer},
	pathConfirm:  {step: "confirm", get: (*Page).showConfirmation, post: (*Page).confirm},
	pathCancel:   {step: "cancel", post: (*Page).cancel},
	pathResult:   {step: "result", get: (*Page).showResult},
	pathStopped:  {step: "stopped", get: (*Page).showStopped},

	pathTokens:       {step: "tokens", get: (*Page).showTokens, post: (*Page).beginVisit},
	pathToken:        {step: "token", get: (*Page).showToken, post: (*Page).revoke},
	pathVisitWait:    {step: "visit-wait", get: (*Page).showVisitWait},
	pathVisitGo:      {step: "visit-go", get: (*Page).goOnVisit},
	pathVisitConfirm: {step: "visit-confirm", get: (*Page).showVisitConfirmation, post: (*Page).confirmVisit},
	pathVisitProven:  {step: "visit-proven", get: (*Page).showProven},
	pathVisitCancel:  {step: "visit-cancel", post: (*Page).cancelVisit},
	pathTokensForget: {step: "forget", post: (*Page).forgetWho},
}

// find is the route of a path, and what follows it. An address has one spelling: none is cleaned, and none is led to another.
func (p *Page) find(r *http.Request) (found route, rest string, ok bool) {
	path, ok := strings.CutPrefix(r.URL.EscapedPath(), p.address.prefix)
	if !ok {
		return route{}, "", false
	}
	for _, head := range []string{pathLogin, pathStopped, pathToken} {
		if rest, has := strings.CutPrefix(path, head); has && (head != pathToken || p.visits != nil) {
			return routes[head], rest, true
		}
	}
	found, ok = routes[path]
	if p.visits == nil && strings.HasPrefix(path, pathTokens) {
		return route{}, "", false
	}
	return found, "", ok
}
