package loginpage

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strings"

	"k8s.io/apimachinery/pkg/types"
)

// session is a login that a browser has begun: what its cookie holds.
type session struct {
	name resourceName
	// uid is that of the resource when the login was begun: another of the same name is another one.
	uid types.UID
	// ticket is that of the link, and browser a secret that this browser alone has.
	ticket, browser hidden
}

// newSession begins one. The browser's secret follows from that of its visit, so that a form which is sent twice, by a double click
// or because the answer was lost, asks for the same login twice, and not for two of which the first is taken for a thief's.
func newSession(name resourceName, uid types.UID, ticket, visit hidden) session {
	return session{name: name, uid: uid, ticket: ticket, browser: hide(sealed(visit, "browser", name.namespace, name.name, string(uid), ticket.reveal()))}
}

// sessionOf reads the cookie.
func sessionOf(r *http.Request) (session, bool) { return sessionIn(r, cookieLogin) }

// sessionIn reads a cookie that holds a session.
func sessionIn(r *http.Request, cookie string) (session, bool) {
	parts := strings.Split(cookieOf(r, cookie), "/")
	if len(parts) != 5 {
		return session{}, false
	}
	name, ok := nameOf(parts[0] + "/" + parts[1])
	if !ok || !uids.MatchString(parts[2]) || !isSecret(parts[3]) || !isSecret(parts[4]) {
		return session{}, false
	}
	return session{name: name, uid: types.UID(parts[2]), ticket: hide(parts[3]), browser: hide(parts[4])}, true
}

func (s session) cookie() *http.Cookie { return s.cookieAs(cookieLogin) }

func (s session) cookieAs(name string) *http.Cookie {
	value := strings.Join([]string{s.name.namespace, s.name.name, string(s.uid), s.ticket.reveal(), s.browser.reveal()}, "/")
	return setCookie(name, value, loginLifetime)
}

// requestPrefix begins the ID of each request of the page; by it the operator knows that a link was used.
const requestPrefix = "p-"

// requestID is by what the login is known in the resource. It tells of which link it is, so that a link is seen to be used, and can be
// made only by who has the ticket and this browser's secret; neither follows from it. With the longest base URL it just fits into the annotation.
func (s session) requestID() string {
	sum := sha256.Sum256([]byte(s.ticket.reveal() + "." + s.browser.reveal()))
	hash := hex.EncodeToString(sum[:])
	return requestPrefix + ticketID(s.ticket) + "-" + hash[:20] + "-" + hash[20:39] // In two, as 40 digits at once would look like a token.
}

// ticketID names a ticket without telling it.
func ticketID(ticket hidden) string {
	sum := sha256.Sum256([]byte("ticket " + ticket.reveal()))
	return hex.EncodeToString(sum[:])[:12]
}

// isOfTicket reports whether a request was made with a ticket, by whichever browser.
func isOfTicket(requestID string, ticket hidden) bool {
	id, isPage := strings.CutPrefix(requestID, requestPrefix)
	id, _, _ = strings.Cut(id, "-")
	return isPage && same(id, ticketID(ticket))
}
