package gateways

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	egv1a1 "github.com/envoyproxy/gateway/api/v1alpha1"
	"k8s.io/apimachinery/pkg/util/json"
	gwapiv1 "sigs.k8s.io/gateway-api/apis/v1"
	"sigs.k8s.io/yaml"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/outputs/format"
	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

const folder = "../../config/samples/recipes"

// objectsOf are the objects of a recipe, as text and decoded.
func objectsOf(t *testing.T, name string) (texts []string, objects []map[string]any) {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(folder, name))
	if err != nil {
		t.Fatal(err)
	}
	for text := range strings.SplitSeq(string(content), "\n---\n") {
		texts, objects = append(texts, text), append(objects, decode(t, text))
	}
	return texts, objects
}

// decode reads an object as the API server does, which tells whole numbers from others.
func decode(t *testing.T, text string) (object map[string]any) {
	t.Helper()
	encoded, err := yaml.YAMLToJSON([]byte(text))
	if err == nil {
		err = json.Unmarshal(encoded, &object)
	}
	if err != nil {
		t.Fatal(err)
	}
	return object
}

// secretsGroup is the API group of External Secrets.
const secretsGroup = "external-secrets.io"

// isOf reports whether an object is of a consumer whose definitions are here. Those of Envoy AI Gateway are not.
func isOf(object map[string]any) bool {
	group, _, _ := strings.Cut(object["apiVersion"].(string), "/")
	return group == egv1a1.GroupName || group == gwapiv1.GroupName || group == secretsGroup
}

func TestGatewaysTakeTheManifestsOfTheRecipes(t *testing.T) {
	known := readDefinitions(t)
	for name, least := range map[string]int{"envoy_gateway.yaml": 4, "mcp_server.yaml": 2, "envoy_ai_gateway.yaml": 4, "external_secrets.yaml": 3} {
		t.Run(name, func(t *testing.T) {
			_, objects := objectsOf(t, name)
			tried := 0
			for _, object := range objects {
				if !isOf(object) {
					continue
				}
				tried++
				id := object["apiVersion"].(string) + " " + object["kind"].(string)
				definition, ok := known[id]
				if !ok {
					t.Errorf("there is no %s", id)
					continue
				}
				for _, problem := range definition.refuse(t, object) {
					t.Errorf("%s: %s", id, problem)
				}
			}
			if tried < least {
				t.Errorf("%d objects were tried, want %d", tried, least)
			}
		})
	}
}

// A validation that takes everything would show nothing.
func TestGatewaysRefuseWhatIsNoManifest(t *testing.T) {
	known := readDefinitions(t)
	for says, text := range map[string]string{
		`unknown field spec.credentialInjection.credential.value`: `{"apiVersion":"gateway.envoyproxy.io/v1alpha1","kind":"HTTPRouteFilter","metadata":{"name":"a"},"spec":{"credentialInjection":{"credential":{"value":"a","valueRef":{"name":"a"}}}}}`,
		"only one of fqdn, ip or unix can be specified":           `{"apiVersion":"gateway.envoyproxy.io/v1alpha1","kind":"Backend","metadata":{"name":"a"},"spec":{"endpoints":[{"fqdn":{"hostname":"a.example","port":443},"ip":{"address":"10.0.0.1","port":443}}]}}`,
		"Must have port for Service reference":                    `{"apiVersion":"gateway.networking.k8s.io/v1","kind":"HTTPRoute","metadata":{"name":"a"},"spec":{"rules":[{"backendRefs":[{"name":"a"}]}]}}`,
		"unknown field spec.data[0].remoteRef.field":              `{"apiVersion":"external-secrets.io/v1","kind":"ExternalSecret","metadata":{"name":"a"},"spec":{"secretStoreRef":{"name":"a"},"data":[{"secretKey":"a","remoteRef":{"key":"a","field":"b"}}]}}`,
		"spec.updatePolicy: Unsupported value":                    `{"apiVersion":"external-secrets.io/v1alpha1","kind":"PushSecret","metadata":{"name":"a"},"spec":{"updatePolicy":"Always","secretStoreRefs":[{"name":"a"}],"selector":{"secret":{"name":"a"}}}}`,
	} {
		object := decode(t, text)
		problems := known[object["apiVersion"].(string)+" "+object["kind"].(string)].refuse(t, object)
		if !strings.Contains(strings.Join(problems, "; "), says) {
			t.Errorf("it says %q, want %q", problems, says)
		}
	}
}

// Envoy Gateway sends what stands under its key of the Secret, as it stands, in the header Authorization.
func TestGatewaysFindTheHeaderUnderTheirKey(t *testing.T) {
	access := credential.NewAccessToken("ghu_abcdefghijklmnopqrstuvwxyz0123456789")
	pair := &rotation.Pair{AccessToken: access, State: rotation.State{AccessToken: access.Fingerprint()}}
	for _, name := range []string{"envoy_gateway.yaml", "mcp_server.yaml"} {
		texts, objects := objectsOf(t, name)
		secrets := map[string]map[string][]byte{}
		var filter egv1a1.HTTPRouteFilter
		for i, object := range objects {
			var err error
			switch object["kind"] {
			case "GitHubUserToken":
				var token v1alpha1.GitHubUserToken
				err = yaml.UnmarshalStrict([]byte(texts[i]), &token)
				for _, output := range token.Spec.Outputs {
					rendered, renderErr := format.Render(output, pair, format.Defaults{})
					if renderErr != nil {
						t.Fatal(renderErr)
					}
					secrets[output.Name] = rendered.Data
				}
			case "HTTPRouteFilter":
				err = yaml.UnmarshalStrict([]byte(texts[i]), &filter)
			}
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
		}
		injected := filter.Spec.CredentialInjection
		if injected == nil || injected.Header != nil || injected.Overwrite == nil || !*injected.Overwrite {
			t.Fatalf("%s: the filter does not set the header", name)
		}
		data := secrets[string(injected.Credential.ValueRef.Name)]
		if value := string(data[egv1a1.InjectedCredentialKey]); value != "Bearer "+access.Reveal() || len(data) != 1 {
			t.Errorf("%s: there is no header under %s, or more than that", name, egv1a1.InjectedCredentialKey)
		}
	}
}
