package format

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"time"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// layout is raised when Render comes to write other bytes for the same input, so that outputs written by
// an older operator are renewed.
const layout = 1

// source is all that the content of an output depends on.
type source struct {
	Layout    int                    `json:"layout"`
	Settings  settings               `json:"settings"`
	Access    credential.Fingerprint `json:"access"`
	Refresh   credential.Fingerprint `json:"refresh,omitempty"`
	ExpiresAt time.Time              `json:"expiresAt,omitzero"`
}

// Fingerprint names what Render would write for a pair. It needs no token, only the pair's state, so the
// metadata of the pair and of the output tell together whether the output is current. Equal fingerprints
// mean equal content; what the format does not use does not enter. It is empty, so that no output is current and
// Render says why, for what an earlier version wrote and this one refuses.
func Fingerprint(spec v1alpha1.Output, pair *rotation.Pair, defaults Defaults) string {
	from := source{Layout: layout, Settings: settingsOf(spec, defaults), Access: pair.State.AccessToken}
	if from.Settings.checkOwner() != nil {
		return ""
	}
	if from.Settings.uses(refreshToken) {
		from.Refresh = pair.State.RefreshToken
	}
	if from.Settings.uses(expiry) {
		from.ExpiresAt = pair.State.ExpiresAt.UTC().Truncate(time.Second)
	}
	text, err := json.Marshal(from)
	if err != nil {
		// Only a year beyond 9999 cannot be marshalled. No output is current then, and Render says the rest.
		return ""
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:16])
}
