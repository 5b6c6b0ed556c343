// Package loginpage serves the login page: a person opens the link that status.authorization has for one resource, reads what is
// asked of them, authorizes the App at GitHub, and is asked once more before the code goes to the operator.
//
// The page holds nothing between two requests. What a login needs is in the browser's cookies and in the resource, so any
// replica takes any request. It has neither a client secret nor a token, and it writes three things only: the annotations that ask
// for a login, under the resourceVersion that was read, or for the end of one, which its value names; the Secret that brings a code to the operator; and visits, in its
// own namespace. Each is written by a POST of a form that was shown by this page to the same browser, and that shows what holds now. No GET changes anything but that
// a visit ends when it has shown whose account it is, or GitHub says that its person does not want it.
//
// It believes nobody: what a browser sends is checked before it is used, what a tenant has written is shown as a claim, and the
// address of GitHub's page is followed only if it is that of the App's host. What is secret (tickets, codes, states, cookies) is
// compared in constant time and stands in no log, metric or error.
package loginpage
