// Package hostile sets a tenant that means harm, and admission webhooks that do harm, against the operator as it is
// shipped: a process under the rights of its ServiceAccount, on a real control plane with config/default, beside a strict
// stand-in for GitHub.
//
// The tenant has what the ClusterRole edit gives it in one namespace, and nothing else. It goes through the known
// attacks one by one (rows_test.go), and then does at random whatever it may do (generator_test.go). Another
// namespace has resources that behave, the victims. What must hold stands in judge_test.go: the victims are refreshed,
// and nothing false is said of them; the operator's memory stays under its limit; GitHub gets no more requests than it
// allows; no Secret of others is written; no token stands where it must not.
//
// The admission webhook denies, delays, changes, strips and duplicates what the operator writes, for a while. No pair that
// was received may be lost, no token be presented after its successor was stored, and when the webhook is gone
// everything must be Ready.
//
// In between the operator is killed with SIGKILL. A seed repeats what was drawn, not the order in which
// processes came to act.
//
// The short form runs with all tests. make hostile runs the long one, with figures at the end; its size is set by
// flags: see flags_test.go.
package hostile
