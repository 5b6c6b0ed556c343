package simulation

import (
	"context"
	"errors"
	"time"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/lifecycle"
	"github.com/githubusertoken/github-user-token-operator/controllers/scope"
	"github.com/githubusertoken/github-user-token-operator/internal/problem"
)

// apps are the Apps of the resources, as they stand in their specs. Now and then one may not be used for a while, as when its
// administrator takes a namespace away from it, or it cannot be found out which it is.
type apps struct{ life *life }

var _ lifecycle.Apps = apps{}

// errAppUnknown: the caches do not know the App yet.
var errAppUnknown = errors.New("the API server has not listed its objects yet")

// App implements lifecycle.Apps.
func (a apps) App(_ context.Context, token *v1alpha1.GitHubUserToken) (scope.App, error) {
	w := a.life.world
	res, app := w.resources[token.Namespace], scope.InlineApp(token)
	switch {
	case w.now < res.appRefused:
	case !w.strikesOn(res, AppNotUsable, 500):
		return app, nil
	case res.rng.IntN(2) == 0:
		return scope.App{}, errAppUnknown
	default:
		res.appRefused = w.now + time.Minute + time.Duration(res.rng.Int64N(int64(20*time.Minute)))
		w.after(res.appRefused-w.now, func() { w.appChanged(res) })
	}
	app.Refused, app.Problem = true, &problem.Problem{Reason: v1alpha1.ReasonAppNotUsable, Stalled: true, Message: scope.AppNotUsable}
	return app, nil
}

// appChanged tells the processes that the App of a resource may be used again. Each knows the resource as its cache shows it.
func (w *world) appChanged(res *resource) {
	for _, l := range w.lives {
		l.do(func() {
			if token := l.watch.tokens[res.namespace]; token != nil {
				l.controller.AppChanged(token)
			}
		})
	}
}
