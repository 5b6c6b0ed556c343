// Package restlimit keeps what is asked of GitHub's REST API about tokens to what GitHub takes from one address.
//
// A token or client secret that works has a quota of its own at GitHub, and costs nobody else anything. Bad ones are counted
// by the address that sends them, which all namespaces share: after some of them GitHub refuses whatever it is sent for a
// while. Tokens and client secrets stand where tenants write, so what they hold may be anything.
//
// A credential is trusted when GitHub has issued it to this process, or has taken it when it was last sent for the same
// resource; a client secret, too, when a token was issued for it. Whatever is trusted is sent at once. All others of a host
// share PerHour requests, in which namespaces take turns, and rest together when GitHub has said that it counts too many
// requests of the address. A request that GitHub takes is given back: only those that it refuses, or does not answer, use the
// limit up. So after a restart good tokens are proven as fast as GitHub answers. It takes a credential, too, where it answers
// with a limit of whoever holds that, primary or secondary.
//
// GitHub also refuses good tokens while they are seconds old. A trusted one may therefore be refused a few times before it is
// no longer trusted, and each namespace has a number of such refusals; one that has used them up waits for turns with all it
// sends, and no other namespace does.
//
// Nothing is stored, and nobody sleeps here: a call without a turn returns a *WaitingError, and the resource is woken when it
// has one.
package restlimit
