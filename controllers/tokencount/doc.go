// Package tokencount counts the tokens that each GitHub account has of each App, over all namespaces.
//
// GitHub ends a token in silence when an account has too many of one App; see Limit. From WarnFrom on the resource with the
// newest of them tells of it.
//
// The contract:
//
//   - What is counted from is written by tenants, so a count is advice: it delays nothing and forbids nothing. Who makes up
//     pairs of an account that is not theirs has others warned for nothing, or the warning stand with a resource of their own.
//   - It says nothing of other namespaces but that there are so many tokens.
//   - A pair Secret in the cache costs the same whatever stands in it, and an event about it does not cost more the more there
//     are. What is said of an account changes once in ten seconds at most, and concerns two resources.
package tokencount
