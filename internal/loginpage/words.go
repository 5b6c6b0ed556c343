package loginpage

import (
	"net/http"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
)

// askAgain is what helps with most of it.
const askAgain = "To log in, ask whoever sent you the link for a new one."

// stops are what is said where a login does not go on.
var stops = map[why]stop{
	whyNoVisit: {status: http.StatusBadRequest, Title: "This browser has not begun to prove who you are", Text: []string{
		"Or it was too long ago, or the browser does not keep cookies. Nothing was handed over. Begin anew with My tokens.",
	}},
	whyVisitEnded: {status: http.StatusConflict, Title: "It took too long, or was ended", Text: []string{
		"What was begun to prove who you are has ended. Nothing is kept of it. Begin anew with My tokens.",
	}},
	whyVisitsFull: {status: http.StatusTooManyRequests, Title: "Too many people do this at this moment", Text: []string{
		"Only some can prove at once who they are, and fewer from one address. Nothing has changed. Wait some minutes, and try again.",
		"What you have authorized you can always end in your settings at GitHub, under Applications.",
	}},
	whyVisitDenied: {status: http.StatusOK, Title: "Cancelled", Text: []string{
		"This page does not know who you are, and nothing is kept.",
	}},
	whyVisitFailed: {status: http.StatusBadGateway, Title: "It could not be found out who you are", Text: []string{
		"GitHub has not taken the answer, or somebody else was in between. Nothing is kept of it. Begin anew with My tokens.",
	}},
	whyVisitRefused: {status: http.StatusBadGateway, Title: "My tokens is not set up rightly", Text: []string{
		"The cluster does not let this page find out who you are: its GitHub App has to be one for this page alone. Tell whoever looks after this page.",
		"What you have authorized you can always end in your settings at GitHub, under Applications.",
	}},
	whyForgotten: {status: http.StatusOK, Title: "This browser is not known any more", Text: []string{
		"To see your tokens again, begin anew with My tokens.",
	}},
	whyNotYours: {status: http.StatusNotFound, Title: "There is no such token of yours", Text: []string{
		"It is not there, or not of your account, or not any more. Nothing has changed.",
	}},
	whyNoWho: {status: http.StatusForbidden, Title: "This page does not know any more who you are", Text: []string{
		"That is believed for ten minutes. Nothing has changed. Begin anew with My tokens.",
	}},
	whyNotFound: {status: http.StatusNotFound, Title: "There is nothing here", Text: []string{
		"This page is for people who were sent a link. Open the whole link, as it was sent to you.",
	}},
	whyLink: {status: http.StatusNotFound, Title: "This link does not work", goesOn: true, Text: []string{
		"It was used, or has expired, or was replaced by another one, or is not complete. Nothing has changed.", askAgain,
	}},
	whyUsed: {status: http.StatusConflict, Title: "This link was used already", goesOn: true, Text: []string{
		"A link is good for one login, in one browser. Nothing has changed by opening it again.",
		"If it was not you who used it, somebody else has your link: tell whoever sent it to you, and do not authorize anything that you did not begin.", askAgain,
	}},
	whyBusy: {status: http.StatusConflict, Title: "Another login has just begun", Text: []string{
		"Somebody has asked for a login of the same resource a moment ago. Nothing has changed. Wait a minute, and open the link again.",
	}},
	whyTaken: {status: http.StatusConflict, Title: "This login has ended", Text: []string{
		"It was cancelled, or another login of the same resource has taken its place, or the resource was deleted.", askAgain,
	}},
	whySuspended: {status: http.StatusConflict, Title: "The resource is suspended", Text: []string{
		"Nobody can log in until whoever looks after it resumes it. Nothing has changed. Tell them, and open the link again afterwards.",
	}},
	whyNoAccount: {status: http.StatusConflict, Title: "The link names no account", Text: []string{
		"It has to say whose account is asked for, so that nobody lends theirs by mistake. Nothing has changed.",
		"Tell whoever sent you the link to set spec.user.",
	}},
	whyApp: {status: http.StatusConflict, Title: "The GitHub App is not there", Text: []string{
		"The link asks for a GitHub App that does not exist, or that this page may not see. Nothing has changed. Tell whoever sent you the link.",
	}},
	whyNoLogin: {status: http.StatusBadRequest, Title: "This browser has not begun a login", Text: []string{
		"Or it was too long ago, or the browser does not keep cookies. Nothing was handed over. Begin with the link that you were sent.",
	}},
	whyElsewhere: {status: http.StatusBadRequest, Title: "This login was not begun in this browser", Text: []string{
		"You come from GitHub, and this browser has not begun a login here. If you did not open a link to log in, somebody else wanted you to: nothing was handed over, and you can close this page.",
		"If you did, begin with the link, in the browser in which you want to log in, and allow its cookies.",
	}},
	whyForeign: {status: http.StatusBadRequest, Title: "This answer belongs to another login", goesOn: true, Text: []string{
		"What GitHub has sent is not the answer to the login that this browser has begun, so it was not used. Nothing was handed over.",
	}},
	whyIssuer: {status: http.StatusBadRequest, Title: "This answer comes from another GitHub", goesOn: true, Text: []string{
		"It was issued by another host than the one at which the App is, so it was not used. Nothing was handed over. Tell whoever looks after this page.",
	}},
	whyMalformed: {status: http.StatusBadRequest, Title: "This is no answer of GitHub's", goesOn: true, Text: []string{
		"The address that brought you here is not complete, or holds what it should not. Nothing was handed over.",
	}},
	whyDenied: {status: http.StatusOK, Title: "You cancelled at GitHub", goesOn: true, cancels: true, Text: []string{
		"Nothing was handed over: no token was made for this, and your account is as it was.",
		"If you did not mean to cancel, go on with this login in this browser, within ten minutes after it was begun. Otherwise end it, or just close this page. The link that you were sent is used up either way. To log in later, ask whoever sent it to you for a new one.",
	}},
	whyGitHub: {status: http.StatusOK, Title: "GitHub does not go on with this login", goesOn: true, cancels: true, Text: []string{
		"GitHub has sent you back without an authorization. Most often the App's settings are the cause: its callback URL, or that it is suspended. Nothing was handed over.",
		"Tell whoever sent you the link. It is used up: when the cause is mended, they can send you a new one.",
	}},
	whyAddress: {status: http.StatusBadGateway, Title: "This login is not safe to go on with", cancels: true, Text: []string{
		"What the cluster names as GitHub's page is not the page of the App, so you were not sent there. Nothing was handed over. Tell whoever looks after this page.",
	}},
	whyForm: {status: http.StatusForbidden, Title: "Your answer was not accepted", goesOn: true, Text: []string{
		"It was not sent from this page in this browser, or it is too old, or the browser does not keep cookies. Nothing has changed. Open the link again, and answer there.",
	}},
	whyChanged: {status: http.StatusConflict, Title: "The request has changed", Text: []string{
		"Somebody has changed it since you read it, so your answer was not accepted. Nothing was handed over.",
	}},
	whyNoCode: {status: http.StatusBadRequest, Title: "There is nothing to confirm", goesOn: true, Text: []string{
		"This browser has brought no answer from GitHub, or it was too long ago. Nothing was handed over.",
	}},
	whyLate: {status: http.StatusGone, Title: "The login took too long", Text: []string{
		"An authorization has to be confirmed within ten minutes. Nothing was handed over.", askAgain,
	}},
	whyHeld: {status: http.StatusConflict, Title: "This login cannot go on at present", goesOn: true, Text: []string{
		"Something stands in its way, such as that its GitHub App may not be used, or has no client secret. Nothing was handed over.",
		"Wait a moment, and reload the page. If that does not help, tell whoever sent you the link: the status of the resource says why.",
	}},
	whyCancelled: {status: http.StatusOK, Title: "The login was cancelled", Text: []string{
		"Nothing was handed over, and the link is used up. You can close this page. " + askAgain,
		"GitHub may still list the App among those that you have authorized. That alone gives nobody a token.",
	}},
	whyUnavailable: {status: http.StatusServiceUnavailable, Title: "The cluster does not answer", goesOn: true, Text: []string{
		"This page could not reach what it needs. Nothing is lost: wait a moment, and reload the page.",
	}},
	whyLimited: {status: http.StatusTooManyRequests, Title: "Too many requests", Text: []string{
		"This page is asked more often than it answers. Wait a moment, and reload it.",
	}},
	whyMethod: {status: http.StatusMethodNotAllowed, Title: "This cannot be done here", goesOn: true, Text: []string{
		"Open the link, and follow what the pages say.",
	}},
	whyInternal: {status: http.StatusInternalServerError, Title: "Something went wrong", goesOn: true, Text: []string{
		"The fault is with this page and not with you. Reload it, and if that does not help tell whoever looks after it.",
	}},
}

