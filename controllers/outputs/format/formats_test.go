package format

import (
	"os"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// TestOutputFormatsOfTheCRDAreThoseOfTheTable reads the enum of spec.outputs[].format: what the API server lets
// in can be rendered, and what can be rendered may be asked for.
func TestOutputFormatsOfTheCRDAreThoseOfTheTable(t *testing.T) {
	text, err := os.ReadFile("../../../config/crd/bases/githubusertoken.dev_githubusertokens.yaml")
	if err != nil {
		t.Fatal(err)
	}
	type schema struct {
		Enum       []string           `json:"enum"`
		Properties map[string]*schema `json:"properties"`
		Items      *schema            `json:"items"`
	}
	var crd struct {
		Spec struct {
			Versions []struct {
				Schema struct {
					OpenAPIV3Schema schema `json:"openAPIV3Schema"`
				} `json:"schema"`
			} `json:"versions"`
		} `json:"spec"`
	}
	if err := yaml.Unmarshal(text, &crd); err != nil {
		t.Fatal(err)
	}
	for _, version := range crd.Spec.Versions {
		offered := version.Schema.OpenAPIV3Schema.Properties["spec"].Properties["outputs"].Items.Properties["format"].Enum
		var known []string
		for name := range formats {
			known = append(known, string(name))
		}
		slices.Sort(offered)
		slices.Sort(known)
		if !slices.Equal(offered, known) {
			t.Errorf("the CRD offers %v, and the table has %v", offered, known)
		}
	}
}

// TestOutputFormatsAreComplete holds for each entry of the table, those to come included.
func TestOutputFormatsAreComplete(t *testing.T) {
	for name, d := range formats {
		t.Run(string(name), func(t *testing.T) {
			keys := map[string]bool{}
			hasToken, hasChosen := false, false
			for _, v := range d.values {
				if keys[v.key] {
					t.Errorf("two values stand under the key %q", v.key)
				}
				keys[v.key] = true
				hasToken = hasToken || v.of == accessToken && v.wanted == nil
				hasChosen = hasChosen || v.key == ""
				if v.of == refreshToken && v.wanted == nil {
					t.Error("it holds the refresh token although nobody has asked for it")
				}
			}
			if !hasToken {
				t.Error("no value is always made of the access token")
			}
			if hasChosen != (d.key != "") {
				t.Error("a key can be chosen if and only if there is one by default")
			}
			if d.login && !d.username {
				t.Error("the login goes before the default of a user name that is not used")
			}
			if strings.HasPrefix(string(d.secretType), "kubernetes.io/") && d.key != "" {
				t.Error("a key can be chosen where Kubernetes demands one")
			}
		})
	}
}

// TestOutputDefaultsDoNotOutrankTheSpec tries each field on each format that uses it.
func TestOutputDefaultsDoNotOutrankTheSpec(t *testing.T) {
	defaults := Defaults{AppHost: "ghe.example.com", UserLogin: "octocat"}
	full := v1alpha1.Output{Key: "k", Username: "u", Host: "h", Registry: "r", Type: "example.com/t", Prefix: "Basic"}
	for name, d := range formats {
		full.Format = name
		s := settingsOf(full, defaults)
		if d.key != "" && s.Key != "k" || d.username && s.Username != "u" || d.host && s.Host != "h" || d.registry && s.Registry != "r" || d.prefix && s.Prefix != "Basic" || s.Type != "example.com/t" {
			t.Errorf("%s: something other than what the spec gives is used: %+v", name, s)
		}
	}
}

func TestOutputDefaultsAreThoseOfThePair(t *testing.T) {
	for name, c := range map[string]struct {
		state rotation.State
		want  Defaults
	}{
		"the host is the pair's and not the spec's": {
			rotation.State{App: "ghe.example.com:8443/Iv1"}, Defaults{AppHost: "ghe.example.com:8443"},
		},
		"the login, once it is known": {
			rotation.State{App: "github.com/Iv1", User: &rotation.User{Login: "octocat", ID: 1}}, Defaults{AppHost: "github.com", UserLogin: "octocat"},
		},
		"none, of a pair whose state was lost": {rotation.State{}, Defaults{}},
	} {
		t.Run(name, func(t *testing.T) {
			if got := DefaultsOf(&rotation.Pair{State: c.state}); got != c.want {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
		})
	}
}
