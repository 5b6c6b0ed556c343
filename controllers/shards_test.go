package controllers

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/shard"
	"github.com/githubusertoken/github-user-token-operator/internal/github/githubtest"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
	"github.com/githubusertoken/github-user-token-operator/test/suite"
)

// shardKey is the label in these tests.
const shardKey = "sharding.fluxcd.io/key"

// newShards is a world with an operator for each selector, each with an outbox and a clock of its own.
func newShards(t *testing.T, options worldOptions, selectors ...string) (w *world, shards []*world) {
	t.Helper()
	options.noOperator = true
	w = newWorld(t, options)
	for _, text := range selectors {
		selector, err := shard.Parse(text)
		w.must(err)
		one := *w
		one.meter, one.outboxDir, one.options.selector = &meter{}, t.TempDir(), selector
		one.startOperator(one.options)
		shards = append(shards, &one)
	}
	return w, shards
}

// three are the selectors of three deployments that leave nothing out.
var three = []string{shardKey + " notin (shard1,shard2)", shardKey + "=shard1", shardKey + "=shard2"}

// in is a resource with the label of a shard; of none when that is empty.
func (w *world) in(shard, name string) *v1alpha1.GitHubUserToken {
	token := w.resource(name)
	if shard != "" {
		token.Labels = map[string]string{shardKey: shard}
	}
	return token
}

// moveTo gives an object the label of another shard.
func (w *world) moveTo(shard string, object client.Object) {
	w.t.Helper()
	w.edit(object, func(object client.Object) {
		labels := maps.Clone(object.GetLabels())
		if labels == nil {
			labels = map[string]string{}
		}
		labels[shardKey] = shard
		if shard == "" {
			delete(labels, shardKey)
		}
		object.SetLabels(labels)
	})
}

// writesAbout are the writes of an operator since then that have a name in their path.
func (w *world) writesAbout(then reading, name string) (found []string) {
	writes, _, _ := w.meter.since(then)
	for _, write := range writes {
		if strings.Contains(write, "/"+name) {
			found = append(found, write)
		}
	}
	return found
}

func TestShardsServeEachWhatItSelects(t *testing.T) {
	t.Parallel()
	w, shards := newShards(t, worldOptions{}, three...)
	names := []string{"unlabelled", "first", "second"}
	for i, name := range names {
		w.seed(name, name)
		w.create(w.in([]string{"", "shard1", "shard2"}[i], name))
	}
	for _, name := range names {
		w.ready(name)
		w.account(name)
	}
	for i, own := range shards {
		for j, name := range names {
			if wrote := own.writesAbout(reading{}, name); (len(wrote) > 0) != (i == j) {
				t.Errorf("%q has written about %s: %v", three[i], name, wrote)
			}
		}
	}
	// A resource that none of them selects is left alone, and what is remembered of others is nothing.
	w.seed("nobodys", "nobodys")
	for _, name := range names {
		uid := w.get(name).UID
		for i, own := range shards {
			if own.reconciler.remembers(uid) != (names[i] == name) {
				t.Errorf("%q remembers %s: %v", three[i], name, own.reconciler.remembers(uid))
			}
		}
	}
}

func TestShardsLabelThatMovesHandsOverWithoutAnExchange(t *testing.T) {
	t.Parallel()
	w, shards := newShards(t, worldOptions{}, three...)
	w.seed("octocat", "octocat")
	w.create(w.in("shard1", "octocat"))
	before := w.ready("octocat")
	w.account("octocat")
	uid, presented := w.get("octocat").UID, len(w.gh.Presentations())
	former, next := shards[1], shards[2]
	former.settle()
	then := former.meter.read()

	w.moveTo("shard2", w.get("octocat"))
	w.eventually("the former shard to forget it", func() (bool, string) { return !former.reconciler.remembers(uid), "it remembers it" })
	w.request("octocat", "moved")
	for _, own := range shards {
		own.quiet() // The next one leaves it alone for a while.
	}
	next.meter.leap(rotation.IntentTimeout)
	w.request("octocat", "moved again")
	w.honoured("octocat", "moved again")
	if got := len(w.gh.Presentations()); got != presented+1 {
		t.Errorf("%d tokens were presented, want the one that was asked for", got-presented)
	}
	if wrote := former.writesAbout(then, "octocat"); len(wrote) > 0 {
		t.Errorf("the former shard has written %v", wrote)
	}
	if after := w.pair("octocat-token"); after.UID != before.UID || !w.gh.Alive(string(after.Data[v1alpha1.KeyAccessToken])) {
		t.Error("the pair did not go on where it was")
	}
	w.eventually("the status to tell of it", func() (bool, string) {
		token := w.get("octocat")
		return token.Status.RefreshCount == 2, suite.Describe(token)
	})
	next.settle()
	// And back, to one that has served it before, without anything to do.
	presented = len(w.gh.Presentations())
	w.moveTo("shard1", w.get("octocat"))
	w.eventually("the other shard to forget it", func() (bool, string) { return !next.reconciler.remembers(uid), "it remembers it" })
	former.meter.leap(rotation.IntentTimeout)
	w.touch("octocat")
	w.eventually("the first shard to have it again", func() (bool, string) { return former.reconciler.remembers(uid), "it does not" })
	for _, own := range shards {
		own.quiet()
	}
	if got := len(w.gh.Presentations()); got != presented {
		t.Errorf("%d tokens were presented", got-presented)
	}
}

