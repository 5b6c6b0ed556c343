package loginpage

import (
	"fmt"
	"net/url"
	"path"
	"strings"
)

// address is where browsers reach the page: the only source of each URL that it sends anybody to. What a request says of its host
// is not looked at.
type address struct {
	// base is the URL of the page, without a slash at the end, and origin its scheme and host.
	base, origin string
	// prefix is the path of base; empty when it has none.
	prefix string
}

// newAddress reads the base URL.
func newAddress(base string) (address, error) {
	u, err := url.Parse(base)
	switch {
	case err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || u.String() != base:
		return address{}, fmt.Errorf("%q must be https://HOST or https://HOST/PATH, without a query", base)
	case u.Path != "" && path.Clean(u.Path) != strings.TrimSuffix(u.Path, "/") && u.Path != "/":
		return address{}, fmt.Errorf("%q must have a plain path", base)
	}
	return address{
		base: strings.TrimSuffix(base, "/"), origin: "https://" + u.Host, prefix: strings.TrimSuffix(u.EscapedPath(), "/"),
	}, nil
}

// callback is where GitHub sends the browser back to.
func (a address) callback() string { return a.base + pathCallback }

// link is the link to the login of a resource, as its status has it.
func (a address) link(name resourceName, ticket hidden) string {
	return a.base + pathLogin + name.namespace + "/" + name.name + "?ticket=" + ticket.reveal()
}

// to is the address of one of the page's own paths, for a browser that is here already.
func (a address) to(path string) string { return a.prefix + path }

// The paths of the page.
const (
	pathLogin    = "/login/" // and NAMESPACE/NAME
	pathWait     = "/wait"
	pathGo       = "/go"
	pathCallback = "/callback"
	pathConfirm  = "/confirm"
	pathCancel   = "/cancel"
	pathResult   = "/result"
	pathStopped  = "/stopped/" // and why
	pathStyle    = "/style.css"

	pathTokens       = "/tokens"
	pathToken        = "/tokens/of/" // and NAMESPACE/NAME
	pathVisitWait    = "/tokens/wait"
	pathVisitGo      = "/tokens/go"
	pathVisitConfirm = "/tokens/confirm"
	pathVisitProven  = "/tokens/proven"
	pathVisitCancel  = "/tokens/cancel"
	pathTokensForget = "/tokens/forget"
)
