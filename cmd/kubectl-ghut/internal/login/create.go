package login

import (
	"fmt"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
)

// New describes a resource that is to be made.
type New struct {
	Namespace, Name string
	// App is a client ID, or githubapp/NAME or clustergithubapp/NAME.
	App string
	// Host is where the App is, when App is a client ID; ClientSecret is the Secret with its client secret.
	Host, ClientSecret string
	// Account is the login of the only account that is taken.
	Account string
	// Secret is where the token goes.
	Secret string
	Method v1alpha1.LoginMethod
}

// Resource is that resource.
func (n *New) Resource() (*v1alpha1.GitHubUserToken, error) {
	app, err := n.app()
	if err != nil {
		return nil, err
	}
	token := &v1alpha1.GitHubUserToken{
		TypeMeta:   metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: "GitHubUserToken"},
		ObjectMeta: metav1.ObjectMeta{Namespace: n.Namespace, Name: n.Name},
		Spec: v1alpha1.GitHubUserTokenSpec{
			App: *app, Login: &v1alpha1.Login{Methods: []v1alpha1.LoginMethod{n.Method}}, Secret: v1alpha1.SecretTemplate{Name: n.Secret},
		},
	}
	if n.Account != "" {
		token.Spec.User = &v1alpha1.UserSelector{Login: n.Account}
	}
	return token, nil
}

func (n *New) app() (*v1alpha1.App, error) {
	kind, name, isRef := strings.Cut(n.App, "/")
	switch {
	case n.App == "":
		return nil, fmt.Errorf("say by which App: --app CLIENT_ID, --app githubapp/NAME or --app clustergithubapp/NAME")
	case strings.Trim(n.App, "0123456789") == "":
		return nil, fmt.Errorf("%s is the App ID, and the Client ID is wanted (Iv23li…), which stands beside it in the settings of the App", n.App)
	case !isRef && n.Method == v1alpha1.LoginMethodWebFlow && n.ClientSecret == "":
		return nil, fmt.Errorf("a login by the web flow needs the App's client secret: name the Secret that has it by --client-secret")
	case !isRef:
		app := &v1alpha1.App{ClientID: n.App, Host: n.Host}
		if n.ClientSecret != "" {
			app.ClientSecretRef = &v1alpha1.ClientSecretReference{Name: n.ClientSecret}
		}
		return app, nil
	case n.Host != "" || n.ClientSecret != "":
		return nil, fmt.Errorf("--host and --client-secret go with a client ID: %s has its own", n.App)
	}
	switch strings.ToLower(kind) {
	case "githubapp", "gha":
		return &v1alpha1.App{Ref: &v1alpha1.AppReference{Kind: v1alpha1.KindGitHubApp, Name: name}}, nil
	case "clustergithubapp", "cgha":
		return &v1alpha1.App{Ref: &v1alpha1.AppReference{Kind: v1alpha1.KindClusterGitHubApp, Name: name}}, nil
	default:
		return nil, fmt.Errorf("%s is no App: a client ID, githubapp/NAME or clustergithubapp/NAME", n.App)
	}
}

// Differs says what of a resource that is there differs from what was to be made; empty when nothing that was said does.
func (n *New) Differs(wanted, there *v1alpha1.GitHubUserToken) string {
	a, b := wanted.Spec.App, there.Spec.App
	same := a.ClientID == b.ClientID && (a.Ref == nil) == (b.Ref == nil) && (a.Host == "" || a.Host == b.Host)
	if same && a.Ref != nil {
		same = *a.Ref == *b.Ref
	}
	switch {
	case !same:
		return "another App"
	case n.Account != "" && Wanted(there) == "":
		return "no account in spec.user"
	case n.Account != "" && !strings.EqualFold(Wanted(there), n.Account):
		return "another account in spec.user"
	case n.Secret != "" && n.Secret != there.PairSecretName():
		return "another Secret"
	}
	return ""
}
