package loginpage

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"time"
)

// identity is whose account was proven to be a browser's.
type identity struct {
	// Account is HOST/ID, as statuses have it, and Login how the account is called.
	Account string `json:"account"`
	Login   string `json:"login"`
	// Until is for how long it is believed, in seconds since 1970.
	Until int64 `json:"until"`
}

// whoCookie says to this page whose account is the browser's. It is sealed by a key that the page alone has, for the secret of this browser
// alone: nobody else can make one, and to have somebody else's is of no use.
func (p *Page) whoCookie(visit hidden, who identity) (*http.Cookie, error) {
	key, err := p.visits.Key()
	if err != nil {
		return nil, err
	}
	who.Until = p.now().Add(whoLifetime).Unix()
	text, err := json.Marshal(who)
	if err != nil {
		return nil, err
	}
	encoded := base64.RawURLEncoding.EncodeToString(text)
	return setCookie(cookieWho, encoded+"."+sealed(hide(string(key)), "who", visit.reveal(), encoded), whoLifetime), nil
}

// whoOf reads that cookie.
func (p *Page) whoOf(r *http.Request) (who identity, visit hidden, ok bool) {
	visit, fresh := visitOf(r)
	encoded, seal, found := strings.Cut(cookieOf(r, cookieWho), ".")
	if fresh || !found {
		return identity{}, visit, false
	}
	key, err := p.visits.Key()
	if err != nil || !same(seal, sealed(hide(string(key)), "who", visit.reveal(), encoded)) {
		return identity{}, visit, false
	}
	text, err := base64.RawURLEncoding.Strict().DecodeString(encoded)
	if err != nil || json.Unmarshal(text, &who) != nil || who.Account == "" || !p.now().Before(time.Unix(who.Until, 0)) {
		return identity{}, visit, false
	}
	return who, visit, true
}

// forgetCode shows that the form by which a browser is forgotten was shown to it.
func forgetCode(visit hidden) string { return sealed(visit, "forget") }

// forgetWho is POST /tokens/forget: this browser is not known any more, and a visit that it has begun ends.
func (p *Page) forgetWho(r *http.Request, _ string) answer {
	visit, fresh := visitOf(r)
	if fresh || !same(field(r, "code"), forgetCode(visit)) {
		return p.stopped(r, whyForm)
	}
	p.leaveOwn(r)
	return p.stoppedAt(whyForgotten).with(dropCookie(cookieWho), dropCookie(cookieProof), dropCookie(cookieProofCode))
}
