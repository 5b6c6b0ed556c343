package github

import (
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// A refresh token is asked for where GitHub is known to give none by itself, and nothing is asked of a GitHub App, for
// which scopes mean nothing.
func TestDeviceFlowScopesThatTheDeviceFlowAsksFor(t *testing.T) {
	for name, c := range map[string]struct{ id, scope, asked string }{
		"a GitHub App":                          {"Iv23liEXAMPLE", "", ""},
		"a GitHub App of former days":           {"Iv1.0123456789abcdef", "", ""},
		"a GitHub App that is given scopes":     {"Iv23liEXAMPLE", "repo", ""},
		"an OAuth App":                          {"Ov23liEXAMPLE", "", "offline_access"},
		"an OAuth App with scopes":              {"Ov23liEXAMPLE", "repo read:org", "repo read:org offline_access"},
		"an OAuth App that asks for it":         {"Ov23liEXAMPLE", "offline_access repo", "offline_access repo"},
		"an OAuth App of former days":           {"0123456789abcdef0123", "", "offline_access"},
		"an App of an unknown kind":             {"0123456789ABCDEF0123", "", ""},
		"an App of an unknown kind with scopes": {"0123456789ABCDEF0123", "repo", "repo offline_access"},
	} {
		t.Run(name, func(t *testing.T) {
			if asked, _ := (App{ClientID: c.id, Scope: c.scope}).deviceScopes(); asked != c.asked {
				t.Errorf("asked for %q, want %q", asked, c.asked)
			}
		})
	}
}

// A host that knows nothing of offline_access must not keep anybody from logging in.
func TestDeviceFlowHostThatRefusesOfflineAccessIsAskedWithoutIt(t *testing.T) {
	for name, c := range map[string]struct {
		scope   string
		unknown string
		asked   []string
		refused bool
	}{
		"it knows it":                      {scope: "repo", asked: []string{"repo offline_access"}},
		"it does not":                      {scope: "repo", unknown: "offline_access", asked: []string{"repo offline_access", "repo"}},
		"nothing else is asked for":        {unknown: "offline_access", asked: []string{"offline_access", ""}},
		"the resource asks for it":         {scope: "offline_access", unknown: "offline_access", asked: []string{"offline_access"}, refused: true},
		"another scope is the unknown one": {scope: "rpeo", unknown: "rpeo", asked: []string{"rpeo offline_access", "rpeo"}, refused: true},
	} {
		t.Run(name, func(t *testing.T) {
			var asked []string
			var w *wire
			w = newWire(t, func(rw http.ResponseWriter, r *http.Request) {
				_ = r.ParseForm()
				asked = append(asked, r.PostForm.Get("scope"))
				if c.unknown != "" && slices.Contains(strings.Fields(r.PostForm.Get("scope")), c.unknown) {
					_, _ = io.WriteString(rw, `{"error":"invalid_scope"}`)
					return
				}
				_, _ = io.WriteString(rw, `{"device_code":"`+deviceCode+`","user_code":"WDJB-MJHT","verification_uri":"https://`+w.host()+`/login/device"}`)
			})
			_, err := w.client(t).RequestDeviceCode(t.Context(), App{Host: w.host(), ClientID: "Ov23liEXAMPLE", Scope: c.scope})
			if !slices.Equal(asked, c.asked) {
				t.Errorf("asked for %q, want %q", asked, c.asked)
			}
			if c.refused {
				wantError(t, err, Misconfigured, InvalidScope, true)
			} else if err != nil {
				t.Error(err)
			}
		})
	}
}
