package format_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/outputs/format"
	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

func TestOutputOpaqueHoldsTheAccessTokenAndItsExpiry(t *testing.T) {
	permanent := newPair(accessToken, "")
	permanent.State.ExpiresAt = time.Time{}

	for _, test := range []struct {
		name string
		spec v1alpha1.Output
		pair *rotation.Pair
		want map[string]string
	}{
		{"the refresh token is left out", v1alpha1.Output{}, newPair(accessToken, refreshToken),
			map[string]string{"access_token": accessToken, "expires_at": "2026-03-04T05:06:07Z"}},
		{"the refresh token is there when it is asked for", v1alpha1.Output{IncludeRefreshToken: true}, newPair(accessToken, refreshToken),
			map[string]string{"access_token": accessToken, "refresh_token": refreshToken, "expires_at": "2026-03-04T05:06:07Z"}},
		{"the key can be chosen", v1alpha1.Output{Key: "GITHUB_TOKEN"}, newPair(accessToken, refreshToken),
			map[string]string{"GITHUB_TOKEN": accessToken, "expires_at": "2026-03-04T05:06:07Z"}},
		{"a token that never expires has no expiry and no refresh token", v1alpha1.Output{IncludeRefreshToken: true}, permanent,
			map[string]string{"access_token": accessToken}},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.spec.Format = v1alpha1.OutputFormatOpaque
			rendered := render(t, test.spec, test.pair, format.Defaults{})
			wantData(t, rendered, test.want)
			if rendered.Type != "Opaque" {
				t.Errorf("type is %s", rendered.Type)
			}
		})
	}
}

func TestOutputBasicAuthHasTheKeysThatKubernetesFluxTektonAndArgoCDRead(t *testing.T) {
	spec := v1alpha1.Output{Format: v1alpha1.OutputFormatBasicAuth}
	rendered := render(t, spec, newPair(accessToken, refreshToken), format.Defaults{AppHost: "github.example.com:8443/api/v3"})
	if rendered.Type != string(corev1.SecretTypeBasicAuth) {
		t.Errorf("type is %s", rendered.Type)
	}
	wantData(t, rendered, map[string]string{
		"username": "x-access-token", "password": accessToken, "url": "https://github.example.com:8443/"})
}

func TestOutputDockerConfigJSONIsWhatKubernetesAndRegistriesRead(t *testing.T) {
	for _, test := range []struct {
		name     string
		spec     v1alpha1.Output
		host     string
		registry string
		username string
	}{
		{"GitHub's registry by default", v1alpha1.Output{}, "github.com", "ghcr.io", "x-access-token"},
		{"that of github.com where no host is said", v1alpha1.Output{}, "", "ghcr.io", "x-access-token"},
		{"that of github.com by its port", v1alpha1.Output{}, "GitHub.com:443", "ghcr.io", "x-access-token"},
		{"that of a residency", v1alpha1.Output{}, "octocorp.ghe.com", "containers.octocorp.ghe.com", "x-access-token"},
		{"that of an Enterprise Server", v1alpha1.Output{}, "github.example.com/api/v3", "containers.github.example.com", "x-access-token"},
		{"that of an Enterprise Server on a port", v1alpha1.Output{}, "github.example.com:8443", "containers.github.example.com:8443", "x-access-token"},
		{"that of an Enterprise Server whose name ends like GitHub's", v1alpha1.Output{}, "notgithub.com", "containers.notgithub.com", "x-access-token"},
		{"a registry and user of one's own", v1alpha1.Output{Registry: "containers.github.example.com:5000", Username: "octocat"}, "github.example.com",
			"containers.github.example.com:5000", "octocat"},
		{"a mirror of one's own", v1alpha1.Output{Registry: "mirror.example.com"}, "octocorp.ghe.com", "mirror.example.com", "x-access-token"},
		{"one of an address", v1alpha1.Output{Registry: "registry.example.com"}, "10.1.2.3:8443", "registry.example.com", "x-access-token"},
		{"GitHub's older registry", v1alpha1.Output{Registry: "docker.pkg.github.com"}, "github.com", "docker.pkg.github.com", "x-access-token"},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.spec.Format = v1alpha1.OutputFormatDockerConfigJSON
			rendered := render(t, test.spec, newPair(accessToken, refreshToken), format.Defaults{AppHost: test.host})
			if rendered.Type != string(corev1.SecretTypeDockerConfigJson) || len(rendered.Data) != 1 {
				t.Errorf("type is %s with %d keys", rendered.Type, len(rendered.Data))
			}
			var config struct {
				Auths map[string]struct{ Username, Password, Auth string }
			}
			if err := json.Unmarshal(rendered.Data[corev1.DockerConfigJsonKey], &config); err != nil {
				t.Fatalf("the value is not JSON: %v", err)
			}
			entry, ok := config.Auths[test.registry]
			if !ok || len(config.Auths) != 1 {
				t.Fatalf("there is no entry for %s alone", test.registry)
			}
			auth, err := base64.StdEncoding.DecodeString(entry.Auth)
			if err != nil {
				t.Fatal("auth is not base64")
			}
			if entry.Username != test.username || entry.Password != accessToken || string(auth) != test.username+":"+accessToken {
				t.Error("the entry does not hold the user name and the token")
			}
		})
	}
}

