// Package alternation is what is known of the two chains of a GitHubUserToken with the strategy Alternate. The second authorization of the App by
// the same account is a resource of its own, the alternate, which the package alternates makes. Each of the two has one chain, and everything that is
// done about one chain is done about each.
//
//   - Turns finds out what is known of the other chain, and so whose turn it is (see the package turns), and has a chain published in place
//     of one that has ended.
//   - ReadersOf, and ForReaders of a scope, are what outputs, handoff and the token server look at: the pair that is published.
//   - Authorized, Ready and NextRefresh put into the status how the two stand.
//
// Nothing here exchanges a token. What is remembered of a resource is since when the published token is seen where workloads read it: after a
// restart that begins anew, so that an exchange comes later and never sooner. It knows no Kubernetes client.
package alternation
