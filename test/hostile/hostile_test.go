package hostile

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/github/githubtest"
	"github.com/githubusertoken/github-user-token-operator/test/suite"
)

// TestHostileTenant makes the known attacks at once, then whatever comes to mind, and kills the operator in between.
func TestHostileTenant(t *testing.T) {
	w := newWorld(t)
	var apps []string
	for i := range settings.apps {
		apps = append(apps, w.app(fmt.Sprintf("Iv23liVICTIM%d", i), settings.lifetime))
	}
	the.gh.UpdateApp(apps[0], func(a *githubtest.App) { a.LongTokens = true }) // Those are searched for, too.
	behaving := w.namespace("victims", nil)
	victims := w.subjects(behaving, settings.victims, apps)
	ended := w.endedByRevocation(behaving)
	kept := w.versions(behaving, "github-app", "subject-0-seed")

	a := w.begin(w.tenant(w.namespace("hostile", nil)), settings.resources)
	w.eventually("pairs of the tenant that cannot be stored", func() (bool, string) {
		n := w.outboxRecords()
		records, err := strconv.Atoi(n)
		return err == nil && records >= stuck(), fmt.Sprintf("%s records in the outbox, and there are to be %d", n, stuck())
	})
	plainly, stop := context.WithCancel(w.ctx)
	defer stop()
	plain := w.plain(plainly)
	flooded := w.floods(900)
	victims.goOn("the known attacks")
	w.must(the.admin.Delete(w.ctx, ended.resource))
	a.reads(w.writes(a.tenant))

	victims.mu.Lock()
	victims.late, victims.seen = nil, nil // The figures are of what follows.
	victims.mu.Unlock()
	kills := 0
	a.act(settings.duration, settings.rate, func(share float64) {
		if kills < settings.kills && share > (float64(kills)+0.5)/float64(settings.kills) {
			kills++
			w.kill()
		}
	})
	victims.mu.Lock()
	late, seen := slices.Clone(victims.late), slices.Clone(victims.seen)
	victims.mu.Unlock()
	flooded()
	stop()
	<-plain.ended
	w.memory()
	victims.goOn("what came after")

	victims.settle()
	ended.await()
	if again := w.versions(behaving, "github-app", "subject-0-seed"); !maps.Equal(again, kept) {
		t.Error("Secrets of the victims that are not the operator's have changed")
	}
	w.memory()
	w.limits()
	for i, token := range a.spentTwice {
		if n := len(the.gh.PresentationsOf(token)); n > mostRefused {
			t.Errorf("a refused token that was its own device code was presented %d times (e-%05d)", n, i)
		}
	}
	a.reads(w.writes(a.tenant))
	w.search()
	victims.late, victims.seen = late, seen
	victims.judge()
	totals.plainTook, totals.plainFailed, totals.kills = plain.took, plain.failed, totals.kills+kills
	totals.done, totals.refused = a.done, a.refused
	if problem := totals.verdict(); settings.figures && problem != "" {
		t.Error(problem)
	}
}

// mostRefused is how often a token may be presented that GitHub has refused: once, and once more after each edit or
// kill that takes the verdict away.
const mostRefused = 3

// reads holds the operator to reading the large Secret, however many name it, once in each version and life: for the
// client secret and for the seed, and once more where changes overtake one another.
func (a *attack) reads(reads map[client.ObjectKey]int) {
	a.w.t.Helper()
	a.mu.Lock()
	defer a.mu.Unlock()
	const eachVersion = 8 // two keys, and a margin; without that memory it is once and more for each resource
	most := eachVersion * (a.done["touch the large Secret"] + the.lives)
	if n := reads[client.ObjectKey{Namespace: a.namespace, Name: largeSecret}]; n > most {
		a.w.t.Errorf("the one large Secret was read %d times, and %d are enough", n, most)
	}
}

// revoked is a resource whose tokens are to be ended at GitHub, in the turn of its namespace.
type revoked struct {
	w        *world
	resource *v1alpha1.GitHubUserToken
	login    string
}

// endedByRevocation makes one, without a client secret: so it needs a turn at the credentials endpoint.
func (w *world) endedByRevocation(namespace string) *revoked {
	w.t.Helper()
	const name = "ended"
	app := w.app("Iv23liENDED", time.Hour) // It is not refreshed meanwhile, which would want the secret.
	r := &revoked{w: w, login: w.login(namespace, app, namespace+"-"+name), resource: suite.Resource(namespace, name, "github.com", app)}
	r.resource.Spec.DeletionPolicy = v1alpha1.DeletionPolicyRevoke
	w.writable[client.ObjectKey{Namespace: namespace, Name: name + "-token"}] = true
	w.create(&corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name + "-seed"},
		StringData: map[string]string{"refresh_token": r.login},
	})
	w.create(r.resource)
	w.eventually("the resource to have a pair", func() (bool, string) {
		_, exchanged := the.gh.Successor(r.login)
		return exchanged, "it has none"
	})
	w.must(the.admin.Patch(w.ctx, r.resource, client.RawPatch(types.MergePatchType, []byte(`{"spec":{"app":{"clientSecretRef":null}}}`))))
	return r
}

// await waits until its tokens are dead.
func (r *revoked) await() {
	r.w.t.Helper()
	r.w.eventually("the tokens of a deleted resource to be ended at GitHub", func() (bool, string) {
		newest, _ := the.gh.Last(r.login)
		return !the.gh.Alive(newest.RefreshToken), "the refresh token is alive"
	})
}
