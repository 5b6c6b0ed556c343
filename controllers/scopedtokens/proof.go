package scopedtokens

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"

	"k8s.io/apimachinery/pkg/types"

	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/github"
)

// proofOf tells that a scoped token was made here, for a resource: nobody else can write it who has not the client secret, and who has that
// needs no operator to end tokens of the App. Without it whoever may write an output could have a token ended that they merely hold,
// such as another resource's, and with it that one's refresh token. It tells nothing of the client secret.
func proofOf(app github.App, uid types.UID, token credential.Fingerprint) string {
	mac := hmac.New(sha256.New, []byte(app.ClientSecret.Reveal()))
	_, _ = mac.Write([]byte("scoped-token\x00" + app.Key() + "\x00" + string(uid) + "\x00" + string(token)))
	return hex.EncodeToString(mac.Sum(nil)[:16])
}

// isProven reports whether an entry is one that was made here with this App.
func isProven(e entry, app github.App, uid types.UID) bool {
	return !app.ClientSecret.IsZero() && e.App == app.Key() && hmac.Equal([]byte(e.Proof), []byte(proofOf(app, uid, e.Token)))
}
