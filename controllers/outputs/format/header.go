package format

import (
	"encoding/base64"
	"strings"
)

// DefaultPrefix is the scheme by which GitHub's API takes tokens.
const DefaultPrefix = "Bearer"

// header is the value of a header as a whole, for proxies and tools that send it as it stands. What expires is the token, and
// whoever sends the value reads no second key: there is none.
var header = descriptor{
	key: "authorization", username: true, prefix: true,
	values: []value{{render: headerValue}},
}

// headerValue is the prefix, a blank, and the token. Of the scheme Basic, by which GitHub takes tokens for git, it is the user
// name and the token in base64: the bare token after that word would be refused everywhere.
func headerValue(s settings, token string) ([]byte, error) {
	if isBasic(s.Prefix) {
		token = base64.StdEncoding.EncodeToString([]byte(s.Username + ":" + token))
	}
	return []byte(s.Prefix + " " + token), nil
}

// isBasic reports whether a prefix ends in the scheme Basic. Schemes are the same in upper and lower case.
func isBasic(prefix string) bool {
	return strings.EqualFold(prefix[strings.LastIndexByte(prefix, ' ')+1:], "Basic")
}
