// Package shape tells what people put where a refresh token belongs by mistake: another kind of secret, the token in
// quotation marks, in base64 once too often, GitHub's reply as a whole, a template that nobody has filled in.
//
// Tokens are opaque, and GitHub may give them another form any day. So nothing is called wrong for not looking like a
// token of today; what is called wrong has a form by which it is known for certain to be something else.
//
// What is said of a text shows no character of it.
package shape
