package controllers

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
)

const sampleSpec = `{"app":{"clientID":"Iv23liEXAMPLE","clientSecretRef":{"name":"github-app"}},"refreshTokenRef":{"name":"octocat-seed"}}`

// apply tries a resource whose spec is the sample with a JSON merge patch applied, without storing it.
func (w *world) apply(name, patch string) (*v1alpha1.GitHubUserToken, error) {
	w.t.Helper()
	var spec map[string]any
	w.must(json.Unmarshal([]byte(sampleSpec), &spec))
	var changes map[string]any
	w.must(json.Unmarshal([]byte(patch), &changes))
	object := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": v1alpha1.GroupVersion.String(), "kind": "GitHubUserToken",
		"metadata": map[string]any{"namespace": w.namespace, "name": name}, "spec": merge(spec, changes),
	}}
	if err := admin.Create(w.ctx, object, client.DryRunAll); err != nil {
		return nil, err
	}
	text, err := object.MarshalJSON()
	w.must(err)
	var token v1alpha1.GitHubUserToken
	w.must(json.Unmarshal(text, &token))
	return &token, nil
}

func merge(base, changes map[string]any) map[string]any {
	for key, value := range changes {
		below, isMap := value.(map[string]any)
		existing, wasMap := base[key].(map[string]any)
		switch {
		case value == nil:
			delete(base, key)
		case isMap && wasMap:
			base[key] = merge(existing, below)
		default:
			base[key] = value
		}
	}
	return base
}

const (
	saysOneApp     = "name the App, by clientID or by ref (a GitHubApp or ClusterGitHubApp), and not by both"
	saysAppsHost   = "with ref the host and the client secret are those of the App that it names"
	saysName       = "must be the name of an object: lower-case letters, digits and dashes, in parts"
	saysHostPort   = "must be a lower-case host name such as ghcr.io or github.example.com:8443, without https:// and without a path"
	saysKey        = "must be a key of a Secret: letters, digits, dashes, underscores and dots"
	saysHost       = "must be a lower-case host name such as github.com, octocorp.ghe.com or github.example.com:8443"
	saysClientID   = "must be the client ID from the App's settings page, for example Iv23liEXAMPLE"
	saysDuration   = "must be a duration between 1s and 4380h, for example 90m or 2h"
	saysInterval   = "must be a duration between 10s and 4380h, for example 5m"
	saysLogin      = "must be a GitHub login: letters, digits, dashes and underscores"
	saysLabels     = "labels that start with githubusertoken.dev/ are set by the operator itself"
	saysNotes      = "annotations that start with githubusertoken.dev/ are set by the operator itself"
	saysMetaKeys   = "must have keys such as team or example.com/team"
	saysLabelValue = "must be a value that a label can have: letters, digits, dashes, underscores and dots"
	saysURL        = "must be an https:// URL with a host, without a user name"
	saysKeyTaken   = "the key is taken by another value of this output"
	saysType       = "a type that begins with kubernetes.io/ must be the one that belongs to the format"
	saysHostFormat = "host belongs to the formats BasicAuth, GitCredentials, Netrc and GitHubCLI only"
	saysPrefix     = "must be words such as Bearer, with one blank between them and none at the end"
	saysHeaderName = "the format Header has a username only where prefix is Basic"
	saysScopes     = "must be scopes such as repo or read:org, one in each entry"
	saysNoScopes   = "a GitHub App (client ID Iv…) knows no scopes: leave out scopes, and set the permissions in the App"
	saysGroup      = "apiGroup must be the group of kind: argoproj.io for Rollout, otherwise apps"
	saysUsername   = "must consist of letters, digits, dots, dashes and underscores"
)

