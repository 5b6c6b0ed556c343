package loginpage

import (
	"encoding/base64"
	"net/http"
	"strings"

	"github.com/githubusertoken/github-user-token-operator/internal/credential"
)

// answered is what GitHub has sent the browser back with.
type answered struct {
	code  credential.AuthorizationCode
	state hidden
}

const (
	// maxCode is how long a code may be, as for the operator. GitHub's have 20 characters.
	maxCode = 512
	// maxState is how long a state may be. The operator's have 26 characters.
	maxState = 256
)

// codeCookie keeps the answer in the browser that has brought it, sealed for the login it is of: a code of another login, or of
// another's making, does not pass for it.
func codeCookie(s session, a answered) *http.Cookie { return codeCookieAs(cookieCode, s, a) }

func codeCookieAs(name string, s session, a answered) *http.Cookie {
	code := base64.RawURLEncoding.EncodeToString([]byte(a.code.Reveal()))
	state := base64.RawURLEncoding.EncodeToString([]byte(a.state.reveal()))
	return setCookie(name, code+"."+state+"."+sealed(s.browser, "code", s.requestID(), a.code.Reveal(), a.state.reveal()), codeLifetime)
}

// answerOf reads that cookie.
func answerOf(r *http.Request, s session) (answered, bool) { return answerIn(r, cookieCode, s) }

func answerIn(r *http.Request, cookie string, s session) (answered, bool) {
	parts := strings.Split(cookieOf(r, cookie), ".")
	if len(parts) != 3 {
		return answered{}, false
	}
	code, errCode := base64.RawURLEncoding.Strict().DecodeString(parts[0])
	state, errState := base64.RawURLEncoding.Strict().DecodeString(parts[1])
	if errCode != nil || errState != nil || !isToken(string(code), maxCode) || !isToken(string(state), maxState) ||
		!same(parts[2], sealed(s.browser, "code", s.requestID(), string(code), string(state))) {
		return answered{}, false
	}
	return answered{credential.NewAuthorizationCode(string(code)), hide(string(state))}, true
}

// isToken reports whether a text can be a code or a state: printable ASCII without blanks, within bounds.
func isToken(text string, most int) bool {
	if text == "" || len(text) > most {
		return false
	}
	for i := range len(text) {
		if text[i] <= ' ' || text[i] > '~' {
			return false
		}
	}
	return true
}
