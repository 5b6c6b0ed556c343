package loginpage

import "github.com/githubusertoken/github-user-token-operator/internal/loginpage/plaintext"

// plain is what is shown of a text that a tenant has written.
func plain(text string) string { return plaintext.Line(text) }