// nonsense is what the API server must refuse, with the sentence that tells a person why.
var nonsense = []struct{ patch, says string }{
	{`{"refreshTokenRef":null}`, "say where the authorization comes from: refreshTokenRef (a Secret with a refresh token), login (with methods: [DeviceFlow] a person enters a code), or both"},
	{`{"refreshTokenRef":{"name":"sample"}}`, "the pair would be written over the seed: spec.secret.name (by default the name of the resource) must differ from spec.refreshTokenRef.name"},
	{`{"secret":{"name":"octocat-seed"}}`, "the pair would be written over the seed"},
	{`{"app":{"clientSecretRef":{"name":"sample"}}}`, "the pair would be written over the client secret: spec.secret.name (by default the name of the resource) must differ from spec.app.clientSecretRef.name"},
	{`{"secret":{"name":"github-app"}}`, "the pair would be written over the client secret"},
	{`{"outputs":[{"name":"sample","format":"Netrc"}]}`, "an output must not have the name of the pair's Secret (spec.secret.name, by default the name of the resource)"},
	{`{"secret":{"name":"pair"},"outputs":[{"name":"pair","format":"Netrc"}]}`, "an output must not have the name of the pair's Secret"},
	{`{"outputs":[{"name":"octocat-seed","format":"Netrc"}]}`, "an output must not have the name of the seed (refreshTokenRef.name)"},
	{`{"outputs":[{"name":"github-app","format":"Netrc"}]}`, "an output must not have the name of the client secret's Secret (app.clientSecretRef.name)"},

	{`{"login":{"methods":["DeviceFlow"]},"deviceFlow":{}}`, "deviceFlow is what login was before: leave deviceFlow out, and put its scopes into login.scopes"},
	{`{"login":{}}`, "Required value"},
	{`{"login":{"methods":[]}}`, "should have at least 1 items"},
	{`{"login":{"methods":["Password"]}}`, `Unsupported value: "Password"`},
	{`{"app":{"clientSecretRef":null},"login":{"methods":["WebFlow"]}}`, "the login method WebFlow needs the client secret of the App"},
	{`{"login":{"methods":["DeviceFlow","DeviceFlow"]}}`, "Duplicate value"},
	{`{"deviceFlow":{"scopes":["repo"]}}`, saysNoScopes},
	{`{"login":{"methods":["DeviceFlow"],"scopes":["repo"]}}`, saysNoScopes},
	{`{"app":{"clientID":"Ov23liEXAMPLE"},"deviceFlow":{"scopes":["repo read:org"]}}`, saysScopes},
	{`{"app":{"clientID":"Ov23liEXAMPLE"},"login":{"methods":["DeviceFlow"],"scopes":["repo,read:org"]}}`, saysScopes},
	{`{"app":{"clientID":"Ov23liEXAMPLE"},"login":{"methods":["DeviceFlow"],"scopes":["repo read:org"]}}`, saysScopes},
	{`{"app":{"clientID":"Ov23liEXAMPLE"},"login":{"methods":["DeviceFlow"],"scopes":["repo","repo"]}}`, "Duplicate value"},
	{`{"app":{"clientID":"Ov23liEXAMPLE"},"login":{"methods":["DeviceFlow"],"scopes":[""]}}`, "should be at least 1 chars long"},
	{`{"app":{"clientID":"Ov23liEXAMPLE"},"login":{"methods":["DeviceFlow"],"scopes":[]}}`, "should have at least 1 items"},

	{`{"app":{"host":"https://github.com"}}`, saysHost},
	{`{"app":{"host":"GitHub.com"}}`, saysHost},
	{`{"app":{"host":"github.com/login"}}`, saysHost},
	{`{"app":{"host":"user@github.com"}}`, saysHost},
	{`{"app":{"host":"github.com:0"}}`, saysHost},
	{`{"app":{"host":"github.com:123456"}}`, saysHost},
	{`{"app":{"host":"github.com:65536"}}`, saysHost},
	{`{"app":{"host":"github.com:99999"}}`, saysHost},
	{`{"app":{"host":"git hub.com"}}`, saysHost},
	{`{"app":{"host":"github.com\n"}}`, saysHost},
	{`{"app":{"host":"-github.com"}}`, saysHost},
	{`{"app":{"host":"github..com"}}`, saysHost},
	{`{"app":{"host":""}}`, "should be at least 1 chars long"},
	{`{"app":{"host":"` + strings.Repeat("a", 254) + `"}}`, "may not be more than 253"},
	{`{"app":{"clientID":null}}`, saysOneApp},
	{`{"app":{"ref":{"name":"mine"}}}`, saysOneApp},
	{`{"app":{"clientID":null,"ref":{"name":"mine"}}}`, saysAppsHost},
	{`{"app":{"clientID":null,"clientSecretRef":null,"host":"github.com","ref":{"name":"mine"}}}`, saysAppsHost},
	{`{"app":{"clientID":null,"clientSecretRef":null,"ref":{"name":"Mine"}}}`, saysName},
	{`{"app":{"clientID":null,"clientSecretRef":null,"ref":{}}}`, "Required value"},
	{`{"app":{"clientID":null,"clientSecretRef":null,"ref":{"kind":"Secret","name":"mine"}}}`, "Unsupported value"},
	{`{"app":{"clientID":""}}`, "should be at least 1 chars long"},
	{`{"app":{"clientID":"Iv23li EXAMPLE"}}`, saysClientID},
	{`{"app":{"clientID":"../x"}}`, saysClientID},
	{`{"app":{"clientID":"` + strings.Repeat("a", 101) + `"}}`, "may not be more than 100"},
	{`{"app":{"clientSecretRef":{"name":null}}}`, "spec.app.clientSecretRef.name: Required value"},
	{`{"app":{"clientSecretRef":{"name":"Not_A_Name"}}}`, saysName},
	{`{"app":{"clientSecretRef":{"name":"a..b"}}}`, saysName},
	{`{"app":{"clientSecretRef":{"key":"a/b"}}}`, saysKey},
	{`{"app":{"clientSecretRef":{"key":".."}}}`, saysKey},
	{`{"app":{"clientSecretRef":{"key":""}}}`, "should be at least 1 chars long"},
	{`{"refreshTokenRef":{"name":null}}`, "spec.refreshTokenRef.name: Required value"},
	{`{"refreshTokenRef":{"name":""}}`, "should be at least 1 chars long"},
	{`{"refreshTokenRef":{"name":"other-namespace/seed"}}`, saysName},
	{`{"refreshTokenRef":{"name":"` + strings.Repeat("a", 254) + `"}}`, "may not be more than 253"},
	{`{"refreshTokenRef":{"name":"a.-b"}}`, saysName},
	{`{"refreshTokenRef":{"key":"refresh token"}}`, saysKey},
	{`{"refreshTokenRef":{"key":"."}}`, saysKey},
	{`{"refreshTokenRef":{"key":"` + strings.Repeat("a", 254) + `"}}`, "may not be more than 253"},
	{`{"secret":{"name":"Upper"}}`, saysName},
	{`{"secret":{"name":"ends-with-"}}`, saysName},
	{`{"secret":{"name":"a..b"}}`, saysName},
	{`{"secret":{"name":"a.-b"}}`, saysName},
	{`{"secret":{"name":"a.b\n"}}`, saysName},
	{`{"secret":{"name":"` + strings.Repeat("a", 254) + `"}}`, "may not be more than 253"},
	{`{"secret":{"labels":{"githubusertoken.dev/role":"x"}}}`, saysLabels},
	{`{"secret":{"annotations":{"githubusertoken.dev/state":"x"}}}`, saysNotes},
	{`{"secret":{"labels":{"not a key":"x"}}}`, saysMetaKeys},
	{`{"secret":{"labels":{"a/b/c":"x"}}}`, saysMetaKeys},
	{`{"secret":{"labels":{"Upper/team":"x"}}}`, saysMetaKeys},
	{`{"secret":{"labels":{"` + strings.Repeat("a", 64) + `":"x"}}}`, saysMetaKeys},
	{`{"secret":{"labels":{"` + strings.Repeat("a", 254) + `/b":"x"}}}`, saysMetaKeys},
	{`{"secret":{"labels":{"team":"` + strings.Repeat("a", 64) + `"}}}`, "may not be more than 63"},
	{`{"secret":{"labels":{"team":"a b"}}}`, saysLabelValue},
	{`{"secret":{"labels":{"team":"a/b"}}}`, saysLabelValue},
	{`{"secret":{"labels":{"team":"-a"}}}`, saysLabelValue},
	{`{"secret":{"labels":{"team":"a\n"}}}`, saysLabelValue},
	{`{"secret":{"annotations":{"not a key":"x"}}}`, saysMetaKeys},
	{`{"secret":{"labels":` + manyKeys(65) + `}}`, "must have at most 64 items"},
	{`{"secret":{"annotations":` + manyKeys(65) + `}}`, "must have at most 64 items"},
	{`{"rotation":{"strategy":"Alternate"}}`, "the strategy Alternate needs a second login: add rotation.alternateRefreshTokenRef (a Secret with its refresh token), or login"},
	{`{"refreshBefore":"1h","rotation":{"strategy":"Alternate","alternateRefreshTokenRef":{"name":"second","key":"refresh_token"}}}`, "refreshBefore has no meaning with the strategy Alternate: leave it out, and use rotation.overlap"},
	{`{"rotation":{"strategy":"Alternate","alternateRefreshTokenRef":{"name":"octocat-seed"}}}`, "both logins would be the same one: rotation.alternateRefreshTokenRef must name another seed than refreshTokenRef"},
	{`{"rotation":{"strategy":"Replace","overlap":"1h"}}`, "overlap and alternateRefreshTokenRef belong to the strategy Alternate only"},
	{`{"rotation":{"strategy":"Replace","alternateRefreshTokenRef":{"name":"second"}}}`, "overlap and alternateRefreshTokenRef belong to the strategy Alternate only"},
	{`{"rotation":{"strategy":"Twice"}}`, "Unsupported value: \"Twice\""},
	{`{"rotation":{"strategy":"Alternate","overlap":"0s","alternateRefreshTokenRef":{"name":"second"}}}`, "must be a duration between 1s and 1640h, for example 90m or 2h"},
	{`{"rotation":{"strategy":"Alternate","overlap":"1641h","alternateRefreshTokenRef":{"name":"second"}}}`, "must be a duration between 1s and 1640h, for example 90m or 2h"},
	{`{"secret":{"name":"` + strings.Repeat("a", 244) + `"},"rotation":{"strategy":"Alternate","alternateRefreshTokenRef":{"name":"second","key":"refresh_token"}}}`, "with the strategy Alternate the names of the resource and of its Secret must leave room for -alternate: at most 243 characters"},
	{`{"refreshTokenRef":{"name":"sample-primary"},"rotation":{"strategy":"Alternate","alternateRefreshTokenRef":{"name":"second","key":"refresh_token"}}}`, "a pair would be written over the seed: with the strategy Alternate the pairs are in the Secrets of that name with -primary and -alternate behind it"},
	{`{"rotation":{"strategy":"Alternate","alternateRefreshTokenRef":{"name":"sample-alternate"}}}`, "a pair would be written over the seed: rotation.alternateRefreshTokenRef must not name the Secret of spec.secret.name, nor that with -primary or -alternate behind it"},
	{`{"outputs":[{"name":"sample-primary","format":"Netrc"}],"rotation":{"strategy":"Alternate","alternateRefreshTokenRef":{"name":"second","key":"refresh_token"}}}`, "an output must not have the name of a pair's Secret: with the strategy Alternate those are spec.secret.name with -primary and -alternate behind it"},
	{`{"refreshBefore":"soon"}`, saysDuration},
	{`{"refreshBefore":""}`, saysDuration},
	{`{"refreshBefore":"0s"}`, saysDuration},
	{`{"refreshBefore":"999ms"}`, saysDuration},
	{`{"refreshBefore":"-1h"}`, saysDuration},
	{`{"refreshBefore":"4381h"}`, saysDuration},
	{`{"refreshBefore":"2d"}`, saysDuration},
	{`{"refreshBefore":"` + strings.Repeat("9", 31) + `h"}`, saysDuration},
	{`{"refreshBefore":"` + strings.Repeat("1m", 17) + `"}`, "may not be more than 32"},
	{`{"refreshBefore":7200}`, "must be of type string"},
	{`{"checkInterval":"9s"}`, saysInterval},
	{`{"checkInterval":"often"}`, saysInterval},
	{`{"checkInterval":"4381h"}`, saysInterval},
	{`{"deletionPolicy":"Keep"}`, `supported values: "Delete", "Retain", "Revoke"`},
	{`{"suspend":"yes"}`, "must be of type boolean"},
	{`{"user":{}}`, "name the account by login or by id"},
	{`{"user":{"login":"not a login"}}`, saysLogin},
	{`{"user":{"login":"` + strings.Repeat("a", 101) + `"}}`, "may not be more than 100"},
	{`{"user":{"id":0}}`, "should be greater than or equal to 1"},

	{`{"outputs":[{"format":"Netrc"}]}`, "spec.outputs[0].name: Required value"},
	{`{"outputs":[{"name":"out"}]}`, "spec.outputs[0].format: Required value"},
	{`{"outputs":[{"name":"out","format":"INI"}]}`, `supported values: "Opaque", "BasicAuth"`},
	{`{"outputs":[{"name":"Out","format":"Netrc"}]}`, saysName},
	{`{"outputs":[{"name":"out","format":"Netrc"},{"name":"out","format":"Opaque"}]}`, "Duplicate value"},
	{`{"outputs":` + manyOutputs(17) + `}`, "must have at most 16 items"},
	{`{"outputs":[{"name":"out","format":"Netrc","registry":"ghcr.io"}]}`, "registry belongs to the format DockerConfigJSON only"},
	{`{"outputs":[{"name":"out","format":"Netrc","url":"https://github.com"}]}`, "url belongs to the format BasicAuth only"},
	{`{"outputs":[{"name":"out","format":"Netrc","includeRefreshToken":true}]}`, "includeRefreshToken belongs to the format Opaque only"},
	{`{"outputs":[{"name":"out","format":"BasicAuth","key":"x"}]}`, "the keys of BasicAuth and DockerConfigJSON are fixed by Kubernetes: leave key out"},
	{`{"outputs":[{"name":"out","format":"Opaque","username":"x"}]}`, "the format Opaque has no username"},
	{`{"outputs":[{"name":"out","format":"Netrc","username":"a b"}]}`, saysUsername},
	{`{"outputs":[{"name":"out","format":"DockerConfigJSON","registry":"https://ghcr.io"}]}`, saysHostPort},
	{`{"outputs":[{"name":"out","format":"DockerConfigJSON","registry":"ghcr..io"}]}`, saysHostPort},
	{`{"outputs":[{"name":"out","format":"DockerConfigJSON","registry":"ghcr.io:65536"}]}`, saysHostPort},
	{`{"outputs":[{"name":"out","format":"Netrc","host":"https://github.com"}]}`, saysHostPort},
	{`{"outputs":[{"name":"out","format":"Netrc","host":"a..b"}]}`, saysHostPort},
	{`{"outputs":[{"name":"out","format":"Netrc","host":"github.com:99999"}]}`, saysHostPort},
	{`{"outputs":[{"name":"out","format":"BasicAuth","url":"http://github.com"}]}`, saysURL},
	{`{"outputs":[{"name":"out","format":"BasicAuth","url":"https://user@github.com"}]}`, saysURL},
	{`{"outputs":[{"name":"out","format":"BasicAuth","url":"https://x\ny"}]}`, saysURL},
	{`{"outputs":[{"name":"out","format":"BasicAuth","url":"https:///octo"}]}`, saysURL},
	{`{"outputs":[{"name":"out","format":"Netrc","key":"a b"}]}`, saysKey},
	{`{"outputs":[{"name":"out","format":"Netrc","key":".."}]}`, saysKey},
	{`{"outputs":[{"name":"out","format":"Netrc","key":"..data"}]}`, saysKey},
	{`{"outputs":[{"name":"out","format":"Netrc","labels":{"githubusertoken.dev/role":"x"}}]}`, saysLabels},
	{`{"outputs":[{"name":"out","format":"Netrc","annotations":{"githubusertoken.dev/state":"x"}}]}`, saysNotes},
	{`{"outputs":[{"name":"out","format":"Netrc","labels":{"not a key":"x"}}]}`, saysMetaKeys},
	{`{"outputs":[{"name":"out","format":"Netrc","labels":{"team":"` + strings.Repeat("a", 64) + `"}}]}`, "may not be more than 63"},
	{`{"outputs":[{"name":"out","format":"Netrc","labels":{"team":"a/b"}}]}`, saysLabelValue},
	{`{"outputs":[{"name":"a..b","format":"Netrc"}]}`, saysName},
	{`{"outputs":[{"name":"out","format":"Opaque","host":"github.example.com"}]}`, saysHostFormat},
	{`{"outputs":[{"name":"out","format":"DockerConfigJSON","host":"github.example.com"}]}`, saysHostFormat},
	{`{"outputs":[{"name":"out","format":"Header","host":"github.example.com"}]}`, saysHostFormat},
	{`{"outputs":[{"name":"out","format":"Opaque","prefix":"Bearer"}]}`, "prefix belongs to the format Header only"},
	{`{"outputs":[{"name":"out","format":"Header","prefix":"Bearer "}]}`, saysPrefix},
	{`{"outputs":[{"name":"out","format":"Header","prefix":"a\nb"}]}`, saysPrefix},
	{`{"outputs":[{"name":"out","format":"Header","prefix":""}]}`, "should be at least 1 chars long"},
	{`{"outputs":[{"name":"out","format":"Header","prefix":"` + strings.Repeat("a", 65) + `"}]}`, "Too long: may not be more than 64"},
	{`{"outputs":[{"name":"out","format":"Header","username":"octocat"}]}`, saysHeaderName},
	{`{"outputs":[{"name":"out","format":"Header","prefix":"Basics","username":"octocat"}]}`, saysHeaderName},
	{`{"outputs":[{"name":"out","format":"BasicAuth","host":"github.example.com","url":"https://github.com"}]}`, "host has no effect beside url: leave one of them out"},
	{`{"outputs":[{"name":"out","format":"Opaque","key":"expires_at"}]}`, saysKeyTaken},
	{`{"outputs":[{"name":"out","format":"Opaque","key":"refresh_token","includeRefreshToken":true}]}`, saysKeyTaken},
	{`{"outputs":[{"name":"out","format":"Opaque","type":"kubernetes.io/service-account-token"}]}`, saysType},
	{`{"outputs":[{"name":"out","format":"Opaque","type":"bootstrap.kubernetes.io/token"}]}`, saysType},
	{`{"outputs":[{"name":"out","format":"Opaque","type":"kubernetes.io/basic-auth"}]}`, saysType},
	{`{"outputs":[{"name":"out","format":"BasicAuth","type":"kubernetes.io/dockerconfigjson"}]}`, saysType},

	{`{"scopedOutputs":[{"name":"out","format":"Opaque","scope":{"target":"octo-org","permissions":{"Contents":"read"}}}]}`, "a permission is named in lower case with underscores, such as pull_requests"},
	{`{"scopedOutputs":[{"name":"out","format":"Opaque","scope":{"target":"octo-org","repositories":["octocat/app"],"permissions":{"contents":"read"}}}]}`, "must be the name of a repository without its owner: letters, digits, dots, dashes and underscores"},
	{`{"scopedOutputs":[{"name":"out","format":"Opaque","scope":{"target":"octo-org","repositories":["app"],"repositoryIDs":[1],"permissions":{"contents":"read"}}}]}`, "name the repositories by repositories or by repositoryIDs, not by both"},
	{`{"scopedOutputs":[{"name":"out","format":"Opaque","includeRefreshToken":true,"scope":{"target":"octo-org","repositories":["app"],"permissions":{"contents":"read"}}}]}`, "no refresh token comes with a scoped token: leave includeRefreshToken out"},
	{`{"scopedOutputs":[{"name":"out","format":"Opaque","key":"scoped_tokens","scope":{"target":"octo-org","repositories":["app"],"permissions":{"contents":"read"}}}]}`, "the key scoped_tokens is taken in a scoped output: choose another key"},
	{`{"app":{"clientID":"Ov23liEXAMPLE"},"login":{"methods":["DeviceFlow"],"repositoryID":1}}`, "an OAuth App (client ID Ov…) cannot be limited to a repository: leave out login.repositoryID, or use a GitHub App"},
	{`{"app":{"clientSecretRef":null},"scopedOutputs":[{"name":"out","format":"Opaque","scope":{"target":"octo-org","repositories":["app"],"permissions":{"contents":"read"}}}]}`, "scopedOutputs needs the client secret of the App: add app.clientSecretRef, or name the App by app.ref"},
	{`{"app":{"clientID":"Ov23liEXAMPLE"},"scopedOutputs":[{"name":"out","format":"Opaque","scope":{"target":"octo-org","repositories":["app"],"permissions":{"contents":"read"}}}]}`, "an OAuth App (client ID Ov…) has no scoped tokens: leave scopedOutputs out, or use a GitHub App"},
	{`{"scopedOutputs":[{"name":"sample","format":"Opaque","scope":{"target":"octo-org"}}]}`, "a scoped output must not have the name of the pair's Secret (spec.secret.name, by default the name of the resource)"},
	{`{"secret":{"name":"pair"},"scopedOutputs":[{"name":"pair","format":"Opaque","scope":{"target":"octo-org"}}]}`, "a scoped output must not have the name of the pair's Secret"},
	{`{"scopedOutputs":[{"name":"octocat-seed","format":"Opaque","scope":{"target":"octo-org"}}]}`, "a scoped output must not have the name of the seed (refreshTokenRef.name)"},
	{`{"scopedOutputs":[{"name":"github-app","format":"Opaque","scope":{"target":"octo-org"}}]}`, "a scoped output must not have the name of the client secret's Secret (app.clientSecretRef.name)"},
	{`{"outputs":[{"name":"out","format":"Netrc"}],"scopedOutputs":[{"name":"out","format":"Opaque","scope":{"target":"octo-org"}}]}`, "an output and a scoped output must not have the same name"},
	{`{"scopedOutputs":[{"name":"out","format":"Opaque","scope":{"target":"octo-org"}},{"name":"out","format":"Netrc","scope":{"target":"octo-org"}}]}`, "Duplicate value"},
	{`{"scopedOutputs":[{"name":"out","format":"Opaque"}]}`, "scope: Required value"},
	{`{"scopedOutputs":[{"name":"out","format":"Opaque","scope":{}}]}`, "target"},
	// They keep the rules of outputs.
	{`{"scopedOutputs":[{"name":"out","format":"Opaque","prefix":"Bearer","scope":{"target":"octo-org"}}]}`, "prefix belongs to the format Header only"},
	{`{"scopedOutputs":[{"name":"out","format":"Opaque","key":"expires_at","scope":{"target":"octo-org"}}]}`, saysKeyTaken},
	{`{"scopedOutputs":[` + scopedOutputs(5) + `]}`, "Too many: 5: must have at most 4 items"},

	{`{"handoff":{"pods":"Restart"}}`, `supported values: "None", "Sync"`},
	{`{"handoff":{"restart":[{"kind":"Job","name":"x"}]}}`, `supported values: "Deployment", "StatefulSet", "DaemonSet", "Rollout"`},
	{`{"handoff":{"restart":[{"kind":"Deployment"}]}}`, "name: Required value"},
	{`{"handoff":{"restart":[{"kind":"Deployment","name":"../../kube-system/deployments/coredns"}]}}`, saysName},
	{`{"handoff":{"restart":[{"kind":"Deployment","name":".."}]}}`, saysName},
	{`{"handoff":{"restart":[{"kind":"Deployment","name":"web/scale"}]}}`, saysName},
	{`{"handoff":{"restart":[{"kind":"Deployment","name":"web?force=true"}]}}`, saysName},
	{`{"handoff":{"restart":[{"kind":"Deployment","name":"Web"}]}}`, saysName},
	{`{"handoff":{"restart":[{"kind":"Deployment","name":"a..b"}]}}`, saysName},
	{`{"handoff":{"restart":[{"kind":"Deployment","name":"x"},{"kind":"Deployment","name":"x"}]}}`, "Duplicate value"},
	{`{"handoff":{"restart":[{"kind":"Deployment","name":"x"},{"apiGroup":"apps","kind":"Deployment","name":"x"}]}}`, "Duplicate value"},
	{`{"handoff":{"restart":[{"apiGroup":"argoproj.io","kind":"Deployment","name":"x"}]}}`, saysGroup},
	{`{"handoff":{"restart":[{"apiGroup":"apps","kind":"Rollout","name":"x"}]}}`, saysGroup},
	{`{"handoff":{"restart":[{"apiGroup":"apps.kruise.io","kind":"StatefulSet","name":"x"}]}}`, `supported values: "apps", "argoproj.io"`},
}

