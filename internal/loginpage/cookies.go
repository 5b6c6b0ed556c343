package loginpage

import (
	"net/http"
	"time"
)

// The cookies. By the prefix __Host- a browser takes them over https and from this very host alone: none of a host beside or above it
// can plant one.
const (
	// cookieVisit holds a secret of the browser's own, by which the first form is known to have been shown to it.
	cookieVisit = "__Host-visit"
	// cookieLogin holds what login this browser has begun.
	cookieLogin = "__Host-login"
	// cookieCode holds the code that GitHub has sent the browser back with, until the person has confirmed.
	cookieCode = "__Host-code"
	// cookieProof and cookieProofCode are the same of a visit: of a browser that proves whose account is theirs.
	cookieProof     = "__Host-proof"
	cookieProofCode = "__Host-proof-code"
	// cookieWho holds whose account was proven to be theirs, sealed by a key of the page's.
	cookieWho = "__Host-who"
)

const (
	visitLifetime = time.Hour
	loginLifetime = 15 * time.Minute
	codeLifetime  = 10 * time.Minute
	whoLifetime   = 10 * time.Minute
)

// setCookie makes a cookie. None is SameSite=Strict: the browser comes from the link, and back from GitHub, and after that on to
// the confirmation, by requests that another site has caused. All of these are GETs, with which Lax goes along. With a POST of another site none goes.
func setCookie(name, value string, lifetime time.Duration) *http.Cookie {
	return &http.Cookie{
		Name: name, Value: value, Path: "/", MaxAge: int(lifetime.Seconds()),
		Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode,
	}
}

// dropCookie makes a cookie that ends one.
func dropCookie(name string) *http.Cookie {
	return &http.Cookie{Name: name, Path: "/", MaxAge: -1, Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode}
}

// maxCookie is how long the value of a cookie may be.
const maxCookie = 1536

// cookieOf is the value of a cookie; empty when there is none, or more than one of the name.
func cookieOf(r *http.Request, name string) string {
	found := r.CookiesNamed(name)
	if len(found) != 1 || len(found[0].Value) > maxCookie {
		return ""
	}
	return found[0].Value
}

// visitOf is the browser's own secret; fresh when it had none, or what it has is none.
func visitOf(r *http.Request) (visit hidden, fresh bool) {
	if value := cookieOf(r, cookieVisit); isSecret(value) {
		return hide(value), false
	}
	return newSecret(), true
}
