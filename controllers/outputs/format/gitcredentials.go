package format

import "net/url"

// gitCredentials is a line of git's credential store: a URL whose parts are percent-encoded.
var gitCredentials = descriptor{
	key: ".git-credentials", username: true, host: true,
	values: []value{{render: func(s settings, token string) ([]byte, error) {
		line := url.URL{Scheme: "https", User: url.UserPassword(s.Username, token), Host: s.Host}
		return []byte(line.String() + "\n"), nil
	}}},
}