// scopedOutputs are so many outputs with a scope.
func scopedOutputs(count int) string {
	var all []string
	for i := range count {
		all = append(all, fmt.Sprintf(`{"name":"out-%d","format":"Opaque","scope":{"target":"octo-org","repositories":["app"],"permissions":{"contents":"read"}}}`, i))
	}
	return strings.Join(all, ",")
}

func TestValidationNonsenseIsRefusedWithASentence(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{noOperator: true})
	if _, err := w.apply("sample", `{}`); err != nil {
		t.Fatalf("the sample itself is refused: %v", err)
	}
	for _, c := range nonsense {
		_, err := w.apply("sample", c.patch)
		switch {
		case err == nil:
			t.Errorf("%.200s is accepted; want: %s", c.patch, c.says)
		case !strings.Contains(err.Error(), c.says):
			t.Errorf("%.200s is refused, but without %q:\n%v", c.patch, c.says, err)
		}
	}
}

// Each rule of the CRD that speaks to a person is met by a case above.
func TestValidationEverySentenceOfTheCRDIsTried(t *testing.T) {
	t.Parallel()
	for _, rule := range rulesOfTheCRD(t) {
		tried := slices.ContainsFunc(nonsense, func(c struct{ patch, says string }) bool { return strings.HasPrefix(rule.message, c.says) })
		if !tried {
			t.Errorf("no case meets the rule that says: %s", rule.message)
		}
	}
}

