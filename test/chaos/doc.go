// Package chaos tries the operator as it is shipped: the built binary, as
// processes that are killed, stopped and starved, on a real control plane and
// against a strict stand-in for GitHub. Its tests say after each run that no
// pair was lost, that no refresh token was spent twice, that no token stands
// where it must not, and that every resource is Ready or says the true reason.
//
// Between the operator and the API server stands a proxy, by which single
// requests are held, lost, refused or applied twice. A second build of the
// operator has probes (package probe) at moments that cannot be reached from
// outside, such as the one between GitHub's reply and the outbox.
//
// The short form runs with all tests; make chaos runs the long one (build tag
// chaos), which also breaks the operator on purpose, once for each rule of the
// protocol, and demands that a test notices.
package chaos
