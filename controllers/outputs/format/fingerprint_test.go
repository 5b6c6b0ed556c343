package format_test

import (
	"testing"
	"time"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/outputs/format"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

func TestOutputFingerprintNeedsNoToken(t *testing.T) {
	pair := newPair(accessToken, refreshToken)
	for _, shape := range formats {
		spec := v1alpha1.Output{Name: "out", Format: shape, IncludeRefreshToken: shape == v1alpha1.OutputFormatOpaque}
		whole := format.Fingerprint(spec, pair, format.Defaults{})
		bare := format.Fingerprint(spec, metadataOnly(pair), format.Defaults{})
		if whole == "" || whole != bare {
			t.Errorf("%s: %q with the tokens, %q without", shape, whole, bare)
		}
	}
}

// change is a change to what an output is rendered from.
type change struct {
	name string
	// matters reports whether the content of some format changes.
	matters bool
	apply   func(spec *v1alpha1.Output, pair *rotation.Pair, defaults *format.Defaults)
}

// TestOutputFingerprintChangesExactlyWithTheContent tries each change on each format: the fingerprint must
// change if and only if the bytes do.
func TestOutputFingerprintChangesExactlyWithTheContent(t *testing.T) {
	changes := []change{
		{"another access token", true, func(_ *v1alpha1.Output, pair *rotation.Pair, _ *format.Defaults) {
			*pair = *newPair(accessToken+"2", refreshToken)
		}},
		{"another refresh token, which nothing here shows", false, func(_ *v1alpha1.Output, pair *rotation.Pair, _ *format.Defaults) {
			*pair = *newPair(accessToken, refreshToken+"2")
		}},
		{"another expiry", true, func(_ *v1alpha1.Output, pair *rotation.Pair, _ *format.Defaults) {
			pair.State.ExpiresAt = expiry.Add(time.Second)
		}},
		{"the same expiry in another zone", false, func(_ *v1alpha1.Output, pair *rotation.Pair, _ *format.Defaults) {
			pair.State.ExpiresAt = expiry.In(time.FixedZone("CET", 3600))
		}},
		{"another time of the next refresh", false, func(_ *v1alpha1.Output, pair *rotation.Pair, _ *format.Defaults) {
			pair.NextRefreshAt = expiry.Add(-time.Hour)
		}},
		{"another user name", true, func(spec *v1alpha1.Output, _ *rotation.Pair, _ *format.Defaults) { spec.Username = "monalisa" }},
		{"another host", true, func(spec *v1alpha1.Output, _ *rotation.Pair, _ *format.Defaults) { spec.Host = "git.example.com" }},
		{"another registry", true, func(spec *v1alpha1.Output, _ *rotation.Pair, _ *format.Defaults) { spec.Registry = "r.example.com" }},
		{"another key", true, func(spec *v1alpha1.Output, _ *rotation.Pair, _ *format.Defaults) { spec.Key = "other" }},
		{"another type", true, func(spec *v1alpha1.Output, _ *rotation.Pair, _ *format.Defaults) { spec.Type = "example.com/x" }},
		{"another prefix", true, func(spec *v1alpha1.Output, _ *rotation.Pair, _ *format.Defaults) { spec.Prefix = "token" }},
		{"the default prefix said aloud", false, func(spec *v1alpha1.Output, _ *rotation.Pair, _ *format.Defaults) { spec.Prefix = "Bearer" }},
		{"the default said aloud", false, func(spec *v1alpha1.Output, _ *rotation.Pair, _ *format.Defaults) { spec.Registry = "ghcr.io" }},
		{"the refresh token as well", true, func(spec *v1alpha1.Output, _ *rotation.Pair, _ *format.Defaults) { spec.IncludeRefreshToken = true }},
		{"another App's host", true, func(_ *v1alpha1.Output, _ *rotation.Pair, defaults *format.Defaults) {
			defaults.AppHost = "ghe.example.com"
		}},
		{"the account becomes known", true, func(_ *v1alpha1.Output, _ *rotation.Pair, defaults *format.Defaults) { defaults.UserLogin = "octocat" }},
		{"labels and annotations", false, func(spec *v1alpha1.Output, _ *rotation.Pair, _ *format.Defaults) {
			spec.Labels, spec.Annotations = map[string]string{"a": "b"}, map[string]string{"c": "d"}
		}},
	}
	for _, c := range changes {
		t.Run(c.name, func(t *testing.T) {
			changed := false
			for _, shape := range formats {
				spec, pair, defaults := v1alpha1.Output{Name: "out", Format: shape}, newPair(accessToken, refreshToken), format.Defaults{}
				before, fingerprint := render(t, spec, pair, defaults), format.Fingerprint(spec, pair, defaults)
				c.apply(&spec, pair, &defaults)
				after := render(t, spec, pair, defaults)

				sameContent := equal(before, after)
				sameFingerprint := format.Fingerprint(spec, pair, defaults) == fingerprint
				if sameContent != sameFingerprint {
					t.Errorf("%s: same content %t, same fingerprint %t", shape, sameContent, sameFingerprint)
				}
				changed = changed || !sameContent
			}
			if changed != c.matters {
				t.Errorf("content of some format changed: %t, want %t", changed, c.matters)
			}
		})
	}
}

// TestOutputFingerprintFollowsARefreshTokenThatIsRendered covers what the table above cannot: there no format
// has the refresh token at first.
func TestOutputFingerprintFollowsARefreshTokenThatIsRendered(t *testing.T) {
	spec := v1alpha1.Output{Name: "out", Format: v1alpha1.OutputFormatOpaque, IncludeRefreshToken: true}
	one := format.Fingerprint(spec, newPair(accessToken, refreshToken), format.Defaults{})
	two := format.Fingerprint(spec, newPair(accessToken, refreshToken+"2"), format.Defaults{})
	if one == two {
		t.Error("the fingerprint is the same for another refresh token")
	}
}

func equal(a, b format.Rendered) bool {
	if a.Type != b.Type || len(a.Data) != len(b.Data) {
		return false
	}
	for key := range a.Data {
		if string(a.Data[key]) != string(b.Data[key]) {
			return false
		}
	}
	return true
}

// TestOutputFingerprintsAreThoseOfEarlierVersions keeps an upgrade from writing every output of a cluster anew. When
// the bytes of an output change, raise layout and replace these.
func TestOutputFingerprintsAreThoseOfEarlierVersions(t *testing.T) {
	defaults := format.Defaults{AppHost: "github.example.com:8443", UserLogin: "octocat"}
	full := v1alpha1.Output{
		Name: "out", Type: "example.com/x", Key: "k", Username: "u", Host: "h", URL: "https://u", Registry: "r", IncludeRefreshToken: true,
	}
	for shape, want := range map[v1alpha1.OutputFormat]struct{ bare, full string }{
		v1alpha1.OutputFormatOpaque:           {"f520b230dd886478630a07c840d6372e", "8d74b9584e3c6f3d8da2149663e321fd"},
		v1alpha1.OutputFormatBasicAuth:        {"e3fd5fb4393ef400b41550796be35a09", "cfc29a25bf4803362fc920ca6cd5d121"},
		v1alpha1.OutputFormatDockerConfigJSON: {"0dd394458d75169ef01a3194759e6255", "8fba4e43d6d0940d27e4929872a50462"},
		v1alpha1.OutputFormatGitCredentials:   {"428f1d881f6d5c14048351cef231faed", "73b87499ddd76b633cf7db5a7f7fbbc8"},
		v1alpha1.OutputFormatNetrc:            {"b199e037b471b428318e67e4c45f250b", "0164d8534cd15c0bd1a23d274c1dca5e"},
		v1alpha1.OutputFormatGitHubCLI:        {"a5415ffd0e42cbf54893ac9197c741c3", "c1c7ccb2030470e704e4d09b26670257"},
	} {
		pair := newPair(accessToken, refreshToken)
		if got := format.Fingerprint(v1alpha1.Output{Name: "out", Format: shape}, pair, defaults); got != want.bare {
			t.Errorf("%s, by default: %s, want %s", shape, got, want.bare)
		}
		full.Format = shape
		if got := format.Fingerprint(full, pair, defaults); got != want.full {
			t.Errorf("%s, with all fields: %s, want %s", shape, got, want.full)
		}
	}
}

// An output of an earlier version that is refused by now must not count as current, or nobody would be told.
func TestOutputThatIsRefusedIsNotCurrent(t *testing.T) {
	spec := v1alpha1.Output{Name: "out", Format: v1alpha1.OutputFormatDockerConfigJSON, Registry: "ghcr.io"}
	if got := format.Fingerprint(spec, newPair(accessToken, refreshToken), format.Defaults{AppHost: "octocorp.ghe.com"}); got != "" {
		t.Errorf("it has the fingerprint %s", got)
	}
	if got := format.Fingerprint(spec, newPair(accessToken, refreshToken), format.Defaults{}); got != "bbee9760e7bc6946c0a8c2d00f0af439" {
		t.Errorf("of github.com it has the fingerprint %s, not that of earlier versions", got)
	}
}
