package format_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/outputs/format"
)

// FuzzOutputKeepsEveryValueInItsPlace tries user names, hosts, logins and tokens. Whatever is rendered must be
// one credential, for that host, with that user name and that token: read back by another parser.
func FuzzOutputKeepsEveryValueInItsPlace(f *testing.F) {
	for _, seed := range [][4]string{
		{"octocat", "github.com", "octocat", accessToken},
		{"a\nmachine evil.example", "github.com", "x", accessToken},
		{"a password b", "github.com\nmachine x", "o: p", "ghu a"},
		{"", "github.com@evil.example", "x\n  y: z", "ghu_\n"},
		{"%0a", "github.com/%0a", "*a", "ghu_%0A"},
		{"#", "localhost:1", "!!binary", "\"quoted\""},
		{"a\u2028b", "xn--a", "~", "ghu_\x00"},
		{"..", "a:0", "null", "'"},
	} {
		f.Add(seed[0], seed[1], seed[2], seed[3], "Basic")
		f.Add(seed[0], seed[1], seed[2], seed[3], seed[0])
	}
	f.Fuzz(func(t *testing.T, username, host, login, token, prefix string) {
		pair := newPair(token, refreshToken)
		defaults := format.Defaults{AppHost: "github.com", UserLogin: login}
		for _, shape := range formats {
			spec := v1alpha1.Output{Name: "out", Format: shape, Username: username, Host: host, Registry: host, Prefix: prefix}
			rendered, err := format.Render(spec, pair, defaults)
			if err != nil {
				// A token of a letter or two occurs in any sentence.
				if len(token) > 20 && !strings.Contains(username+host+login+prefix, token) {
					wantNoToken(t, err.Error(), token)
				}
				continue
			}
			wantHost := host
			if wantHost == "" {
				wantHost = "github.com"
			}
			switch shape {
			case v1alpha1.OutputFormatGitCredentials:
				line, rest, _ := strings.Cut(string(rendered.Data[".git-credentials"]), "\n")
				parsed, err := url.Parse(line)
				if err != nil || rest != "" {
					t.Fatal("not one line with one URL")
				}
				password, _ := parsed.User.Password()
				if parsed.Scheme != "https" || parsed.Host != wantHost || parsed.User.Username() != orDefault(username) || password != token || parsed.Path != "" || parsed.RawQuery != "" || parsed.Fragment != "" {
					t.Fatal("the line is not the credential that was asked for")
				}
			case v1alpha1.OutputFormatNetrc:
				machine, _, _ := strings.Cut(wantHost, ":")
				words := strings.Fields(string(rendered.Data[".netrc"]))
				want := []string{"machine", machine, "login", orDefault(username), "password", token}
				if strings.Join(words, " ") != strings.Join(want, " ") || len(words) != len(want) {
					t.Fatal("the file is not the entry that was asked for")
				}
			case v1alpha1.OutputFormatHeader:
				request := &http.Request{Header: http.Header{"Authorization": {string(rendered.Data["authorization"])}}}
				words := strings.Split(request.Header.Get("Authorization"), " ")
				if name, password, ok := request.BasicAuth(); ok && (name != orDefault(username) || password != token) {
					t.Fatal("the header is not the user name and token that were asked for")
				} else if !ok && !strings.EqualFold(words[max(0, len(words)-2)], "Basic") && words[len(words)-1] != token {
					t.Fatal("the header does not end in the token")
				}
				if strings.ContainsAny(request.Header.Get("Authorization"), "\r\n\x00") {
					t.Fatal("the header is more than one line")
				}
			case v1alpha1.OutputFormatGitHubCLI:
				var hosts map[string]struct {
					OAuthToken string                       `json:"oauth_token"`
					User       string                       `json:"user"`
					Protocol   string                       `json:"git_protocol"`
					Users      map[string]map[string]string `json:"users"`
				}
				if err := yaml.UnmarshalStrict(rendered.Data["hosts.yml"], &hosts); err != nil {
					t.Fatal("not YAML")
				}
				entry := hosts[wantHost]
				if len(hosts) != 1 || len(entry.Users) != 1 || entry.OAuthToken != token || entry.Users[entry.User]["oauth_token"] != token {
					t.Fatal("the file is not the host that was asked for")
				}
			}
		}
	})
}

func orDefault(username string) string {
	if username == "" {
		return format.DefaultUsername
	}
	return username
}
