package accounttokens

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/boundedreply"
)

const (
	// firstPart and maxPart are how many resources the API server is asked for at once, at first and at most: each may be as large as tenants
	// can make it. partBytes is about how large a part may be if what follows is as large as what was seen. It is read in smaller parts where it is
	// larger than the page reads.
	firstPart, maxPart, partBytes = 5, 20, 1 << 20
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
type Listed[T any] struct {
	Groups []Group[T]
	Next   string
}

// Group is what is listed of one namespace; More says that it has more.
type Group[T any] struct {
	Namespace string
	Tokens    []T
	More      bool
}

// List lists the resources that are said to hold tokens of an account. A status says so, and a namespace's tenants may have made up thousands:
// of each namespace some are listed, and when these are full the API server is asked for those of others, from there on. So what it costs
// depends on how many namespaces there are, and nobody can hide what is in another namespace than theirs. The API server takes a
// selector that has changed between two parts of a list. Of a resource what view makes of it is kept alone, so that no more than a part is in memory.
func List[T any](ctx context.Context, reader client.Reader, account string, from Place, view func(*v1alpha1.GitHubUserToken) T) (found Listed[T], err error) {
	skip, next, total, limit := "", from.Next, 0, int64(firstPart)
	for range maxLists {
		list, err := part(ctx, reader, account, from.Namespace, skip, next, limit)
		if errors.Is(err, boundedreply.ErrTooLarge) && limit > 1 { // What follows is larger than what was seen.
			limit = max(1, limit/4)
			continue
		}
		if err != nil {
			return Listed[T]{}, err
		}
		limit = min(2*limit, maxPart)
		for i := range list.Items {
			token := &list.Items[i]
			limit = min(limit, max(1, partBytes/sizeOf(token)))
			if token.Status.Login == nil || token.Status.Login.Account != account || token.DeletionTimestamp != nil {
				continue
			}
			if n := len(found.Groups); n == 0 || found.Groups[n-1].Namespace != token.Namespace {
				found.Groups = append(found.Groups, Group[T]{Namespace: token.Namespace})
			}
			last := &found.Groups[len(found.Groups)-1]
			if from.Namespace == "" && len(last.Tokens) >= perNamespace {
				last.More, skip = true, token.Namespace
				continue
			}
			last.Tokens = append(last.Tokens, view(token))
			total++
		}
		if next = list.Continue; next == "" || total >= perList {
			break
		}
	}
	found.Next = next
	return found, nil
}

// sizeOf is about how large a resource is.
func sizeOf(token *v1alpha1.GitHubUserToken) int64 {
	written := counter(1)
	_ = json.NewEncoder(&written).Encode(token) // What was decoded can be encoded.
	return int64(written)
}

// counter counts what is written to it.
type counter int64

func (c *counter) Write(p []byte) (int, error) {
	*c += counter(len(p))
	return len(p), nil
}

// part is one part of a list.
func part(ctx context.Context, reader client.Reader, account, namespace, skip, next string, limit int64) (*v1alpha1.GitHubUserTokenList, error) {
	ctx, cancel := context.WithTimeout(ctx, partTimeout)
	defer cancel()
	selector := accountField + "=" + fields.EscapeValue(account)
	if skip != "" {
		selector += "," + namespaceField + "!=" + skip
	}
	list := &v1alpha1.GitHubUserTokenList{}
	err := reader.List(ctx, list, &client.ListOptions{
		Namespace: namespace, Limit: limit, Continue: next, Raw: &metav1.ListOptions{FieldSelector: selector},
	})
	return list, err
}
