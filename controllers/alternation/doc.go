// Package alternation is what is done about a GitHubUserToken with the strategy Alternate, which has a second authorization of the App by
// the same account: a GitHubUserToken of its own, the alternate, which the operator makes and owns. Each of the two is a resource with one
// chain, and everything that is done about one chain is done about each.
//
//   - Turns finds out what is known of the other chain, and so whose turn it is; see the package turns.
//   - Keeper makes the alternate, keeps its spec in line, and removes it.
//   - Readers is what outputs, handoff and the token server look at: the pair that is published.
//   - Describe puts into the status how the two stand.
//
// Nothing here exchanges a token. What is remembered of a resource is since when the published token is seen where workloads read it; it is
// not needed but for safety after a restart, when it begins anew.
package alternation
