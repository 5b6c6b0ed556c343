package format

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// DefaultUsername goes with a token where no account's name is needed: GitHub takes any name for git
// over HTTPS, and this one is its own advice for the tokens of Apps.
const DefaultUsername = "x-access-token"

// maxPrefix is how long the CRD lets a prefix be.
const maxPrefix = 64

// Defaults are what an output takes from its resource.
type Defaults struct {
	// AppHost is spec.app.host; empty means github.com. A /api/v3 at its end is dropped, and so is :443.
	AppHost string
	// UserLogin is the account's login once it is known, otherwise empty. Few formats use it.
	UserLogin string
}

// settings is an output with its defaults filled in. Fields that the format does not use are empty, so
// that a change of them changes nothing. It holds no secret.
type settings struct {
	Format           v1alpha1.OutputFormat `json:"format"`
	Type             string                `json:"type"`
	Key              string                `json:"key,omitempty"`
	Username         string                `json:"username,omitempty"`
	Host             string                `json:"host,omitempty"`
	URL              string                `json:"url,omitempty"`
	Registry         string                `json:"registry,omitempty"`
	WithRefreshToken bool                  `json:"withRefreshToken,omitempty"`
	Prefix           string                `json:"prefix,omitempty"`
	// tokenHost is whose token it is. It says what is refused and stands in no output.
	tokenHost string
}

func settingsOf(spec v1alpha1.Output, defaults Defaults) settings {
	d := formats[spec.Format]
	s := settings{
		Format: spec.Format, Type: cmp.Or(spec.Type, string(d.secretType), string(corev1.SecretTypeOpaque)),
		tokenHost: appHost(defaults.AppHost),
	}
	if d.key != "" {
		s.Key = cmp.Or(spec.Key, d.key)
	}
	if d.prefix {
		s.Prefix = cmp.Or(spec.Prefix, DefaultPrefix)
	}
	if d.username && (!d.prefix || isBasic(s.Prefix)) {
		login := ""
		if d.login {
			login = defaults.UserLogin
		}
		s.Username = cmp.Or(spec.Username, login, DefaultUsername)
	}
	if d.url {
		s.URL = spec.URL
	}
	if d.host && s.URL == "" {
		s.Host = cmp.Or(spec.Host, s.tokenHost)
	}
	if d.registry {
		s.Registry = cmp.Or(spec.Registry, v1alpha1.DefaultRegistry(s.tokenHost))
	}
	if d.refreshToken {
		s.WithRefreshToken = spec.IncludeRefreshToken
	}
	return s
}

// DefaultsOf are what outputs take from a pair. The host is the pair's own and not that of spec.app: after a
// change there the stored token still belongs to the former host.
func DefaultsOf(pair *rotation.Pair) Defaults {
	host, _, _ := strings.Cut(pair.State.App, "/")
	defaults := Defaults{AppHost: host}
	if pair.State.User != nil {
		defaults.UserLogin = pair.State.User.Login
	}
	return defaults
}

// appHost is the name under which git and gh know the App's host.
func appHost(host string) string {
	host = strings.ToLower(strings.TrimSpace(host))
	host = strings.TrimSuffix(strings.TrimSuffix(host, "/"), "/api/v3")
	return cmp.Or(strings.TrimSuffix(host, ":443"), DefaultHost)
}

// The CRD has the same patterns. They are checked again because a line break that got into a file would
// let a user name add credentials for another host, and because a login comes from GitHub, not the CRD.
var (
	usernamePattern = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,100}$`)
	hostPattern     = regexp.MustCompile(`^[a-z0-9]([-a-z0-9.]*[a-z0-9])?(:[1-9][0-9]{0,4})?$`)
	keyPattern      = regexp.MustCompile(`^[-._a-zA-Z0-9]{1,253}$`)
	urlPattern      = regexp.MustCompile(`^https://[!-?A-~]+$`)
	prefixPattern   = regexp.MustCompile(`^[!-~]+( [!-~]+)*$`)
)

// check says, for a person, what is wrong with the settings.
func (s settings) check() error {
	if _, ok := formats[s.Format]; !ok {
		return fmt.Errorf("unknown format %q", s.Format)
	}
	if s.Username != "" && !usernamePattern.MatchString(s.Username) {
		return fmt.Errorf("the user name %q must consist of letters, digits, dots, dashes and underscores: set username", s.Username)
	}
	if s.Host != "" && !hostPattern.MatchString(s.Host) {
		return fmt.Errorf("the host %q must be a lower-case host name, with or without a port: set host", s.Host)
	}
	if s.URL != "" && !urlPattern.MatchString(s.URL) {
		return fmt.Errorf("the url %q must be an https:// URL without a user name and blanks", s.URL)
	}
	if len(s.Prefix) > maxPrefix || s.Prefix != "" && !prefixPattern.MatchString(s.Prefix) {
		return fmt.Errorf("the prefix must be words such as Bearer with one blank between them, at most %d characters in all, and no line break: set prefix", maxPrefix)
	}
	if s.Registry != "" && !hostPattern.MatchString(s.Registry) {
		return fmt.Errorf("the registry %q must be a host name such as %s", s.Registry, v1alpha1.GitHubRegistry)
	}
	if formats[s.Format].registry && s.Registry == "" {
		return fmt.Errorf("which container registry belongs to %s, which is an address and no name, is not known: set registry", s.tokenHost)
	}
	if err := s.checkOwner(); err != nil {
		return err
	}
	if s.Key != "" && (!keyPattern.MatchString(s.Key) || s.Key == "." || strings.HasPrefix(s.Key, "..")) {
		return fmt.Errorf("the key %q cannot be a key of a Secret", s.Key)
	}
	if s.Key != "" && slices.ContainsFunc(s.wantedValues(), func(v value) bool { return v.key == s.Key }) {
		return fmt.Errorf("the key %q is taken by another value of this output: choose another key", s.Key)
	}
	return s.checkType()
}

// checkType refuses the types that Kubernetes gives a meaning, unless the output has that meaning. Most of
// them the API server would refuse as well, for want of a key. One it would not: it puts the token of a
// service account into any Secret of the type kubernetes.io/service-account-token, and the right to
// create a GitHubUserToken must not bring the right to mint those.
func (s settings) checkType() error {
	if !strings.HasPrefix(s.Type, "kubernetes.io/") && !strings.HasPrefix(s.Type, "bootstrap.kubernetes.io/") {
		return nil
	}
	switch corev1.SecretType(s.Type) {
	case formats[s.Format].secretType:
		return nil
	case corev1.SecretTypeBasicAuth:
		if s.Key == corev1.BasicAuthPasswordKey {
			return nil
		}
	}
	return fmt.Errorf("a Secret of type %s cannot hold the format %s: leave type out", s.Type, s.Format)
}
