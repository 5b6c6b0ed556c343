package github

import (
	"io"
	"net/http"
	"slices"
	"testing"

	"github.com/githubusertoken/github-user-token-operator/internal/credential"
)

// Each request is told of once, with its endpoint and what the host answered.
func TestCallsAreToldOfByEndpointAndStatus(t *testing.T) {
	status := http.StatusOK
	s := newWire(t, func(rw http.ResponseWriter, _ *http.Request) {
		rw.WriteHeader(status)
		_, _ = io.WriteString(rw, badCredentials)
	})
	var calls []Call
	c := s.client(t)
	c.onCall = func(call Call) { calls = append(calls, call) }
	app := App{Host: s.host(), ClientID: "Iv23liX", ClientSecret: credential.NewClientSecret("secret")}
	noSecret := App{Host: s.host(), ClientID: "Iv23liX"}
	access, ctx := credential.NewAccessToken(newAccess), t.Context()
	each := map[Endpoint]func(){
		EndpointExchange:   func() { _, _ = c.Exchange(ctx, app, credential.NewRefreshToken("ghr_1")) },
		EndpointDeviceCode: func() { _, _ = c.RequestDeviceCode(ctx, app) },
		EndpointDevicePoll: func() { _, _ = c.PollDevice(ctx, app, credential.NewDeviceCode("x")) },
		EndpointRedemption: func() {
			_, _ = c.RedeemCode(ctx, app, Redemption{Code: credential.NewAuthorizationCode("x"), Verifier: credential.NewCodeVerifier("y"), RedirectURI: "z"})
		},
		EndpointUser:              func() { _, _ = c.User(ctx, s.host(), access) },
		EndpointCheckToken:        func() { _, _ = c.CheckToken(ctx, app, access) },
		EndpointRevokeToken:       func() { _ = c.RevokeToken(ctx, app, access) },
		EndpointRevokeCredentials: func() { _ = c.RevokeCredentials(ctx, s.host(), access, credential.RefreshToken{}) },
		EndpointScopeToken:        func() { _, _ = c.ScopeToken(ctx, app, access, TokenScope{Target: "octo-org"}) },
	}
	if len(each) != len(AllEndpoints()) {
		t.Error("not every endpoint is called here")
	}
	for endpoint, call := range each {
		for _, status = range []int{http.StatusOK, http.StatusUnauthorized} {
			calls = nil
			call()
			if len(calls) != 1 || calls[0].Endpoint != endpoint || calls[0].Status != status || calls[0].Duration <= 0 {
				t.Errorf("%s, %d: told of %+v", endpoint, status, calls)
			}
		}
		if !slices.Contains(AllEndpoints(), endpoint) {
			t.Errorf("%s is not listed", endpoint)
		}
	}
	calls = nil
	if _, _ = c.CheckToken(ctx, noSecret, access); len(calls) != 1 || calls[0].Endpoint != EndpointCheckToken {
		t.Errorf("a check without a client secret is told of as %+v", calls)
	}
	s.Close()
	for endpoint, call := range each {
		calls = nil
		call()
		if len(calls) != 1 || calls[0].Endpoint != endpoint || calls[0].Status != 0 {
			t.Errorf("%s without a host: told of %+v", endpoint, calls)
		}
	}
}