// An API server takes no rule with a function that its predecessor does not know, and so refuses the whole
// CRD. The README says 1.31, and the format library came with it.
func TestValidationCRDKeepsToFunctionsThatTheOldestKubernetesTakes(t *testing.T) {
	t.Parallel()
	for _, rule := range rulesOfTheCRD(t) {
		if strings.Contains(rule.rule, "format.") {
			t.Errorf("Kubernetes 1.31 does not take the rule: %s", rule.rule)
		}
	}
}

type crdRule struct{ rule, message string }

func rulesOfTheCRD(t *testing.T) []crdRule {
	t.Helper()
	text, err := os.ReadFile("../config/crd/bases/githubusertoken.dev_githubusertokens.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var crd any
	if err := yaml.Unmarshal(text, &crd); err != nil {
		t.Fatal(err)
	}
	var rules []crdRule
	collect(crd, &rules)
	if len(rules) < 20 {
		t.Fatalf("only %d rules were found in the CRD", len(rules))
	}
	return rules
}

// collect gathers all validation rules.
func collect(node any, rules *[]crdRule) {
	switch node := node.(type) {
	case map[string]any:
		if rule, isRule := node["rule"].(string); isRule && rule != "" {
			message, _ := node["message"].(string)
			*rules = append(*rules, crdRule{rule, message})
			return
		}
		for _, below := range node {
			collect(below, rules)
		}
	case []any:
		for _, below := range node {
			collect(below, rules)
		}
	}
}

func TestValidationValuesAtTheEdgeAreAccepted(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{noOperator: true})
	for _, patch := range []string{
		`{"app":{"host":"github.example.com:8443"}}`,
		`{"app":{"host":"octocorp.ghe.com"}}`,
		`{"app":{"host":"ghes/api/v3"}}`,
		`{"app":{"host":"127.0.0.1:1"}}`,
		`{"app":{"host":"127.0.0.1:65535"}}`,
		`{"app":{"host":"` + strings.Repeat("a", 253) + `"}}`,
		`{"app":{"clientID":"a"}}`,
		`{"app":{"clientID":null,"clientSecretRef":null,"ref":{"name":"mine"}}}`,
		`{"app":{"clientID":null,"clientSecretRef":null,"ref":{"kind":"ClusterGitHubApp","name":"a.b-c"}}}`,
		`{"app":{"clientID":"` + strings.Repeat("a", 100) + `"}}`,
		`{"app":{"clientID":"0123456789abcdef0123"}}`,
		`{"app":{"clientSecretRef":null}}`,
		`{"app":{"clientSecretRef":{"key":"` + strings.Repeat("a", 253) + `"}}}`,
		`{"refreshTokenRef":{"name":"` + strings.Repeat("a", 253) + `"}}`,
		`{"refreshTokenRef":{"name":"a.b-c","key":"._-A"}}`,
		`{"refreshTokenRef":null,"deviceFlow":{}}`,
		`{"deviceFlow":{}}`,
		`{"refreshTokenRef":null,"login":{"methods":["DeviceFlow"]}}`,
		`{"login":{"methods":["DeviceFlow"]}}`,
		`{"app":{"clientID":"Ov23liEXAMPLE"},"login":{"methods":["DeviceFlow"],"scopes":["repo","read:org","offline_access"]}}`,
		`{"app":{"clientID":"Ov23liEXAMPLE"},"deviceFlow":{"scopes":["repo","read:org","offline_access"]}}`,
		`{"app":{"clientID":"0123456789abcdef0123"},"deviceFlow":{"scopes":["` + strings.Repeat("a", 64) + `"]}}`,
		`{"secret":{"name":"` + strings.Repeat("a", 253) + `"}}`, `{"secret":{"name":"1.a-b.c"}}`,
		`{"secret":{"labels":` + manyKeys(64) + `,"annotations":` + manyKeys(64) + `}}`,
		`{"secret":{"labels":{"` + strings.Repeat("a", 253) + "/" + strings.Repeat("A", 63) + `":"x"}}}`,
		`{"secret":{"labels":{"example.com/team":"","a":"` + strings.Repeat("a", 63) + `"}}}`,
		`{"secret":{"annotations":{"reflector.v1.k8s.emberstack.com/allowed":"any text, with \"quotes\"\n"}}}`,
		`{"refreshBefore":"1s"}`, `{"refreshBefore":"4380h"}`, `{"refreshBefore":"1h30m"}`, `{"refreshBefore":"1.5h"}`, `{"refreshBefore":"1000ms"}`,
		`{"checkInterval":"10s"}`, `{"checkInterval":"4380h"}`,
		`{"deletionPolicy":"Delete"}`, `{"deletionPolicy":"Retain"}`, `{"deletionPolicy":"Revoke"}`,
		`{"user":{"login":"octo-cat"}}`, `{"user":{"login":"octocat_corp"}}`, `{"user":{"id":1}}`, `{"user":{"login":"o","id":9007199254740991}}`,
		`{"outputs":` + manyOutputs(16) + `}`,
		`{"outputs":` + largestOutputs() + `}`,
		`{"outputs":[{"name":"out","format":"Opaque","includeRefreshToken":true,"key":"token"}]}`,
		`{"outputs":[{"name":"out","format":"Header","key":"credential","prefix":"Authorization: BASIC","username":"octocat"}]}`,
		`{"outputs":[{"name":"out","format":"Header","prefix":"` + strings.Repeat("a", 64) + `"}]}`,
		`{"outputs":[{"name":"out","format":"BasicAuth","url":"https://github.com/octo/repo.git","username":"x-access-token"}]}`,
		`{"outputs":[{"name":"out","format":"BasicAuth","url":"https://[2001:db8::1]:8443/a?b=c#d","type":"kubernetes.io/basic-auth"}]}`,
		`{"outputs":[{"name":"out","format":"Opaque","type":"kubernetes.io/basic-auth","key":"password"}]}`,
		`{"outputs":[{"name":"out","format":"Opaque","type":"example.com/token","key":"refresh_token"}]}`,
		`{"outputs":[{"name":"out","format":"DockerConfigJSON","registry":"ghcr.io:443","type":"kubernetes.io/dockerconfigjson"}]}`,
		`{"outputs":[{"name":"a.b-c","format":"Netrc","host":"github.example.com:65535","key":".netrc","labels":{"team":"A.b_c-1","empty":""}}]}`,
		`{"handoff":{"pods":"Sync","restart":[{"kind":"Deployment","name":"x"},{"kind":"StatefulSet","name":"x"}]}}`,
		`{"handoff":{"restart":[{"apiGroup":"apps","kind":"DaemonSet","name":"x"},{"apiGroup":"argoproj.io","kind":"Rollout","name":"x"}]}}`,
		`{"handoff":{"restart":[{"kind":"Deployment","name":"` + strings.Repeat("a", 253) + `"},{"kind":"Rollout","name":"1.a-b"}]}}`,
	} {
		if _, err := w.apply("sample", patch); err != nil {
			t.Errorf("%.200s is refused: %v", patch, err)
		}
	}
	for _, name := range []string{"a", strings.Repeat("a", 253)} {
		if _, err := w.apply(name, `{}`); err != nil {
			t.Errorf("the name %.20s… is refused: %v", name, err)
		}
	}
}