func TestOutputGitHubCLIIsAConfigurationFolderOfGH(t *testing.T) {
	for _, test := range []struct {
		name     string
		spec     v1alpha1.Output
		defaults format.Defaults
		host     string
		user     string
	}{
		{"the account's login once it is known", v1alpha1.Output{}, format.Defaults{AppHost: "github.com", UserLogin: "octocat"}, "github.com", "octocat"},
		{"the general name before that", v1alpha1.Output{}, format.Defaults{AppHost: "octocorp.ghe.com"}, "octocorp.ghe.com", "x-access-token"},
		{"a name of one's own", v1alpha1.Output{Username: "monalisa", Host: "github.example.com"}, format.Defaults{UserLogin: "octocat"}, "github.example.com", "monalisa"},
		{"a login that YAML would take for a number", v1alpha1.Output{}, format.Defaults{UserLogin: "0123"}, "github.com", "0123"},
		{"a login that YAML would take for nothing", v1alpha1.Output{}, format.Defaults{UserLogin: "null"}, "github.com", "null"},
		{"a host that YAML would take for a mapping", v1alpha1.Output{Host: "localhost:8443"}, format.Defaults{UserLogin: "yes"}, "localhost:8443", "yes"},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.spec.Format = v1alpha1.OutputFormatGitHubCLI
			rendered := render(t, test.spec, newPair(accessToken, refreshToken), test.defaults)
			var hosts map[string]any
			if err := yaml.UnmarshalStrict(rendered.Data["hosts.yml"], &hosts); err != nil {
				t.Fatal("hosts.yml is not YAML")
			}
			want := map[string]any{test.host: map[string]any{
				"git_protocol": "https",
				"oauth_token":  accessToken,
				"user":         test.user,
				"users":        map[string]any{test.user: map[string]any{"oauth_token": accessToken}},
			}}
			if !reflect.DeepEqual(hosts, want) {
				t.Error("hosts.yml does not say what gh reads")
			}
			var config map[string]any
			if err := yaml.UnmarshalStrict(rendered.Data["config.yml"], &config); err != nil || config["version"] != "1" {
				t.Errorf("config.yml does not say that the folder is of version 1: %v", config)
			}
		})
	}

	t.Run("under another key there is the one file only", func(t *testing.T) {
		spec := v1alpha1.Output{Format: v1alpha1.OutputFormatGitHubCLI, Key: "gh.yml"}
		rendered := render(t, spec, newPair(accessToken, refreshToken), format.Defaults{})
		if len(rendered.Data) != 1 || len(rendered.Data["gh.yml"]) == 0 {
			t.Errorf("%d keys, want gh.yml alone", len(rendered.Data))
		}
	})
}

