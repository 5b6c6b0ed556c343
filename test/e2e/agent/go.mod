// What runs in the agents' pods of the end-to-end tests. It is a module of its own since it is a program of a user of the client, and the
// operator's module does not depend on that.
module github.com/githubusertoken/github-user-token-operator/test/e2e/agent

go 1.26.0

require github.com/githubusertoken/github-user-token-operator/client v0.0.0

require golang.org/x/oauth2 v0.37.0 // indirect

replace github.com/githubusertoken/github-user-token-operator/client => ../../../client