// What is begun when the label moves is ended by whoever has begun it, and nobody presents the token again.
func TestShardsExchangeUnderWayEndsWhereItBegan(t *testing.T) {
	t.Parallel()
	w, shards := newShards(t, worldOptions{}, three...)
	w.seed("octocat", "octocat")
	w.create(w.in("shard1", "octocat"))
	held := string(w.ready("octocat").Data[v1alpha1.KeyRefreshToken])
	w.account("octocat")
	reply := w.gh.Inject(githubtest.Hold().AfterCommit().ForRefreshToken(held))
	w.request("octocat", "now")
	<-reply.Arrived()
	w.moveTo("shard2", w.get("octocat"))
	for _, own := range []*world{shards[0], shards[2]} {
		own.quiet()
	}
	reply.Release()
	w.eventually("the new pair to be stored", func() (bool, string) {
		secret := w.pair("octocat-token")
		return string(secret.Data[v1alpha1.KeyRefreshToken]) != held && w.gh.Alive(string(secret.Data[v1alpha1.KeyAccessToken])), "the old one stands there"
	})
	uid := w.get("octocat").UID
	w.eventually("the former shard to forget it", func() (bool, string) { return !shards[1].reconciler.remembers(uid), "it remembers it" })
	shards[2].meter.leap(rotation.IntentTimeout)
	w.touch("octocat")
	w.eventually("the status to tell of it", func() (bool, string) {
		token := w.get("octocat")
		return token.Status.RefreshCount == 2, suite.Describe(token)
	})
	if got := len(w.gh.PresentationsOf(held)); got != 1 {
		t.Errorf("the token was presented %d times", got)
	}
}

// nextSecond waits until what is created is younger than a resource: the API server counts in seconds.
func (w *world) nextSecond(name string) {
	w.t.Helper()
	created := w.get(name).CreationTimestamp
	w.eventually("the next second", func() (bool, string) { return time.Since(created.Time) > time.Second, "the same" })
}

// An older resource owns its seed's token whoever serves it, and for as long as it wants it.
func TestShardsKnowEachOthersClaims(t *testing.T) {
	t.Parallel()
	w, shards := newShards(t, worldOptions{}, three[1], three[2])
	shards[1].stop() // Nobody begins with what is in shard2.
	shared := w.seed("older", "octocat")
	w.create(w.in("shard2", "older"))
	w.nextSecond("older")
	w.secret("younger-seed", map[string]string{"refresh_token": shared})
	w.create(w.in("shard1", "younger"))
	stalled := w.condition("younger", v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonRefreshTokenInUse)
	if !strings.Contains(stalled.Message, "older") {
		t.Errorf("it does not say whose the token is: %s", stalled.Message)
	}
	if got := len(w.gh.PresentationsOf(shared)); got != 0 {
		t.Fatalf("the token was presented %d times", got)
	}
	w.seed("older", "hubot")
	w.ready("younger")
	if got := w.gh.ExchangesOf(shared); got != 1 {
		t.Errorf("the token was exchanged %d times", got)
	}
}

