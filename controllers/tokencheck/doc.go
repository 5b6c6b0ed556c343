// Package tokencheck asks GitHub about access tokens, beside exchanges: whether a stored one is alive, and
// whose it is. It asks at spec.checkInterval, after a webhook's notice, once for each login whose account is
// not known, and before the first pair of a login is stored where spec.user names an account.
//
// That a token is dead is believed only when GitHub says so twice in a row, in its own words, of a token that
// is not new. What is found is written by an Amender, under the Secret's resourceVersion, so that an exchange
// which has ended the token meanwhile is not taken for a revocation. Everything but VerifyAccount has a limit
// of its own, MaxChecks, and no exchange waits for it.
//
// What is remembered of a resource is one note: when to ask next. After a restart all begins anew. The package
// knows no Kubernetes client.
package tokencheck
