package accounttokens

import (
	"context"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
)

const (
	// pageOf is how many resources the API server is asked for at once: each may be as large as tenants can make it.
	pageOf = 20
	// perNamespace is how many resources of one namespace are listed beside those of others, and perList about how many in all.
	perNamespace, perList = 10, 100
	// maxLists is how often the API server is asked for one answer, and partTimeout how long it may take for one part.
	maxLists    = 25
	partTimeout = 5 * time.Second
	// accountField is the field by which the API server selects the resources of an account.
	accountField, namespaceField = "status.login.account", "metadata.namespace"
)

// Place is where a list begins: within one namespace alone, or after what was listed before. The zero value is the beginning of all.
type Place struct{ Namespace, Next string }

// Listed is a part of a list, by namespaces. Next is where it goes on; empty at its end.
type Listed struct {
	Groups []Group
	Next   string
}

// Group is what is listed of one namespace; More says that it has more.
type Group struct {
	Namespace string
	Tokens    []v1alpha1.GitHubUserToken
	More      bool
}

// List lists the resources that are said to hold tokens of an account. A status says so, and a namespace's tenants may have made up thousands:
// of each namespace some are listed, and when these are full the API server is asked for those of others, from there on. So what it costs
// depends on how many namespaces there are, and nobody can hide what is in another namespace than theirs. The API server takes a
// selector that has changed between two parts of a list.
func List(ctx context.Context, reader client.Reader, account string, from Place) (found Listed, err error) {
	skip, next, total := "", from.Next, 0
	for range maxLists {
		list, err := part(ctx, reader, account, from.Namespace, skip, next)
		if err != nil {
			return Listed{}, err
		}
		for i := range list.Items {
			token := &list.Items[i]
			if token.Status.Login == nil || token.Status.Login.Account != account || token.DeletionTimestamp != nil {
				continue
			}
			if n := len(found.Groups); n == 0 || found.Groups[n-1].Namespace != token.Namespace {
				found.Groups = append(found.Groups, Group{Namespace: token.Namespace})
			}
			last := &found.Groups[len(found.Groups)-1]
			if from.Namespace == "" && len(last.Tokens) >= perNamespace {
				last.More, skip = true, token.Namespace
				continue
			}
			token.ManagedFields = nil
			last.Tokens = append(last.Tokens, *token)
			total++
		}
		if next = list.Continue; next == "" || total >= perList {
			break
		}
	}
	found.Next = next
	return found, nil
}

// part is one part of a list.
func part(ctx context.Context, reader client.Reader, account, namespace, skip, next string) (*v1alpha1.GitHubUserTokenList, error) {
	ctx, cancel := context.WithTimeout(ctx, partTimeout)
	defer cancel()
	selector := accountField + "=" + fields.EscapeValue(account)
	if skip != "" {
		selector += "," + namespaceField + "!=" + skip
	}
	list := &v1alpha1.GitHubUserTokenList{}
	err := reader.List(ctx, list, &client.ListOptions{
		Namespace: namespace, Limit: pageOf, Continue: next, Raw: &metav1.ListOptions{FieldSelector: selector},
	})
	return list, err
}
