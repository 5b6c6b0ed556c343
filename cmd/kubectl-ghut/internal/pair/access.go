// Package pair reads the access token of a resource from its Secret. It looks at no refresh token.
package pair

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/cmd/kubectl-ghut/internal/cluster"
	"github.com/githubusertoken/github-user-token-operator/cmd/kubectl-ghut/internal/standing"
	"github.com/githubusertoken/github-user-token-operator/internal/credential"
)

// Access is an access token, and what it is for.
type Access struct {
	Token credential.AccessToken
	// Host is the GitHub that it belongs to.
	Host string
	// Expires is when it expires; zero if it does not.
	Expires time.Time
}

// state is what is of use here of that which the operator notes at the pair: whose it is, for which App, until when.
type state struct {
	Owner     string    `json:"owner"`
	App       string    `json:"app"`
	ExpiresAt time.Time `json:"expiresAt,omitzero"`
}

// Read reads the access token of a resource: that of its pair or, where two authorizations take turns, the one that is published.
func Read(ctx context.Context, c cluster.Client, token *v1alpha1.GitHubUserToken) (*Access, error) {
	name := standing.SecretOf(token)
	if token.IsAlternating() {
		name = token.PairSecretName()
	}
	secret, err := get(ctx, c, token, name, v1alpha1.RolePair)
	if err != nil {
		return nil, err
	}
	var state state
	if err := json.Unmarshal([]byte(secret.Annotations[v1alpha1.AnnotationState]), &state); err != nil {
		return nil, fmt.Errorf("what the operator knows of the pair in the Secret %s cannot be read", name)
	}
	if state.Owner != "" && state.Owner != string(token.UID) {
		return nil, fmt.Errorf("the Secret %s belongs to another resource", name)
	}
	host, _, _ := strings.Cut(state.App, "/")
	access := &Access{Host: host, Expires: state.ExpiresAt}
	if token.IsAlternating() {
		if secret, err = get(ctx, c, token, token.PublishedSecretName(), v1alpha1.RoleOutput); err != nil {
			return nil, err
		}
		access.Expires, _ = time.Parse(time.RFC3339, secret.Annotations[v1alpha1.AnnotationExpiresAt])
	}
	access.Token = credential.NewAccessToken(string(secret.Data[v1alpha1.KeyAccessToken]))
	switch text := access.Token.Reveal(); {
	case text == "":
		return nil, fmt.Errorf("there is no token yet (kubectl ghut status %s -n %s)", token.Name, token.Namespace)
	case strings.HasPrefix(text, "ghr_"), strings.ContainsAny(text, "\r\n\x00"):
		return nil, errors.New("what stands in the place of the access token is none, so it is not printed")
	}
	return access, nil
}

// get reads a Secret of a resource that has to have a role.
func get(ctx context.Context, c cluster.Client, token *v1alpha1.GitHubUserToken, name, role string) (*corev1.Secret, error) {
	secret := &corev1.Secret{}
	if err := c.Get(ctx, client.ObjectKey{Namespace: token.Namespace, Name: name}, secret); err != nil {
		if cluster.IsNotFound(err) {
			return nil, fmt.Errorf("there is no token yet: the Secret %s is not there (kubectl ghut status %s -n %s)", name, token.Name, token.Namespace)
		}
		return nil, err
	}
	if secret.Labels[v1alpha1.LabelRole] != role || role == v1alpha1.RoleOutput && !metav1.IsControlledBy(secret, token) {
		return nil, fmt.Errorf("the Secret %s is not the operator's, so what it holds is not to be trusted", name)
	}
	return secret, nil
}
