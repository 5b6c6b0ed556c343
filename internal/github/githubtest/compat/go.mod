module github.com/githubusertoken/github-user-token-operator/internal/github/githubtest/compat

go 1.26.0

require (
	github.com/githubusertoken/github-user-token-operator v0.0.0
	github.com/google/go-github/v89 v89.0.0
	golang.org/x/oauth2 v0.37.0
)

require github.com/google/go-querystring v1.2.0 // indirect

replace github.com/githubusertoken/github-user-token-operator => ../../../..