// results are what is said of what came of a login.
var results = map[v1alpha1.WebLoginResult]struct {
	Title string
	Text  []string
	Good  bool
}{
	v1alpha1.WebLoginSucceeded: {Good: true, Title: "You are logged in", Text: []string{
		"The token was stored, and is renewed from now on. You can close this page.",
	}},
	v1alpha1.WebLoginRefused: {Title: "The login was not begun", Text: []string{
		"The cluster does not allow it as it is set up: the account may not be asked for by this page, or the App has no client secret. Nothing was handed over.",
		"Tell whoever sent you the link. The message of Authorized in the resource's status says what is missing.",
	}},
	v1alpha1.WebLoginExpired: {Title: "The login took too long", Text: []string{
		"An authorization has to be confirmed within ten minutes. Nothing was stored.", askAgain,
	}},
	v1alpha1.WebLoginRejected: {Title: "GitHub did not accept the login", Text: []string{
		"It has given out no token for it. Nothing was stored.", askAgain,
	}},
	v1alpha1.WebLoginLost: {Title: "The login was lost on the way", Text: []string{
		"GitHub was asked for the token, and nobody knows what it answered. It is not asked a second time, since that could end a token that it has given out. Nothing was stored.", askAgain,
	}},
	v1alpha1.WebLoginWrongUser: {Title: "This was another account", Text: []string{
		"The account that you have used at GitHub is not the one that was asked for, or it could not be found out which one it is. Its token was ended at once, and never stored.",
		"Sign in to GitHub with the account that is asked for, or use a private window, and begin anew. " + askAgain,
	}},
	v1alpha1.WebLoginSuperseded: {Title: "Another login was first", Text: []string{
		"The resource has had another login meanwhile, or its App was changed. What you have authorized was not used.", askAgain,
	}},
}
