// Package notices receives GitHub's notices that a person has revoked the authorization of an App, and has GitHub asked
// about the tokens that this may be about.
//
// A notice proves nothing about a token: it only says when to ask. How many tokens are asked about is bounded, and namespaces
// take turns, since tenants write whose a pair is.
package notices
