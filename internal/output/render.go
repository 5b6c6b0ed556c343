package output

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// ErrNoToken says that the pair holds no access token to derive anything from: there is none yet, or only
// the pair's metadata was read, or the Secret's data is not what its state says it is.
var ErrNoToken = errors.New("the pair holds no access token that its state knows")

// Rendered is the content of an output.
type Rendered struct {
	// Type is the type of the Secret.
	Type string
	// Data is the whole of its data: a key that is not in it does not belong in the Secret.
	Data map[string][]byte
}

// Render derives the content of an output from a pair that was read with its data. Errors: ErrNoToken, or
// a sentence on what to change in the output's spec. Neither holds any token.
func Render(spec v1alpha1.Output, pair *rotation.Pair, defaults Defaults) (Rendered, error) {
	s := settingsOf(spec, defaults)
	if err := s.check(); err != nil {
		return Rendered{}, fmt.Errorf("output %q: %w", spec.Name, err)
	}
	if pair.AccessToken.IsZero() || pair.AccessToken.Fingerprint() != pair.State.AccessToken {
		return Rendered{}, fmt.Errorf("output %q: %w", spec.Name, ErrNoToken)
	}
	token := pair.AccessToken.Reveal()
	if !isWord(token) {
		return Rendered{}, fmt.Errorf("output %q: the access token has characters that no token of GitHub has", spec.Name)
	}
	data, err := s.data(token, pair)
	if err != nil {
		return Rendered{}, fmt.Errorf("output %q: %w", spec.Name, err)
	}
	return Rendered{Type: s.Type, Data: data}, nil
}

// Keys are the keys of the data that Render would write, sorted. It needs no token, only the pair's state.
func Keys(spec v1alpha1.Output, pair *rotation.Pair, defaults Defaults) []string {
	s := settingsOf(spec, defaults)
	var keys []string
	switch s.Format {
	case v1alpha1.OutputFormatBasicAuth:
		keys = []string{corev1.BasicAuthUsernameKey, corev1.BasicAuthPasswordKey, urlKey}
	case v1alpha1.OutputFormatDockerConfigJSON:
		keys = []string{corev1.DockerConfigJsonKey}
	case v1alpha1.OutputFormatOpaque:
		keys = []string{s.Key}
		if pair.State.Expires() {
			keys = append(keys, v1alpha1.KeyExpiresAt)
		}
		if s.WithRefreshToken && pair.State.RefreshToken != "" {
			keys = append(keys, v1alpha1.KeyRefreshToken)
		}
	default:
		keys = []string{s.Key}
		if s.Format == v1alpha1.OutputFormatGitHubCLI && s.Key == hostsFile {
			keys = append(keys, configFile)
		}
	}
	slices.Sort(keys)
	return keys
}

func (s settings) data(token string, pair *rotation.Pair) (map[string][]byte, error) {
	switch s.Format {
	case v1alpha1.OutputFormatBasicAuth:
		return s.basicAuth(token), nil
	case v1alpha1.OutputFormatDockerConfigJSON:
		return s.dockerConfig(token)
	case v1alpha1.OutputFormatGitCredentials:
		return map[string][]byte{s.Key: s.gitCredentials(token)}, nil
	case v1alpha1.OutputFormatNetrc:
		return s.netrc(token)
	case v1alpha1.OutputFormatGitHubCLI:
		return s.gitHubCLI(token)
	default:
		return s.opaque(token, pair), nil
	}
}

func (s settings) opaque(token string, pair *rotation.Pair) map[string][]byte {
	data := map[string][]byte{s.Key: []byte(token)}
	if pair.State.Expires() {
		data[v1alpha1.KeyExpiresAt] = []byte(timestamp(pair.State.ExpiresAt))
	}
	if s.WithRefreshToken && !pair.RefreshToken.IsZero() {
		data[v1alpha1.KeyRefreshToken] = []byte(pair.RefreshToken.Reveal())
	}
	return data
}

// basicAuth is what Flux, Tekton and Argo CD read. The url is for Argo CD, which finds credentials by it:
// that of the host, as a template (repo-creds), is good for all its repositories; a repository Secret
// needs the repository's own. The others ignore it.
func (s settings) basicAuth(token string) map[string][]byte {
	return map[string][]byte{
		corev1.BasicAuthUsernameKey: []byte(s.Username),
		corev1.BasicAuthPasswordKey: []byte(token),
		urlKey:                      []byte(cmp.Or(s.URL, "https://"+s.Host)),
	}
}

// urlKey is the key by which Argo CD finds credentials.
const urlKey = "url"

func (s settings) dockerConfig(token string) (map[string][]byte, error) {
	config := map[string]any{"auths": map[string]any{s.Registry: map[string]string{
		"username": s.Username,
		"password": token,
		"auth":     base64.StdEncoding.EncodeToString([]byte(s.Username + ":" + token)),
	}}}
	text, err := json.Marshal(config)
	if err != nil {
		return nil, errors.New("the Docker configuration cannot be written as JSON")
	}
	return map[string][]byte{corev1.DockerConfigJsonKey: text}, nil
}

// gitCredentials is a line of git's credential store: a URL whose parts are percent-encoded.
func (s settings) gitCredentials(token string) []byte {
	line := url.URL{Scheme: "https", User: url.UserPassword(s.Username, token), Host: s.Host}
	return []byte(line.String() + "\n")
}

// netrc is one entry. A machine has no port there: readers compare the bare name of the host. Words are
// not quoted, as readers differ on quotes; a word that would need them is refused.
func (s settings) netrc(token string) (map[string][]byte, error) {
	if strings.ContainsAny(token, `"\#`) {
		return nil, errors.New(`the access token has a character (", \ or #) that a .netrc file cannot hold: use another format`)
	}
	machine, _, _ := strings.Cut(s.Host, ":")
	entry := fmt.Sprintf("machine %s\nlogin %s\npassword %s\n", machine, s.Username, token)
	return map[string][]byte{s.Key: []byte(entry)}, nil
}

const (
	hostsFile  = "hosts.yml"
	configFile = "config.yml"
)

// gitHubCLI is gh's hosts.yml since 2.40: the token stands under the host, where older versions and
// extensions look for it, and again under the account. With the default key the Secret can be mounted
// as gh's whole configuration folder (GH_CONFIG_DIR). Without a config.yml of version 1 in it gh would
// migrate the folder at each start, and fail as it cannot write there.
func (s settings) gitHubCLI(token string) (map[string][]byte, error) {
	hosts, err := yaml.Marshal(map[string]any{s.Host: map[string]any{
		"git_protocol": "https",
		"oauth_token":  token,
		"user":         s.Username,
		"users":        map[string]any{s.Username: map[string]string{"oauth_token": token}},
	}})
	if err != nil {
		return nil, errors.New("hosts.yml cannot be written as YAML")
	}
	data := map[string][]byte{s.Key: hosts}
	if s.Key == hostsFile {
		data[configFile] = []byte("version: \"1\"\n")
	}
	return data, nil
}

// isWord says whether a token is one word of printable ASCII.
func isWord(token string) bool {
	return !strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' })
}

func timestamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }
