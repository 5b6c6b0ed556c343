// Package deviceflow has a person authorize the App by entering a code at GitHub, when a resource needs a
// login and spec.login has the method DeviceFlow.
//
// Each step is a short piece of work of its own, begun by a reconcile: request a code and store it, show it,
// poll whether it was entered. Advance takes one such step. The pair Secret is the truth about the flow: its state
// names a code before anybody sees it, with the series it belongs to, and the code is in a Secret of its own, so that a restart or another leader goes on
// with the same code. What this process remembers beside it, one note for each resource that needs a login, is
// when to ask GitHub again; losing it costs no more than one poll interval, or one poll of a dead code.
//
// Codes follow one another in a series of an hour or ten codes, whichever ends first, with growing pauses. Then
// a person has to ask for another series: a code that is offered for ever is one that somebody will be tricked
// into entering. A refusal at GitHub ends the series at once.
//
// Polls and code requests count as token requests of the App. They yield to every resource that has a token
// to lose. Until GitHub has given a pair for the App, requests share the limit of its host with those of all such Apps, and polls
// another one; but only the polls of a code that GitHub has given this process, or has known when it was last asked. Whatever
// else a Secret names may be made up, and has to come out of the smaller limit first. A flow beside a living chain holds up no exchange. The package knows no Kubernetes client.
package deviceflow
