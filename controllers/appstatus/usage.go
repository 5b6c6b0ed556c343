package appstatus

import (
	"context"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
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
	admitted := map[string]bool{}
	for i := range users {
		namespace := users[i].Namespace
		if _, known := admitted[namespace]; !known {
			if admitted[namespace], err = r.admits(ctx, a, namespace); err != nil {
				return usage{}, err
			}
		}
		if !admitted[namespace] {
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

// admits reports whether the resources of a namespace may use an App.
func (r *Reconciler) admits(ctx context.Context, a app, namespace string) (bool, error) {
	offered, ok := a.(*v1alpha1.ClusterGitHubApp)
	if !ok {
		return true, nil
	}
	return r.options.Admits(ctx, offered, namespace)
}
