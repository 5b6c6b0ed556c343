package githubtest

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

func TestAdoptGivenRefreshTokenIsAdoptedOnce(t *testing.T) {
	gh := newServer(t)
	const example = "ghr_EXAMPLE"
	var pair pairJSON
	want(t, "adopt", admin(t, gh, "POST", "/mint?app="+clientID+"&user=octocat", `{"refresh_token":"`+example+`"}`, &pair), 200)
	want(t, "the token is the given one", pair.RefreshToken == example, true)
	want(t, "alive", gh.Alive(example), true)
	want(t, "number of chains", len(gh.Chains()), 1)
	want(t, "newest token of the chain is the given one", gh.Chains()[0].Refresh == Fingerprint(example), true)

	want(t, "error of the exchange", refresh(t, gh, example).text("error"), "")
	want(t, "alive after the exchange", gh.Alive(example), false)
	want(t, "access token alive after the exchange", gh.Alive(pair.AccessToken), false)
	want(t, "adopt a spent token", admin(t, gh, "POST", "/mint?app="+clientID+"&user=octocat", `{"refresh_token":"`+example+`"}`, nil), 400)
	want(t, "adopt nothing", admin(t, gh, "POST", "/mint?app="+clientID+"&user=octocat", `{}`, nil), 400)

	gh.UpdateApp(clientID, func(a *App) { a.NoExpiry = true })
	want(t, "adopt without token expiry", admin(t, gh, "POST", "/mint?app="+clientID+"&user=octocat", `{"refresh_token":"ghr_x"}`, nil), 400)
}

func TestAdoptRefreshTokenAloneIsToldAsPlainText(t *testing.T) {
	gh := newServer(t)
	recorder := httptest.NewRecorder()
	gh.Admin().ServeHTTP(recorder, httptest.NewRequest(http.MethodPost, "/mint?app="+clientID+"&user=octocat&only=refresh_token", nil))
	minted, _ := gh.Newest(clientID, "octocat")
	want(t, "status", recorder.Code, 200)
	want(t, "the body is the token and nothing else", recorder.Body.String() == minted.RefreshToken, true)
	want(t, "type", recorder.Header().Get("Content-Type"), "text/plain; charset=utf-8")
}