func TestOutputThatCannotBeRenderedIsRefusedWithASentence(t *testing.T) {
	for _, test := range []struct {
		name string
		spec v1alpha1.Output
		pair *rotation.Pair
	}{
		{"an unknown format", v1alpha1.Output{Format: "Helm"}, newPair(accessToken, refreshToken)},
		{"a user name with a line break", v1alpha1.Output{Format: v1alpha1.OutputFormatNetrc, Username: "a\nmachine evil"}, newPair(accessToken, refreshToken)},
		{"a user name with a colon", v1alpha1.Output{Format: v1alpha1.OutputFormatDockerConfigJSON, Username: "a:b"}, newPair(accessToken, refreshToken)},
		{"a host with a path", v1alpha1.Output{Format: v1alpha1.OutputFormatGitCredentials, Host: "github.com/x"}, newPair(accessToken, refreshToken)},
		{"a host with a user", v1alpha1.Output{Format: v1alpha1.OutputFormatGitCredentials, Host: "a@github.com"}, newPair(accessToken, refreshToken)},
		{"a registry with a scheme", v1alpha1.Output{Format: v1alpha1.OutputFormatDockerConfigJSON, Registry: "https://ghcr.io"}, newPair(accessToken, refreshToken)},
		{"a key that Kubernetes refuses", v1alpha1.Output{Format: v1alpha1.OutputFormatOpaque, Key: "..data"}, newPair(accessToken, refreshToken)},
		{"the key of the expiry", v1alpha1.Output{Format: v1alpha1.OutputFormatOpaque, Key: "expires_at"}, newPair(accessToken, refreshToken)},
		{"the key of the refresh token, which is asked for too", v1alpha1.Output{Format: v1alpha1.OutputFormatOpaque, Key: "refresh_token", IncludeRefreshToken: true}, newPair(accessToken, refreshToken)},
		{"a Secret into which Kubernetes puts a token of its own", v1alpha1.Output{Format: v1alpha1.OutputFormatOpaque, Type: "kubernetes.io/service-account-token"}, newPair(accessToken, refreshToken)},
		{"a Secret that lets nodes join", v1alpha1.Output{Format: v1alpha1.OutputFormatOpaque, Type: "bootstrap.kubernetes.io/token"}, newPair(accessToken, refreshToken)},
		{"a type that wants another key", v1alpha1.Output{Format: v1alpha1.OutputFormatNetrc, Type: "kubernetes.io/dockerconfigjson"}, newPair(accessToken, refreshToken)},
		{"user name and password without a password", v1alpha1.Output{Format: v1alpha1.OutputFormatOpaque, Type: "kubernetes.io/basic-auth"}, newPair(accessToken, refreshToken)},
		{"a type that belongs to another format", v1alpha1.Output{Format: v1alpha1.OutputFormatDockerConfigJSON, Type: "kubernetes.io/basic-auth"}, newPair(accessToken, refreshToken)},
		{"a prefix with a line break", v1alpha1.Output{Format: v1alpha1.OutputFormatHeader, Prefix: "Bearer\nHost:"}, newPair(accessToken, refreshToken)},
		{"a prefix that ends in a blank", v1alpha1.Output{Format: v1alpha1.OutputFormatHeader, Prefix: "Bearer "}, newPair(accessToken, refreshToken)},
		{"a prefix that is too long", v1alpha1.Output{Format: v1alpha1.OutputFormatHeader, Prefix: strings.Repeat("a", 65)}, newPair(accessToken, refreshToken)},
		{"a user name with a colon in a header", v1alpha1.Output{Format: v1alpha1.OutputFormatHeader, Prefix: "Basic", Username: "a:b"}, newPair(accessToken, refreshToken)},
		{"a token with a line break in a header", v1alpha1.Output{Format: v1alpha1.OutputFormatHeader}, newPair("ghu_a\r\nHost: b", refreshToken)},
		{"a token with a line break", v1alpha1.Output{Format: v1alpha1.OutputFormatOpaque}, newPair("ghu_a\nb", refreshToken)},
		{"a token with a space", v1alpha1.Output{Format: v1alpha1.OutputFormatGitHubCLI}, newPair("ghu_a b", refreshToken)},
		{"a token with a quote in a netrc", v1alpha1.Output{Format: v1alpha1.OutputFormatNetrc}, newPair(`ghu_a"b`, refreshToken)},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.spec.Name = "my-output"
			rendered, err := format.Render(test.spec, test.pair, format.Defaults{})
			if err == nil {
				t.Fatal("it was rendered")
			}
			if errors.Is(err, format.ErrNoToken) {
				t.Errorf("the error blames the pair: %v", err)
			}
			if rendered.Type != "" || rendered.Data != nil {
				t.Error("there is content besides the error")
			}
			wantNoToken(t, err.Error(), test.pair.AccessToken.Reveal(), test.pair.RefreshToken.Reveal())
		})
	}
}

