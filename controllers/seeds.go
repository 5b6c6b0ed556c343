package controllers

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"sync"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// seedReader reads seeds and client secrets, live and only when there is a reason to: which versions of
// them exist the secretWatch knows, and what was found in a version is remembered by its fingerprint.
type seedReader struct {
	live  client.Reader
	watch *secretWatch

	mu       sync.Mutex
	examined map[seedKey]seed
}

// seedKey is one key of one Secret.
type seedKey struct{ namespace, name, key string }

// seed is what was found under a seedKey.
type seed struct {
	// version says which Secret in which version was looked at; empty when there is none.
	version string
	// fingerprint names the refresh token; empty when there is a problem.
	fingerprint credential.Fingerprint
	// problem says why there is no refresh token.
	problem *obstacle
}

func newSeedReader(live client.Reader, watch *secretWatch) *seedReader {
	return &seedReader{live: live, watch: watch, examined: map[seedKey]seed{}}
}

// look says what the seed of a resource holds, when there is a reason to know: no pair yet, a changed
// reference, or a version of the Secret that the chain has not seen. Otherwise it returns the empty seed.
// A new spec is a reason of its own: it may name a Secret whose last change the watch let pass, because
// nobody named it then.
func (s *seedReader) look(ctx context.Context, token *v1alpha1.GitHubUserToken, pair *rotation.Pair, newSpec bool) (seed, error) {
	if token.Spec.RefreshTokenRef == nil {
		return seed{}, nil
	}
	key := keyOf(token)
	if newSpec {
		found, _, err := s.read(ctx, key)
		if err == nil {
			_, version, _ := strings.Cut(found.version, "@")
			s.watch.learn(types.NamespacedName{Namespace: key.namespace, Name: key.name}, version)
		}
		return found, err
	}
	latest, known := s.watch.version(types.NamespacedName{Namespace: key.namespace, Name: key.name})
	if pair != nil && pair.Controlled && (pair.State.HasToken() || pair.State.PendingSeed != "") {
		sameReference := strings.HasPrefix(pair.State.SeedVersion, key.reference()+"@")
		if sameReference && ((!known && !tellsOfSeed(token)) || (known && latest == "") || pair.State.SeedVersion == key.at(latest)) {
			return seed{}, nil
		}
		if known && latest == "" {
			return seed{}, nil // The seed was deleted after its import, which changes nothing.
		}
	}
	s.mu.Lock()
	found, seen := s.examined[key]
	s.mu.Unlock()
	if seen && (!known || found.version == key.at(latest) || (latest == "" && found.version == "")) {
		return found, nil
	}
	found, _, err := s.read(ctx, key)
	return found, err
}

// read reads a seed live and remembers what was found.
func (s *seedReader) read(ctx context.Context, key seedKey) (seed, credential.RefreshToken, error) {
	var found seed
	var token credential.RefreshToken
	value, version, problem, err := s.value(ctx, key)
	switch {
	case err != nil:
		return seed{}, credential.RefreshToken{}, fmt.Errorf("read the seed: %w", err)
	case problem != "":
		found = seed{version: version, problem: &obstacle{
			reason: v1alpha1.ReasonRefreshTokenMissing, unauthorized: true, stalled: true,
			message: fmt.Sprintf("%s. Put the user's refresh token (ghr_…) there.", problem),
		}}
	case malformed(value) != "":
		found = seed{version: version, problem: &obstacle{
			reason: v1alpha1.ReasonRefreshTokenMalformed, unauthorized: true, stalled: true,
			message: fmt.Sprintf("The value of key %q in Secret %q is no refresh token: %s. Put the user's refresh token (ghr_…) there.", key.key, key.name, malformed(value)),
		}}
	default:
		token = credential.NewRefreshToken(value)
		found = seed{version: version, fingerprint: token.Fingerprint()}
	}
	s.mu.Lock()
	s.examined[key] = found
	s.mu.Unlock()
	return found, token, nil
}

// clientSecret reads an App's client secret live. Without a reference there is none, which is right for
// tokens of the device flow.
func (s *seedReader) clientSecret(ctx context.Context, token *v1alpha1.GitHubUserToken) (credential.ClientSecret, *obstacle, error) {
	ref := token.Spec.App.ClientSecretRef
	if ref == nil {
		return credential.ClientSecret{}, nil, nil
	}
	value, _, problem, err := s.value(ctx, seedKey{token.Namespace, ref.Name, ref.Key})
	if err != nil {
		return credential.ClientSecret{}, nil, fmt.Errorf("read the client secret: %w", err)
	}
	if problem != "" {
		return credential.ClientSecret{}, &obstacle{
			reason: v1alpha1.ReasonClientSecretMissing, stalled: true,
			message: fmt.Sprintf("%s. Put the App's client secret there.", problem),
		}, nil
	}
	return credential.NewClientSecret(value), nil, nil
}

// value is the trimmed value of a key. problem says, for a person, why there is none.
func (s *seedReader) value(ctx context.Context, key seedKey) (value, version, problem string, err error) {
	var secret corev1.Secret
	err = s.live.Get(ctx, client.ObjectKey{Namespace: key.namespace, Name: key.name}, &secret)
	if apierrors.IsNotFound(err) {
		return "", "", fmt.Sprintf("Secret %q does not exist", key.name), nil
	}
	if err != nil {
		return "", "", "", err
	}
	version = key.at(versionOf(&secret.ObjectMeta))
	raw, present := secret.Data[key.key]
	value = strings.TrimSpace(string(raw))
	switch {
	case !present:
		return "", version, fmt.Sprintf("Secret %q has no key %q", key.name, key.key), nil
	case value == "":
		return "", version, fmt.Sprintf("The value of key %q in Secret %q is empty", key.key, key.name), nil
	default:
		return value, version, "", nil
	}
}

// forget drops what is remembered of a Secret that no resource names any more.
func (s *seedReader) forget(secret types.NamespacedName) {
	s.watch.forget(secret)
	s.mu.Lock()
	defer s.mu.Unlock()
	maps.DeleteFunc(s.examined, func(key seedKey, _ seed) bool {
		return key.namespace == secret.Namespace && key.name == secret.Name
	})
}

// otherTokens are the prefixes of GitHub's tokens that are no refresh tokens. Unknown prefixes are let
// through: GitHub may choose new ones.
var otherTokens = map[string]string{
	"ghp_": "a personal access token", "github_pat_": "a personal access token", "gho_": "an OAuth access token",
	"ghu_": "a user access token", "ghs_": "an installation access token",
}

// malformed says why a text cannot be a refresh token; empty when it can.
func malformed(text string) string {
	for prefix, name := range otherTokens {
		if strings.HasPrefix(text, prefix) {
			return "it starts with " + prefix + ", so it is " + name
		}
	}
	if len(text) > 1024 {
		return "it is longer than 1024 characters"
	}
	for _, c := range text {
		if c <= ' ' || c > '~' {
			return "it has a blank or another character that no token has"
		}
	}
	return ""
}

func keyOf(token *v1alpha1.GitHubUserToken) seedKey {
	return seedKey{token.Namespace, token.Spec.RefreshTokenRef.Name, token.Spec.RefreshTokenRef.Key}
}

func (k seedKey) reference() string { return k.name + "/" + k.key }

// at is the reference with a version of the Secret; empty for no version.
func (k seedKey) at(version string) string {
	if version == "" {
		return ""
	}
	return k.reference() + "@" + version
}
