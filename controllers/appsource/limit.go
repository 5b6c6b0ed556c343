package appsource

import (
	"cmp"
	"context"
	"strings"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/scope"
	"github.com/githubusertoken/github-user-token-operator/internal/github"
	"github.com/githubusertoken/github-user-token-operator/internal/pace"
)

// limitChanged has the limit of an App's host and client ID found out anew, at the cost of whose App it is.
func (a *Apps) limitChanged(namespace string, spec *v1alpha1.GitHubAppSpec) {
	a.add(namespace, newsLimit, github.App{Host: cmp.Or(spec.Host, v1alpha1.DefaultHost), ClientID: spec.ClientID}.Key())
}

// inlineChanged has it found out anew where a resource of another namespace may take away the limit of a GitHubApp, or give it
// back.
func (a *Apps) inlineChanged(token *v1alpha1.GitHubUserToken) {
	a.mu.Lock()
	_, limited := a.limited[inlineKey(token)]
	a.mu.Unlock()
	if limited {
		a.limitChanged(token.Namespace, &v1alpha1.GitHubAppSpec{Host: token.Spec.App.Host, ClientID: token.Spec.App.ClientID})
	}
}

// setLimit sets the limit of token requests of an App, by the key of github.App.
func (a *Apps) setLimit(ctx context.Context, app string) (pace.Cost, error) {
	limit, looked, err := a.limitOf(ctx, app)
	if err == nil {
		a.options.Limiter.SetLimit(app, limit)
	}
	return pace.Cost{Resources: looked}, err
}

// limitOf is the limit that Apps set for a host and client ID, 0 for none, and how many objects that took to find out. Where
// ClusterGitHubApps set one the smallest counts, and otherwise the smallest of the GitHubApps, if they and all who use that host
// and client ID are of one namespace, and there is no ClusterGitHubApp of them: nobody may slow down another.
func (a *Apps) limitOf(ctx context.Context, app string) (limit, looked int, err error) {
	key := strings.ToLower(app)
	offered, err := a.offered(ctx, key)
	if err != nil {
		return 0, 0, err
	}
	for i := range offered {
		limit = smaller(limit, offered[i].Spec.TokenRequestsPerHour)
	}
	if limit > 0 {
		return limit, len(offered), nil
	}
	own, err := a.of(ctx, key)
	if err != nil {
		return 0, 0, err
	}
	for i := range own {
		limit = smaller(limit, own[i].Spec.TokenRequestsPerHour)
	}
	looked = len(offered) + len(own)
	if limit == 0 {
		a.mu.Lock()
		delete(a.limited, key)
		a.mu.Unlock()
		return 0, looked, nil
	}
	shared, users, err := a.isShared(ctx, key, own, len(offered))
	if err != nil {
		return 0, looked + users, err
	}
	if a.counts(key, !shared); shared {
		limit = 0
	}
	return limit, looked + users, nil
}

// counts notes whether the limit of GitHubApps counts. Where that is another than before, they say so.
func (a *Apps) counts(key string, counts bool) {
	a.mu.Lock()
	before, known := a.limited[key]
	a.limited[key] = counts
	a.mu.Unlock()
	if known && before != counts {
		a.add("", newsSharing, key)
	}
}

// isShared reports whether a host and client ID with these GitHubApps is used in more than one namespace, as one may be that is
// offered by so many ClusterGitHubApps.
func (a *Apps) isShared(ctx context.Context, key string, own []v1alpha1.GitHubApp, offered int) (shared bool, looked int, err error) {
	if offered > 0 {
		return true, 0, nil
	}
	users, err := a.using(ctx, "", key)
	if err != nil {
		return false, 0, err
	}
	namespace := own[0].Namespace
	for i := range own {
		shared = shared || own[i].Namespace != namespace
	}
	for i := range users {
		shared = shared || users[i].Namespace != namespace && !scope.IsReleased(&users[i])
	}
	return shared, len(users), nil
}

// smaller is the smaller of two limits, of which 0 is none.
func smaller(limit int, other int32) int {
	if other > 0 && (limit == 0 || int(other) < limit) {
		return int(other)
	}
	return limit
}
