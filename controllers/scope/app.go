package scope

import (
	"cmp"
	"strings"

	"k8s.io/apimachinery/pkg/types"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/github"
	"github.com/githubusertoken/github-user-token-operator/internal/problem"
)

// App is the App of a resource as it was resolved, wherever the spec has it from: its host and client ID, where its
// client secret is, and why it may not be used. It holds no secret.
type App struct {
	github.App

	// Secret is where the client secret is; nil when there is none, as it should be for tokens of the device flow.
	Secret *SecretKey
	// Problem is why the App may not be used now, in words for whoever made the resource; nil when it may be. Host and
	// client ID are empty when they are not known, or not to be told.
	Problem *problem.Problem
	// Policies are what its administrators let resources ask for: what one of them forbids is forbidden. They are read only.
	Policies []*v1alpha1.AppPolicy
	// LoginPage are the accounts that may be asked to log in by the login page; nil where every account may be, as nobody else
	// offers the App.
	LoginPage *Accounts
	// OfVisit reports that the resource is a visit of the login page, and Visit that the App is for those alone as well.
	OfVisit, Visit bool
	// Refused reports that the resource may not use the App, if there is one: whatever was derived from its pair is removed.
	Refused bool
	// Veiled reports that whoever made the resource is not to learn what is wrong with the App: it belongs to somebody else.
	Veiled bool
}

// AppNotUsable is all that is said of an App to those who are not to learn more.
const AppNotUsable = "The App is not usable here. Ask its administrator."

// AppNotUsableYet is the same where it is tried again without anybody's doing.
const AppNotUsableYet = "The App is not usable here at present. The operator tries again by itself; if that lasts, ask the App's administrator."

// Veil is a problem in the words for whoever made the resource: what is wrong with an App of somebody else is not told.
func (a App) Veil(p *problem.Problem) *problem.Problem {
	if !a.Veiled || p == nil || !p.OfApp {
		return p
	}
	veiled := *p
	if veiled.Reason, veiled.Message = v1alpha1.ReasonAppNotUsable, AppNotUsable; !p.Stalled {
		veiled.Message = AppNotUsableYet
	}
	return &veiled
}

// SecretKey is one key of a Secret.
type SecretKey struct {
	Secret types.NamespacedName
	Key    string
}

// IsKnown reports whether it is known which App it is.
func (a App) IsKnown() bool { return a.ClientID != "" }

// AppKey is by what Apps are compared with the Apps that administrators offer: an App is the same one however its host and
// client ID are spelt.
func AppKey(host, clientID string) string {
	return strings.ToLower(github.App{Host: cmp.Or(host, v1alpha1.DefaultHost), ClientID: clientID}.Key())
}

// InlineApp is the App that stands in the spec of a resource itself.
func InlineApp(token *v1alpha1.GitHubUserToken) App {
	app := App{App: github.App{Host: cmp.Or(token.Spec.App.Host, v1alpha1.DefaultHost), ClientID: token.Spec.App.ClientID, Scope: LoginScopesOf(token), RepositoryID: RepositoryOf(token)}}
	if ref := token.Spec.App.ClientSecretRef; ref != nil {
		app.Secret = &SecretKey{types.NamespacedName{Namespace: token.Namespace, Name: ref.Name}, ref.Key}
	}
	return app
}

// RepositoryOf is the repository to which the resource limits the token of a login; 0 for none.
func RepositoryOf(token *v1alpha1.GitHubUserToken) int64 {
	if token.Spec.Login == nil {
		return 0
	}
	return token.Spec.Login.RepositoryID
}

// LoginScopesOf are the scopes that the resource asks for at a login, as GitHub takes them.
func LoginScopesOf(token *v1alpha1.GitHubUserToken) string {
	return strings.Join(token.Spec.LoginScopes(), " ")
}
