package rotation

import (
	"testing"

	"github.com/githubusertoken/github-user-token-operator/internal/credential"
)

// GitHub may answer with one of the two tokens as it was. The pair is stored when both are.
func TestAReplyThatRepeatsATokenIsStored(t *testing.T) {
	for name, body := range map[string]string{
		"the access token":  `{"access_token":"ghu_old","expires_in":28800,"refresh_token":"ghr_new","refresh_token_expires_in":15897600,"token_type":"bearer"}`,
		"the refresh token": `{"access_token":"ghu_new","expires_in":28800,"refresh_token":"ghr_old","refresh_token_expires_in":15897600,"token_type":"bearer"}`,
	} {
		t.Run(name, func(t *testing.T) {
			w := newDeviceWorld()
			live, err := w.shelf.put(goodChain())
			if err != nil {
				t.Fatal(err)
			}
			tokens, err := said(body).Tokens()
			if err != nil {
				t.Fatal(err)
			}
			result := exchanged(t, w, Decision{Action: ActionRefresh, Cause: CauseDue, Spends: live.State.RefreshToken}, body)
			stored := w.shelf.pair
			if result.Outcome != Committed || stored.RefreshToken != tokens.RefreshToken || stored.AccessToken != tokens.AccessToken || stored.Intent != nil || !stored.isWhole() {
				t.Errorf("the outcome is %s (%v), and the Secret holds %+v", result.Outcome, result.Err, stored.State)
			}
		})
	}
}

// A token that GitHub would not take any more counts for both tokens of a copy with something newer.
func TestOfAVerdictThatMeetsAnotherPairNothingIsSaid(t *testing.T) {
	for name, change := range map[string]func(*Pair){
		"another access token":  func(p *Pair) { p.AccessToken = credential.NewAccessToken("ghu_new") },
		"another refresh token": func(p *Pair) { p.RefreshToken = credential.NewRefreshToken("ghr_new") },
	} {
		t.Run(name, func(t *testing.T) {
			other := goodChain()
			change(other)
			other.State.AccessToken, other.State.RefreshToken = other.AccessToken.Fingerprint(), other.RefreshToken.Fingerprint()
			if goodChain().names(other) || goodChain().holdsPairOf(other) || !goodChain().holdsPairOf(goodChain()) {
				t.Error("the two pairs are not told apart")
			}
		})
	}
}
