// Package webflow has a person authorize the App in a browser, when spec.login has the method WebFlow and somebody asks for it
// with the annotation web-login-requested.
//
// An attempt is begun by a reconcile: its verifier goes into a Secret of its own, and the rest of it into the state of the pair
// Secret, before its page is shown in status.webLogin. Whoever has asked has the page opened, takes the code that GitHub sends
// the browser back with, and puts it into a Secret: the code of the attempt that waits is redeemed like a refresh token is
// exchanged, with fence, outbox and commit; see internal/rotation. So the client secret and the verifier stay in the cluster.
//
// Attempts follow one another, one at a time, and none is begun that nobody asks for. Where the operator has a login page
// (internal/loginpage, a process of its own), a resource that needs a login offers a link of it, for the accounts that its App
// allows; whoever follows it has the page ask. The package knows no Kubernetes client.
package webflow
