package format

import (
	"cmp"
	"net/url"

	corev1 "k8s.io/api/core/v1"
)

// urlKey is the key by which Argo CD finds credentials.
const urlKey = "url"

// wholeHost ends a URL that names no more than a host with a slash. Argo CD takes a template's URL for the beginning of others, and without
// the slash that of github.com is the beginning of https://github.com.example.org as well.
func wholeHost(text string) string {
	if parsed, err := url.Parse(text); err == nil && parsed.Path == "" && parsed.RawQuery == "" && parsed.Fragment == "" {
		return text + "/"
	}
	return text
}

// basicAuth is what Flux, Tekton and Argo CD read. The url is for Argo CD, which finds credentials by it:
// that of the host, as a template (repo-creds), is good for all its repositories; a repository Secret
// needs the repository's own. The others ignore it.
var basicAuth = descriptor{
	secretType: corev1.SecretTypeBasicAuth, username: true, host: true, url: true,
	values: []value{
		{key: corev1.BasicAuthUsernameKey, render: func(s settings, _ string) ([]byte, error) { return []byte(s.Username), nil }},
		{key: corev1.BasicAuthPasswordKey},
		{key: urlKey, render: func(s settings, _ string) ([]byte, error) {
			return []byte(wholeHost(cmp.Or(s.URL, "https://"+s.Host))), nil
		}},
	},
}