func TestOutputTypesThatFitAreTaken(t *testing.T) {
	for _, test := range []struct {
		name string
		spec v1alpha1.Output
	}{
		{"a name of one's own", v1alpha1.Output{Format: v1alpha1.OutputFormatOpaque, Type: "example.com/token"}},
		{"plain, for user name and password", v1alpha1.Output{Format: v1alpha1.OutputFormatBasicAuth, Type: "Opaque"}},
		{"basic-auth with a password alone", v1alpha1.Output{Format: v1alpha1.OutputFormatOpaque, Key: "password", Type: "kubernetes.io/basic-auth"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			if rendered := render(t, test.spec, newPair(accessToken, refreshToken), format.Defaults{}); rendered.Type != test.spec.Type {
				t.Errorf("type is %s, want %s", rendered.Type, test.spec.Type)
			}
		})
	}
}

func TestOutputIsNotRenderedFromAPairThatItsStateDoesNotKnow(t *testing.T) {
	edited := newPair(accessToken, refreshToken)
	edited.AccessToken = credential.NewAccessToken("ghu_edited_by_hand")

	for _, test := range []struct {
		name string
		pair *rotation.Pair
	}{
		{"no pair yet", &rotation.Pair{}},
		{"the metadata alone", metadataOnly(newPair(accessToken, refreshToken))},
		{"an access token that somebody wrote into the Secret", edited},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := format.Render(v1alpha1.Output{Name: "out", Format: v1alpha1.OutputFormatOpaque}, test.pair, format.Defaults{})
			if !errors.Is(err, format.ErrNoToken) {
				t.Fatalf("err = %v, want ErrNoToken", err)
			}
			wantNoToken(t, err.Error(), test.pair.AccessToken.Reveal())
		})
	}
}

// TestOutputTypesFulfilWhatTheAPIServerDemands holds the rules of the API server for the built-in types
// (ValidateSecret in k8s.io/kubernetes): it would refuse the Secret otherwise.
func TestOutputTypesFulfilWhatTheAPIServerDemands(t *testing.T) {
	for _, shape := range formats {
		t.Run(string(shape), func(t *testing.T) {
			rendered := render(t, v1alpha1.Output{Format: shape}, newPair(accessToken, refreshToken), format.Defaults{})
			switch corev1.SecretType(rendered.Type) {
			case corev1.SecretTypeOpaque:
			case corev1.SecretTypeBasicAuth:
				if rendered.Data["username"] == nil && rendered.Data["password"] == nil {
					t.Error("neither username nor password")
				}
			case corev1.SecretTypeDockerConfigJson:
				if !json.Valid(rendered.Data[".dockerconfigjson"]) {
					t.Error("no .dockerconfigjson with JSON in it")
				}
			default:
				t.Errorf("unexpected type %s", rendered.Type)
			}
		})
	}
}

var formats = []v1alpha1.OutputFormat{
	v1alpha1.OutputFormatOpaque, v1alpha1.OutputFormatBasicAuth, v1alpha1.OutputFormatDockerConfigJSON,
	v1alpha1.OutputFormatGitCredentials, v1alpha1.OutputFormatNetrc, v1alpha1.OutputFormatGitHubCLI, v1alpha1.OutputFormatHeader,
}
