// Package scopedtokens gives outputs with a scope their tokens: it has GitHub make them of the user's token, has the package outputs
// write them, and ends at GitHub those that were replaced or are not asked for any more.
//
// There is no fence here as there is for an exchange: to ask twice costs a token too many and nothing else. So all that is known
// stands in the output itself, which is written under its resourceVersion: in an annotation which tokens there are (ledger.go), and
// under a key of the data the tokens, the current one and those that are not ended yet, so that they can be ended after a crash.
// What is to be done next with one output is decided by a pure function of that (plan.go), first by metadata in the cache, which
// costs nothing where nothing is due, and then in work of its own from a live read. It runs beside exchanges, one piece of a resource at a
// time: neither an exchange nor what follows it waits for GitHub here. What an exchange has overtaken is begun anew.
//
// The rules:
//   - The new token is made and written first, and the old one is ended when its readers had the time to see the new one, see
//     overlapOf. It is kept until GitHub has acknowledged its end.
//   - That GitHub is asked is noted before, where there is an output to note it in. What came of it is noted after. A token that
//     may have been made and never arrived is counted, and there is a bound to those of an hour and to all of a resource, since
//     GitHub may count scoped tokens to the ten that an account can have of an App, and end the user's own for one too many.
//   - There is a bound to those that are made within an hour as well (makings.go), so that GitHub does not refuse the chain's own.
//   - A finalizer keeps a Secret until the tokens in it have ended, whoever deletes it. Of a resource that stays it is put back with them.
//   - Nothing is ended that was not made here: a tenant may write anything into an output, and what is ended is ended with the
//     App's client secret, which can do more than whoever holds a token. Each entry carries a proof, see proofOf.
//   - Whether the answer to a write came or not, a token that an output holds is not ended. What is there is read before.
//   - Work that came to nothing waits before it is tried again, and there is a budget of requests; see budgets.
//   - No error holds up an exchange, or another output.
//
// Whether a scoped token ends with the user's token that it was made of, counts to the ten, or has a lifetime of its own, GitHub
// does not document. Nothing here depends on it: after an exchange each output gets a new token at once, what is dead already is
// acknowledged as ended, and one that expires before the user's is replaced in time.
package scopedtokens
