// Clients of the token server, for programs and for pods. It has few dependencies, and none of the operator's: whoever imports it gets no
// Kubernetes.
module github.com/githubusertoken/github-user-token-operator/client

go 1.26.0

require golang.org/x/oauth2 v0.37.0
