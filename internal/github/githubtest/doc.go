// Package githubtest is a faithful and strict stand-in for GitHub's user access token endpoints.
//
// It issues user access tokens and refresh tokens, exchanges a refresh token exactly once and kills both old tokens at
// that instant, runs the device flow and the web flow with pages a person can use, answers the REST calls that check
// and revoke tokens, or scope them, and fails on demand in every way a client of GitHub has to survive. A ledger remembers
// every refresh token and every code of the web flow that was ever presented, so a test that spends one twice sees it.
//
// A Server is a plain http.Handler. Through RoundTripper it works without sockets, also inside a testing/synctest
// bubble; Start serves it over TLS under a certificate authority of its own.
//
//	gh := githubtest.New(githubtest.Options{
//		Apps: []githubtest.App{{ClientID: "Iv23liExample", Secrets: []string{"s3cret"}}},
//	})
//	site := gh.StartTest(t)
//	seed := gh.Mint("Iv23liExample", "octocat")
//
//	gh.Inject(githubtest.BadGateway().AfterCommit().ForRefreshToken(seed.RefreshToken))
//	refresh(site.URL, site.Client(), seed.RefreshToken) // sees a 502, although GitHub has made the exchange
//
//	gh.Alive(seed.AccessToken)          // false: it died at the exchange
//	gh.Successor(seed.RefreshToken)     // the pair that the lost reply carried
//	gh.PresentationsOf(seed.RefreshToken) // one, which succeeded
//	gh.DoubleSpends()                   // none
//
// GitHub's documented limits hold unless an App lifts them: ten tokens at a time for a user, App and scope (MaxTokens), ten
// created in an hour (MaxCreations), fifty user codes entered in an hour (DeviceCodeEntries). A test that makes many of them
// sets these to a negative number. Limits that hit hosts rather than people are off unless asked for: RateLimit, RESTLimit.
// What GitHub does not document, or what reports contradict each other about, is a knob whose comment says so.
//
// One Server plays every shape of host. By the Host header github.com and SUB.ghe.com serve the OAuth endpoints and
// pages, api.github.com and api.SUB.ghe.com the REST API; every other host is a GitHub Enterprise Server, with the REST
// API under /api/v3.
//
// Tokens are never logged: records name them by Fingerprint, and a Pair prints itself by fingerprints.
package githubtest
