package format

import (
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
)

// formats are all formats.
var formats = map[v1alpha1.OutputFormat]descriptor{
	v1alpha1.OutputFormatOpaque:           opaque,
	v1alpha1.OutputFormatBasicAuth:        basicAuth,
	v1alpha1.OutputFormatDockerConfigJSON: dockerConfigJSON,
	v1alpha1.OutputFormatGitCredentials:   gitCredentials,
	v1alpha1.OutputFormatNetrc:            netrc,
	v1alpha1.OutputFormatGitHubCLI:        gitHubCLI,
	v1alpha1.OutputFormatHeader:           header,
}

// descriptor is all that is particular to a format.
type descriptor struct {
	// secretType is the Secret's type unless the spec gives one. Default: Opaque.
	secretType corev1.SecretType
	// key is where the value without a key of its own stands, unless the spec gives another. Empty where
	// every key is fixed.
	key string
	// What the format uses of the spec and of the resource. A change of anything else changes no output.
	username, host, url, registry, refreshToken, prefix bool
	// login reports that the account's login goes before DefaultUsername.
	login bool
	// values are the data.
	values []value
}

// value is one key of the data, and what stands under it.
type value struct {
	// key is its key; empty for the one that the spec may choose.
	key string
	// of is the part of the pair that it is made of. A pair that lacks the part yields no such value.
	of part
	// wanted reports whether these settings ask for it. nil: always.
	wanted func(settings) bool
	// render makes it from its part of the pair. nil: it is the part itself. Errors name no token.
	render func(s settings, part string) ([]byte, error)
}

// part is a part of a pair.
type part int

const (
	accessToken part = iota
	refreshToken
	expiry
)

func (v value) isWanted(s settings) bool { return v.wanted == nil || v.wanted(s) }

// keyIn is the key under which the value stands.
func (v value) keyIn(s settings) string {
	if v.key == "" {
		return s.Key
	}
	return v.key
}

// wantedValues are those that the settings ask for.
func (s settings) wantedValues() []value {
	return slices.DeleteFunc(slices.Clone(formats[s.Format].values), func(v value) bool { return !v.isWanted(s) })
}

// uses reports whether a part of the pair stands in the data.
func (s settings) uses(p part) bool {
	return slices.ContainsFunc(s.wantedValues(), func(v value) bool { return v.of == p })
}
