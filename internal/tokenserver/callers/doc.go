// Package callers says who asks the token server, and whether they may have the token that they ask for: a TokenReview and a
// SubjectAccessReview, in this order, before anything of the resource is looked up.
//
// The contract:
//
//   - Only the token of a ServiceAccount counts that was issued for the install's audience and is bound to a pod, which the API server finds
//     alive. What a token says of itself may refuse it, and never lets it through.
//   - RBAC alone says who may read: the verb get on the subresource githubusertokens/token, of that resource by its name.
//   - A yes counts for ten seconds from when it was asked for, and never beyond the token's own expiry; a no for one. That the API server could
//     not be asked is remembered by nobody.
//   - Who it is and what they may are asked and remembered apart: who asks for many resources costs one TokenReview in ten seconds.
//   - What is remembered is bounded, by keyed hashes: no token is kept.
package callers
