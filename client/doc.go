// Package client gets a user's GitHub token from the token server of github-user-token-operator, by the identity of the pod: its
// projected ServiceAccount token. No Secret is needed, and nothing is stored.
//
//	tokens, err := client.New(client.Options{
//		Server:    "https://token-server.github-user-token.svc",
//		Namespace: "team-a",
//		Name:      "octocat",
//		CAFile:    "/var/run/secrets/githubusertoken.dev/ca.crt",
//	})
//	...
//	source := client.NewSource(ctx, tokens)
//	github := &http.Client{Transport: &client.Transport{Source: source}}
//
// Source is an oauth2.TokenSource. Transport adds the token to requests for the hosts of the App and to no others and, when GitHub answers
// 401, gets the token that followed and tries once more, so that a rotation fails no call.
//
// Tokens do not show: see AccessToken.
package client