// Whoever has begun with a token has it, in whatever shard and however young.
func TestShardsLeaveATokenToWhoHasBegunWithIt(t *testing.T) {
	t.Parallel()
	w, _ := newShards(t, worldOptions{}, three[1], three[2])
	w.seed("older", "hubot")
	w.create(w.in("shard1", "older"))
	w.ready("older")
	w.account("older")
	w.nextSecond("older")
	taken := w.seed("younger", "octocat")
	w.create(w.in("shard2", "younger"))
	w.ready("younger")
	w.account("younger")
	w.secret("older-seed", map[string]string{"refresh_token": taken})
	w.eventually("the older one to say so", func() (bool, string) {
		token := w.get("older")
		return strings.Contains(suite.Describe(token), v1alpha1.ReasonRefreshTokenInUse) || strings.Contains(suite.Describe(token), "owns this refresh token"), suite.Describe(token)
	})
	if got := len(w.gh.PresentationsOf(taken)); got != 1 {
		t.Errorf("the token was presented %d times", got)
	}
}

// Selectors that overlap are a mistake. Two processes then serve the same resources, and no token is spent twice: the fence keeps
// them apart, and searchForTokens, which ends every test, asks the stand-in.
func TestShardsThatOverlapSpendNoTokenTwice(t *testing.T) {
	t.Parallel()
	w, _ := newShards(t, worldOptions{app: githubtest.App{AccessTokenLifetime: 8 * time.Second}}, "", shardKey, shardKey+"=shard1")
	for i := range 6 {
		name := fmt.Sprintf("octocat-%d", i)
		w.seed(name, name)
		w.create(w.in("shard1", name))
	}
	for i := range 6 {
		name := fmt.Sprintf("octocat-%d", i)
		w.eventually("some refreshes of "+name, func() (bool, string) {
			token := w.get(name)
			return token.Status.RefreshCount >= 3, suite.Describe(token)
		})
	}
}

// A resource is released by its own shard alone, and what is left of one that somebody has released by force by any.
func TestShardsReleaseWhatIsLeft(t *testing.T) {
	t.Parallel()
	w, shards := newShards(t, worldOptions{}, three[1], three[2])
	w.seed("octocat", "octocat")
	w.create(w.in("shard1", "octocat"))
	w.ready("octocat")
	w.account("octocat")
	shards[0].stop()
	token := w.get("octocat")
	w.must(admin.Delete(w.ctx, token))
	shards[1].quiet()
	if w.get("octocat").DeletionTimestamp == nil {
		t.Fatal("it is not being deleted")
	}
	w.must(admin.Delete(w.ctx, w.pair("octocat-token")))
	w.edit(w.get("octocat"), func(object client.Object) { object.SetFinalizers(nil) })
	var secrets corev1.SecretList
	looks := 0
	w.eventually("the other shard to see that it is gone", func() (bool, string) {
		shards[1].meter.leap(comeBackTime)
		secret := w.find("octocat-token")
		if looks++; secret != nil { // It is looked at again for each event.
			w.must(client.IgnoreNotFound(admin.Patch(w.ctx, secret, client.RawPatch(types.MergePatchType, fmt.Appendf(nil, `{"metadata":{"annotations":{"looked":"%d"}}}`, looks)))))
		}
		w.must(admin.List(w.ctx, &secrets, client.InNamespace(w.namespace), client.HasLabels{v1alpha1.LabelRole}))
		return len(secrets.Items) == 0, fmt.Sprintf("%d Secrets are left", len(secrets.Items))
	})
}

// The status and the finalizer of an App are kept by the shard that selects it; its users count whoever serves them.
func TestShardsKeepTheStatusesOfTheirApps(t *testing.T) {
	t.Parallel()
	w, shards := newShards(t, worldOptions{}, three...)
	w.own("shared", nil)
	for shardName, name := range map[string]string{"": "unlabelled", "shard1": "first", "shard2": "second"} {
		token := w.using(name, v1alpha1.KindGitHubApp, "shared")
		token.Labels = w.in(shardName, name).Labels
		w.seed(name, name)
		w.create(token)
	}
	counted := func(tokens int32) {
		t.Helper()
		w.eventually("the App's users to be counted", func() (bool, string) {
			status := w.appStatus(v1alpha1.KindGitHubApp, "shared")
			return status.Tokens == tokens, fmt.Sprint(status.Tokens, " ", describeAll(status.Conditions))
		})
	}
	counted(3)
	for i, own := range shards[1:] {
		if wrote := own.writesAbout(reading{}, "shared"); len(wrote) > 0 {
			t.Errorf("shard%d has written %v", i+1, wrote)
		}
	}
	app := &v1alpha1.GitHubApp{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "shared"}}
	w.must(admin.Get(w.ctx, client.ObjectKeyFromObject(app), app))
	w.moveTo("shard1", app)
	shards[0].settle()
	then := shards[0].meter.read()
	w.must(admin.Delete(w.ctx, w.get("second")))
	w.eventually("the resource to go", func() (bool, string) {
		return client.IgnoreNotFound(admin.Get(w.ctx, client.ObjectKey{Namespace: w.namespace, Name: "second"}, &v1alpha1.GitHubUserToken{})) == nil, "it is there"
	})
	counted(2)
	if wrote := shards[0].writesAbout(then, "githubapps/shared"); len(wrote) > 0 {
		t.Errorf("the former shard of the App has written %v", wrote)
	}
	if !slices.ContainsFunc(shards[1].writesAbout(reading{}, "shared"), func(write string) bool { return strings.HasSuffix(write, "/status") }) {
		t.Error("its shard has not written its status")
	}
}

