package appstatus

import (
	"context"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/scope"
)

// usage is who uses an App.
type usage struct {
	tokens, accounts int32
	// last is when the youngest of their pairs was received; nil when none was.
	last *metav1.Time
}

// usageOf counts the resources that refer to an App and may use it.
func (r *Reconciler) usageOf(ctx context.Context, a app) (usage, error) {
	users, err := r.options.Users(ctx, kindOf(a), a.GetNamespace(), a.GetName())
	if err != nil {
		return usage{}, err
	}
	var u usage
	accounts := map[int64]bool{}
	for i := range users {
		admitted, err := r.admits(ctx, a, &users[i])
		if err != nil {
			return usage{}, err
		}
		if !admitted {
			continue
		}
		u.tokens++
		if user := users[i].Status.User; user != nil && !accounts[user.ID] {
			accounts[user.ID] = true
			u.accounts++
		}
		if last := users[i].Status.LastRefreshTime; last != nil && (u.last == nil || u.last.Before(last)) {
			u.last = last
		}
	}
	return u, nil
}

// admits reports whether a resource that refers to an App may use it, and does.
func (r *Reconciler) admits(ctx context.Context, a app, token *v1alpha1.GitHubUserToken) (bool, error) {
	if scope.IsReleased(token) {
		return false, nil // It stays for the sake of others, and nothing is exchanged for it.
	}
	offered, ok := a.(*v1alpha1.ClusterGitHubApp)
	if !ok {
		return true, nil
	}
	return r.options.Admits(ctx, offered, token)
}
