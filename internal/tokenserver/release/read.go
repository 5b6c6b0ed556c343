package release

import (
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// Of is what is asked for.
type Of struct {
	// NamespacedName is the resource.
	types.NamespacedName
	// Output is the name of an output with a scope; empty for the user's own token.
	Output string
}

// Output is what the Secret of an output with a scope holds.
type Output struct {
	Access credential.AccessToken
	// Parent is the user's token of which it was made, and App the App that both are of.
	Parent credential.Fingerprint
	App    string
	// ExpiresAt is when it expires by itself; zero when that is not known.
	ExpiresAt time.Time
}

// Read is what was read of a resource. It is dropped with the request that it was read for.
type Read struct {
	// Resource is the resource; nil when there is none.
	Resource *v1alpha1.GitHubUserToken
	// Pairs are the Secrets in which its pair may be: that which the spec names, and that which the status names where it is another one.
	Pairs []*rotation.Pair
	// Withheld is why the token is not to be given out at all, in a sentence; empty when it may be.
	Withheld string
	// Named is the output that is asked for; empty for none. Output is what it holds; nil when that is no token of its scope.
	Named  string
	Output *Output
}

// Kind is what is to be done.
type Kind int

const (
	// Later: it is not known now which token works, or there is none now, and that passes.
	Later Kind = iota
	// Give: there is a token to give.
	Give
	// Never: there is no token until somebody acts.
	Never
	// Absent: there is no such resource.
	Absent
)

// Finding is what is to be done.
type Finding struct {
	Kind Kind
	// Token is what may be given.
	Token Token
	// Reason is a word for it, a condition's where it is one. It is empty where there is a token.
	Reason string
	// Message is a sentence for whoever asks.
	Message string
	// Verdict is why there will be no other token than this one before somebody acts; empty when one is expected.
	Verdict string
}

// Token is what is given out.
type Token struct {
	Access      credential.AccessToken
	Fingerprint credential.Fingerprint
	Type        string
	// ExpiresAt is zero when it never does, and NextRefreshAt when nothing will be refreshed.
	ExpiresAt, NextRefreshAt time.Time
	// Host is that of the App which the token is of.
	Host string
	// User is the account; nil when that is not known.
	User *rotation.User
}