func TestValidationDefaultsAreFilledIn(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{noOperator: true})
	token, err := w.apply("sample", `{}`)
	w.must(err)
	if spec := token.Spec; spec.App.ClientSecretRef.Key != "client_secret" ||
		spec.RefreshTokenRef.Key != "refresh_token" || spec.DeletionPolicy != v1alpha1.DeletionPolicyDelete || spec.Suspend {
		t.Errorf("the defaults are %+v", spec)
	}
	if token.Status.ObservedGeneration != -1 {
		t.Errorf("a resource that nobody has looked at has observedGeneration %d, want -1", token.Status.ObservedGeneration)
	}
	if token.PairSecretName() != "sample" {
		t.Errorf("the pair goes to Secret %q, want the resource's name", token.PairSecretName())
	}
}

// The schema lets no unknown field through in silence.
func TestValidationMisspeltFieldIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{noOperator: true})
	object := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": v1alpha1.GroupVersion.String(), "kind": "GitHubUserToken",
		"metadata": map[string]any{"namespace": w.namespace, "name": "sample"},
		"spec": map[string]any{
			"app": map[string]any{"clientID": "Iv23liEXAMPLE"}, "refreshTokenRef": map[string]any{"name": "seed"}, "refreshbefore": "1h",
		},
	}}
	err := admin.Create(w.ctx, object, client.DryRunAll, client.FieldValidation(metav1.FieldValidationStrict))
	if err == nil || !strings.Contains(err.Error(), `unknown field "spec.refreshbefore"`) {
		t.Errorf("want the unknown field named, got: %v", err)
	}
}

func manyKeys(n int) string {
	keys := make([]string, 0, n)
	for i := range n {
		keys = append(keys, fmt.Sprintf(`"key-%d":"x"`, i))
	}
	return "{" + strings.Join(keys, ",") + "}"
}

// largestOutputs cost the rules as much as outputs can.
func largestOutputs() string {
	keys := make([]string, 0, 64)
	for i := range 64 {
		keys = append(keys, fmt.Sprintf(`"%s/%s%02d":"%s"`, strings.Repeat("a", 253), strings.Repeat("b", 61), i, strings.Repeat("c", 63)))
	}
	outputs := make([]string, 0, 16)
	for i := range 16 {
		outputs = append(outputs, fmt.Sprintf(`{"name":"%s%02d","format":"Netrc","labels":{%[3]s},"annotations":{%[3]s}}`, strings.Repeat("a", 251), i, strings.Join(keys, ",")))
	}
	return "[" + strings.Join(outputs, ",") + "]"
}

func manyOutputs(n int) string {
	outputs := make([]string, 0, n)
	for i := range n {
		outputs = append(outputs, fmt.Sprintf(`{"name":"out-%d","format":"Netrc"}`, i))
	}
	return "[" + strings.Join(outputs, ",") + "]"
}
