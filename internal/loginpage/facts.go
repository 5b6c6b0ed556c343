package loginpage

import (
	"encoding/json"
	"fmt"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
)

// facts are what a person is told before they agree: once before they are sent to GitHub, and once before the code goes to the
// operator. All of it was made plain, and templates escape it.
type facts struct {
	Namespace, Name string
	// Account is the only one that is taken.
	Account string
	// Host, ClientID and Ref are those of the App; Ref is empty when the App stands in the resource.
	Host, ClientID, Ref string
	// Secrets are those in which the token will stand.
	Secrets []string
	// RequestedBy and Purpose are claims; empty when there are none.
	RequestedBy, Purpose string
}

func factsOf(token *v1alpha1.GitHubUserToken, app app) facts {
	f := facts{
		Namespace: token.Namespace, Name: token.Name, Account: accountOf(token),
		Host: app.shownHost(), ClientID: plain(app.clientID), Ref: plain(app.ref),
		Secrets:     []string{plain(token.PairSecretName())},
		RequestedBy: plain(token.Annotations[v1alpha1.AnnotationRequestedBy]), Purpose: plain(token.Annotations[v1alpha1.AnnotationPurpose]),
	}
	for _, output := range token.AllOutputs() {
		f.Secrets = append(f.Secrets, plain(output.Name))
	}
	return f
}

// accountOf is the account that spec.user names; empty when it names none.
func accountOf(token *v1alpha1.GitHubUserToken) string {
	switch user := token.Spec.User; {
	case user == nil:
		return ""
	case user.Login != "" && user.ID != 0:
		return fmt.Sprintf("%s (id %d)", plain(user.Login), user.ID)
	case user.Login != "":
		return plain(user.Login)
	default:
		return fmt.Sprintf("the account with the id %d", user.ID)
	}
}

// digest tells by a key what was shown, so that a person agrees to what they have read and to nothing else.
func (f facts) digest(key hidden, purpose string) string {
	text, err := json.Marshal(f)
	if err != nil {
		panic(err) // These are strings.
	}
	return sealed(key, "shown for "+purpose, string(text))
}