// The policy of config/components/shard-wall: the label is for administrators, and all else of an object for whoever may write it.
func TestShardsLabelIsForAdministrators(t *testing.T) {
	t.Parallel()
	w, shards := newShards(t, worldOptions{}, three...)
	for _, file := range []string{"policy", "binding"} {
		w.must(plane.Apply(w.ctx, "../config/components/shard-wall/"+file+".yaml"))
	}
	tenant := w.tenant()
	w.eventually("the policy to hold", func() (bool, string) {
		err := tenant.Create(w.ctx, w.in("shard1", "octocat"), client.DryRunAll)
		return apierrors.IsForbidden(err) && strings.Contains(err.Error(), "says which deployment of the operator serves this object"), errorText(err)
	})
	w.seed("octocat", "octocat")
	w.must(tenant.Create(w.ctx, w.in("", "octocat")))
	w.ready("octocat")
	w.account("octocat")
	w.moveTo("shard1", w.get("octocat")) // An administrator.
	labels := func(patch string) error {
		return tenant.Patch(w.ctx, w.get("octocat"), client.RawPatch(types.MergePatchType, fmt.Appendf(nil, `{"metadata":{"labels":%s}}`, patch)), client.DryRunAll)
	}
	own := &v1alpha1.GitHubApp{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "mine", Labels: map[string]string{shardKey: "shard1"}}, Spec: w.appSpec()}
	for what, err := range map[string]error{
		"moves it":      labels(`{"` + shardKey + `":"shard2"}`),
		"empties it":    labels(`{"` + shardKey + `":""}`),
		"takes it off":  labels(`{"` + shardKey + `":null}`),
		"takes all off": labels(`null`),
		"labels an App": tenant.Create(w.ctx, own, client.DryRunAll),
		"makes it anew": tenant.Create(w.ctx, w.in("shard2", "another"), client.DryRunAll),
	} {
		if !apierrors.IsForbidden(err) {
			t.Errorf("a tenant %s: %v", what, err)
		}
	}
	w.must(labels(`{"mine":"mine"}`))
	own.Labels = nil
	w.must(tenant.Create(w.ctx, own))
	// The operator's own writes pass, though it is in none of the groups: of the resource, its status, and its finalizer.
	shards[1].meter.leap(rotation.IntentTimeout)
	w.request("octocat", "now")
	w.honoured("octocat", "now")
	w.must(tenant.Delete(w.ctx, w.get("octocat")))
	w.eventually("the resource to go", func() (bool, string) {
		err := admin.Get(w.ctx, client.ObjectKey{Namespace: w.namespace, Name: "octocat"}, &v1alpha1.GitHubUserToken{})
		return apierrors.IsNotFound(err), errorText(err)
	})
	// Whoever is in a group passes.
	config, err := plane.UserConfig("spreader", "githubusertoken.dev:sharding", "system:authenticated")
	w.must(err)
	spreader, err := client.New(config, client.Options{Scheme: scheme})
	w.must(err)
	w.create(&rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "spreader"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "edit"},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.UserKind, APIGroup: rbacv1.GroupName, Name: "spreader"}},
	})
	w.eventually("who is in a group to pass", func() (bool, string) {
		err := spreader.Create(w.ctx, w.in("shard2", "another"), client.DryRunAll)
		return err == nil, errorText(err)
	})
}
