// Package rotation is the protocol by which a pair of tokens is replaced: the reason this operator
// exists. The exchange of a refresh token is destructive and cannot be repeated, and GitHub chooses the
// new tokens, so order is everything:
//
//	0 decide    pure function of the resource, the pair Secret's metadata and the time     Decide
//	1 fence     write the intent to the pair Secret under its resourceVersion              Rotator.fence
//	2 exchange  one POST, which nothing cancels                                            Rotator.exchange
//	3 keep      the raw reply to the outbox, before anybody looks into it                  Rotator.Accept
//	4 commit    the new pair to the pair Secret, again and again until it lands            Rotator.commit
//
// Reporting (step 5) is the business of the controller. The package knows no Kubernetes client and no
// controller-runtime: it works on small interfaces, so that the simulation runs this very code against a
// store, a GitHub and a clock that misbehave on purpose.
//
// What the pair Secret goes through:
//
//	           create with intent                   commit
//	(absent) ──────────────────────────▶ fenced ──────────────▶ settled ─┐
//	                                      ▲  │                    ▲  │   │ fence
//	                                      │  │ outcome unknown:   │  │   │
//	                          fence again │  ▼ the intent stays   │  │   ▼
//	                                      └─ fenced ──────────────┴──┼─ fenced
//	                                          rejected: verdict      │
//	                                          untouched: intent cleared
//
// What the Secret holds changes with the pair alone: the token of a login is sent from the seed, and a device code stands in
// a Secret of its own.
//
// Two rules settle every race. Success beats everything: a pair that was received is committed as long as
// the stored token is the one it was exchanged for. Failure never overwrites a token: a rejection is
// believed only when the stored token, read live, is still the rejected one.
package rotation
