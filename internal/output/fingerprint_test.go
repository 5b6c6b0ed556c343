package output_test

import (
	"testing"
	"time"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/output"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

func TestAFingerprintNeedsNoToken(t *testing.T) {
	pair := newPair(accessToken, refreshToken)
	for _, format := range formats {
		spec := v1alpha1.Output{Name: "out", Format: format, IncludeRefreshToken: format == v1alpha1.OutputFormatOpaque}
		whole := output.Fingerprint(spec, pair, output.Defaults{})
		bare := output.Fingerprint(spec, metadataOnly(pair), output.Defaults{})
		if whole == "" || whole != bare {
			t.Errorf("%s: %q with the tokens, %q without", format, whole, bare)
		}
	}
}

// change is a change to what an output is rendered from.
type change struct {
	name string
	// matters says whether the content of some format changes.
	matters bool
	apply   func(spec *v1alpha1.Output, pair *rotation.Pair, defaults *output.Defaults)
}

// TestAFingerprintChangesExactlyWithTheContent tries each change on each format: the fingerprint must
// change if and only if the bytes do.
func TestAFingerprintChangesExactlyWithTheContent(t *testing.T) {
	changes := []change{
		{"another access token", true, func(_ *v1alpha1.Output, pair *rotation.Pair, _ *output.Defaults) {
			*pair = *newPair(accessToken+"2", refreshToken)
		}},
		{"another refresh token, which nothing here shows", false, func(_ *v1alpha1.Output, pair *rotation.Pair, _ *output.Defaults) {
			*pair = *newPair(accessToken, refreshToken+"2")
		}},
		{"another expiry", true, func(_ *v1alpha1.Output, pair *rotation.Pair, _ *output.Defaults) {
			pair.State.ExpiresAt = expiry.Add(time.Second)
		}},
		{"the same expiry in another zone", false, func(_ *v1alpha1.Output, pair *rotation.Pair, _ *output.Defaults) {
			pair.State.ExpiresAt = expiry.In(time.FixedZone("CET", 3600))
		}},
		{"another time of the next refresh", false, func(_ *v1alpha1.Output, pair *rotation.Pair, _ *output.Defaults) {
			pair.NextRefreshAt = expiry.Add(-time.Hour)
		}},
		{"another user name", true, func(spec *v1alpha1.Output, _ *rotation.Pair, _ *output.Defaults) { spec.Username = "monalisa" }},
		{"another host", true, func(spec *v1alpha1.Output, _ *rotation.Pair, _ *output.Defaults) { spec.Host = "git.example.com" }},
		{"another registry", true, func(spec *v1alpha1.Output, _ *rotation.Pair, _ *output.Defaults) { spec.Registry = "r.example.com" }},
		{"another key", true, func(spec *v1alpha1.Output, _ *rotation.Pair, _ *output.Defaults) { spec.Key = "other" }},
		{"another type", true, func(spec *v1alpha1.Output, _ *rotation.Pair, _ *output.Defaults) { spec.Type = "example.com/x" }},
		{"the default said aloud", false, func(spec *v1alpha1.Output, _ *rotation.Pair, _ *output.Defaults) { spec.Registry = "ghcr.io" }},
		{"the refresh token as well", true, func(spec *v1alpha1.Output, _ *rotation.Pair, _ *output.Defaults) { spec.IncludeRefreshToken = true }},
		{"another App's host", true, func(_ *v1alpha1.Output, _ *rotation.Pair, defaults *output.Defaults) {
			defaults.AppHost = "ghe.example.com"
		}},
		{"the account becomes known", true, func(_ *v1alpha1.Output, _ *rotation.Pair, defaults *output.Defaults) { defaults.UserLogin = "octocat" }},
		{"labels and annotations", false, func(spec *v1alpha1.Output, _ *rotation.Pair, _ *output.Defaults) {
			spec.Labels, spec.Annotations = map[string]string{"a": "b"}, map[string]string{"c": "d"}
		}},
	}
	for _, c := range changes {
		t.Run(c.name, func(t *testing.T) {
			changed := false
			for _, format := range formats {
				spec, pair, defaults := v1alpha1.Output{Name: "out", Format: format}, newPair(accessToken, refreshToken), output.Defaults{}
				before, fingerprint := render(t, spec, pair, defaults), output.Fingerprint(spec, pair, defaults)
				c.apply(&spec, pair, &defaults)
				after := render(t, spec, pair, defaults)

				sameContent := equal(before, after)
				sameFingerprint := output.Fingerprint(spec, pair, defaults) == fingerprint
				if sameContent != sameFingerprint {
					t.Errorf("%s: same content %t, same fingerprint %t", format, sameContent, sameFingerprint)
				}
				changed = changed || !sameContent
			}
			if changed != c.matters {
				t.Errorf("content of some format changed: %t, want %t", changed, c.matters)
			}
		})
	}
}

// TestAnotherRefreshTokenMattersWhereItIsRendered covers what the table above cannot: there no format
// has the refresh token at first.
func TestAnotherRefreshTokenMattersWhereItIsRendered(t *testing.T) {
	spec := v1alpha1.Output{Name: "out", Format: v1alpha1.OutputFormatOpaque, IncludeRefreshToken: true}
	one := output.Fingerprint(spec, newPair(accessToken, refreshToken), output.Defaults{})
	two := output.Fingerprint(spec, newPair(accessToken, refreshToken+"2"), output.Defaults{})
	if one == two {
		t.Error("the fingerprint is the same for another refresh token")
	}
}

func equal(a, b output.Rendered) bool {
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
