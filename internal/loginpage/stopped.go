package loginpage

import (
	"net/http"
)

// why is for what a login does not go on. It is a part of an address, and all that such an address says.
type why string

// The reasons. Their sentences are in words.go.
const (
	whyNotFound    why = "not-found"
	whyLink        why = "link"
	whyUsed        why = "used"
	whyBusy        why = "busy"
	whyTaken       why = "taken"
	whySuspended   why = "suspended"
	whyNoAccount   why = "no-account"
	whyApp         why = "app"
	whyNoLogin     why = "no-login"
	whyElsewhere   why = "elsewhere"
	whyForeign     why = "foreign"
	whyIssuer      why = "issuer"
	whyMalformed   why = "malformed"
	whyDenied      why = "denied"
	whyGitHub      why = "github"
	whyAddress     why = "address"
	whyForm        why = "form"
	whyChanged     why = "changed"
	whyNoCode      why = "no-code"
	whyLate        why = "late"
	whyHeld        why = "held"
	whyCancelled   why = "cancelled"
	whyUnavailable why = "unavailable"
	whyLimited     why = "limited"
	whyMethod      why = "method"
	whyInternal    why = "internal"

	whyNoVisit      why = "no-visit"
	whyVisitEnded   why = "visit-ended"
	whyVisitsFull   why = "visits-full"
	whyVisitDenied  why = "visit-cancelled"
	whyVisitFailed  why = "visit-failed"
	whyVisitRefused why = "visit-refused"
	whyForgotten    why = "forgotten"
	whyNotYours     why = "not-yours"
	whyNoWho        why = "not-known"
)

// stop is a reason with what is said and done.
type stop struct {
	status int
	Title  string
	Text   []string
	// goesOn offers to go on with the login that this browser has begun, and cancels to end it.
	goesOn, cancels bool
}

// stoppedView fills the page of a login that does not go on.
type stoppedView struct {
	Title string
	Text  []string
	// GoOn is where the login goes on, and Cancel the code of the form that ends it; empty when it cannot.
	GoOn, Cancel string
	// Again is where what was asked for can be read again.
	Again string
}

// stopped is the page of a reason. It is the same for everybody, but for what it offers to the browser that has begun the login.
func (p *Page) stopped(r *http.Request, reason why) answer {
	said := stops[reason]
	view := stoppedView{Title: said.Title, Text: said.Text}
	if s, ok := sessionOf(r); ok {
		if said.goesOn {
			view.GoOn = p.address.to(pathWait)
		}
		if said.cancels {
			view.Cancel = cancelCode(s)
		}
	}
	return answer{outcome: string(reason), status: said.status, page: "stopped", view: view}
}

// changed is the page of somebody who has agreed to what does not hold any more.
func (p *Page) changed(again string) answer {
	said := stops[whyChanged]
	view := stoppedView{Title: said.Title, Text: said.Text, Again: again}
	return answer{outcome: string(whyChanged), status: said.status, page: "stopped", view: view}
}

// stoppedAt sends the browser to that page: off an address that has a code in it.
func (p *Page) stoppedAt(reason why) answer {
	return p.onTo(string(reason), pathStopped+string(reason))
}

// showStopped is GET /stopped/WHY.
func (p *Page) showStopped(r *http.Request, rest string) answer {
	reason := why(rest)
	if _, known := stops[reason]; !known {
		reason = whyNotFound
	}
	a := p.stopped(r, reason)
	if reason != whyNotFound {
		a.outcome = "stopped" // It was counted when the browser was sent here.
	}
	return a
}
