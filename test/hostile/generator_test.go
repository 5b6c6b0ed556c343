package hostile

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"golang.org/x/time/rate"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/test/suite"
)

// act lets the tenant do for a while, at a rate, what it may do, drawn from the seed. meanwhile is called now and then
// with how much of the time is over.
func (a *attack) act(duration time.Duration, perSecond float64, meanwhile func(share float64)) {
	a.limiter.SetLimit(rate.Limit(perSecond))
	a.limiter.SetBurst(1)
	work := make(chan func())
	var hands sync.WaitGroup
	for range 16 {
		hands.Go(func() {
			for do := range work {
				do()
			}
		})
	}
	names := slices.Sorted(maps.Keys(actions))
	begin := time.Now()
	for step := 0; time.Since(begin) < duration && a.w.ctx.Err() == nil; step++ {
		r := rand.New(rand.NewPCG(settings.seed, uint64(step)+1))
		do := actions[names[r.IntN(len(names))]]
		work <- func() { do(a, r) }
		meanwhile(float64(time.Since(begin)) / float64(duration))
	}
	close(work)
	hands.Wait()
	a.limiter.SetLimit(rate.Inf)
}

// row is one of the resources of a row.
func (a *attack) row(r *rand.Rand, letter string) string {
	return fmt.Sprintf("%s-%05d", letter, r.IntN(a.n))
}

// any is one of the tenant's resources.
func (a *attack) any(r *rand.Rand) string { return a.row(r, string("acdex"[r.IntN(5)])) }

// actions are all that the tenant draws from. Each makes a request or a few.
var actions = map[string]func(*attack, *rand.Rand){
	// The worst of the known attacks.
	"touch resources of row a": func(a *attack, r *rand.Rand) { a.touchResource(a.row(r, "a"), r.Int()) },
	"touch the large Secret": func(a *attack, r *rand.Rand) {
		a.patch("touch the large Secret", &corev1.Secret{}, largeSecret, touch(r.Int()))
	},
	"touch what many name":                    func(a *attack, r *rand.Rand) { a.patch("touch a Secret", &corev1.Secret{}, manyName, touch(r.Int())) },
	"change what many name":                   (*attack).changeNamed,
	"change whose a Secret is that many name": func(a *attack, r *rand.Rand) { a.contend(int(r.Uint32())) },
	"ask for a refresh":                       (*attack).request,
	"make a pair immutable": func(a *attack, r *rand.Rand) {
		a.patch("change a pair", &corev1.Secret{}, a.row(r, "c")+"-token", `{"immutable":true}`)
	},
	"make a token its own code": (*attack).deviceCode,
	"another made-up App":       (*attack).newApp,
	"revoke":                    (*attack).revoke,
	"name another seed":         func(a *attack, r *rand.Rand) { a.changeName("h-00000", junkName(r)) },
	"touch a huge state": func(a *attack, r *rand.Rand) {
		a.patch("touch a Secret", &corev1.Secret{}, fmt.Sprintf("b-%05d", r.IntN(stateSecrets)), touch(r.Int()))
	},
	"forge a pair again": func(a *attack, r *rand.Rand) { a.forgeAgain(r, r.IntN(forgedLeast)) },
	// Whatever else comes to mind.
	"create a resource": (*attack).randomResource,
	"create a Secret":   (*attack).randomSecret,
	"change a spec":     (*attack).randomSpec,
	"change a pair":     (*attack).randomPair,
	"delete a pair":     func(a *attack, r *rand.Rand) { a.remove("delete a Secret", &corev1.Secret{}, a.any(r)+"-token") },
	"delete a resource": func(a *attack, r *rand.Rand) {
		a.remove("delete a resource", &v1alpha1.GitHubUserToken{}, a.row(r, "x"))
	},
	"drop finalizers":     (*attack).dropFinalizers,
	"set or lift a quota": (*attack).quota,
}

func junkName(r *rand.Rand) string { return fmt.Sprintf("no-such-%d", r.IntN(1_000_000)) }

// changeNamed changes what stands under a key that nobody names, and the client secret itself.
func (a *attack) changeNamed(r *rand.Rand) {
	key := []string{"client_secret", "other"}[r.IntN(2)]
	a.patch("change a Secret", &corev1.Secret{}, manyName, fmt.Sprintf(`{"stringData":{%q:"%d"}}`, key, r.Int()))
}

func (a *attack) request(r *rand.Rand) {
	a.patch("ask for a refresh", &v1alpha1.GitHubUserToken{}, a.any(r), fmt.Sprintf(`{"metadata":{"annotations":{%q:"%d"}}}`, v1alpha1.AnnotationRefreshRequestedAt, r.Int()))
}

func (a *attack) deviceCode(r *rand.Rand) {
	token := junkRefresh(r)
	a.patch("change a pair", &corev1.Secret{}, a.any(r)+"-token", fmt.Sprintf(`{"stringData":{%q:%q,%q:%q}}`, v1alpha1.KeyRefreshToken, token, v1alpha1.KeyDeviceCode, token))
}

func (a *attack) newApp(r *rand.Rand) {
	a.patch("change a spec", &v1alpha1.GitHubUserToken{}, a.row(r, "d"), fmt.Sprintf(`{"spec":{"app":{"clientID":"Iv23liMADEUP%d"}}}`, r.IntN(1_000_000)))
}

func (a *attack) revoke(r *rand.Rand) {
	name := fmt.Sprintf("g-%d", r.Uint32())
	a.toBeRevoked(name, [2]string{junk(r, "ghu_", 36), junkRefresh(r)})
	a.remove("delete a resource", &v1alpha1.GitHubUserToken{}, name)
}

func (a *attack) randomResource(r *rand.Rand) {
	resource := a.resource(a.row(r, "x"), []string{a.app, "Iv23liMADEUP", "x"}[r.IntN(3)])
	resource.Spec.RefreshTokenRef.Name = a.someSecret(r)
	resource.Spec.App.ClientSecretRef.Name = a.someSecret(r)
	if r.IntN(3) == 0 {
		resource.Spec.Secret.Name = a.someSecret(r)
	}
	if r.IntN(3) == 0 {
		resource.Spec.Outputs = []v1alpha1.Output{{Name: a.someSecret(r) + "x", Format: v1alpha1.OutputFormat("Opaque")}}
	}
	switch r.IntN(8) {
	case 0:
		resource.Spec.Login = suite.DeviceLogin()
	case 1:
		resource.Spec.DeviceFlow = &v1alpha1.DeviceFlow{}
	}
	resource.Spec.DeletionPolicy = []v1alpha1.DeletionPolicy{
		v1alpha1.DeletionPolicyDelete, v1alpha1.DeletionPolicyRetain, v1alpha1.DeletionPolicyRevoke,
	}[r.IntN(3)]
	a.make("resource", resource)
}

// someSecret is the name of one of the tenant's Secrets, its own or one that the operator made.
func (a *attack) someSecret(r *rand.Rand) string {
	return []string{largeSecret, manyName, a.any(r) + "-token", a.any(r) + "-seed", a.row(r, "b"), a.row(r, "s")}[r.IntN(6)]
}

// randomSecret forges whatever the operator looks at.
func (a *attack) randomSecret(r *rand.Rand) {
	secret := a.secret(a.row(r, "s"), false, map[string][]byte{
		v1alpha1.KeyRefreshToken: []byte(junkRefresh(r)), "client_secret": []byte("none"),
	})
	if r.IntN(2) == 0 {
		secret.Labels = map[string]string{
			v1alpha1.LabelRole:  []string{v1alpha1.RolePair, v1alpha1.RoleBackup, v1alpha1.RoleOutput, "other"}[r.IntN(4)],
			v1alpha1.LabelOwner: a.any(r),
		}
		secret.Annotations = map[string]string{
			v1alpha1.AnnotationState:  []string{"", "{}", `{"format":99}`, `{"verdict":{"reason":"Made up"}}`, "x"}[r.IntN(5)],
			v1alpha1.AnnotationIntent: []string{"", "{}", `{"outbox":"x","process":"y"}`, "null"}[r.IntN(4)],
			v1alpha1.AnnotationSource: "forged",
		}
	}
	if r.IntN(3) == 0 {
		secret.Finalizers = []string{v1alpha1.Finalizer}
	}
	if r.IntN(4) == 0 {
		yes := true
		secret.Immutable = &yes
	}
	if r.IntN(4) == 0 {
		secret.OwnerReferences = []metav1.OwnerReference{{
			APIVersion: v1alpha1.GroupVersion.String(), Kind: "GitHubUserToken", Name: a.any(r), UID: types.UID(fmt.Sprint(r.Int())),
		}}
	}
	a.make("secret", secret)
}

func (a *attack) randomSpec(r *rand.Rand) {
	changes := []string{
		fmt.Sprintf(`{"spec":{"secret":{"name":%q}}}`, a.someSecret(r)),
		fmt.Sprintf(`{"spec":{"secret":{"name":%q}}}`, junkName(r)),
		fmt.Sprintf(`{"spec":{"refreshTokenRef":{"name":%q}}}`, a.someSecret(r)),
		fmt.Sprintf(`{"spec":{"refreshTokenRef":{"name":%q,"key":"refresh_token"}}}`, a.any(r)+"-token"),
		`{"spec":{"suspend":true}}`, `{"spec":{"suspend":false}}`,
		`{"spec":{"refreshBefore":"4000h"}}`, `{"spec":{"checkInterval":"10s"}}`,
		`{"spec":{"app":{"host":"127.0.0.1:1"}}}`, `{"spec":{"app":{"host":"github.com"}}}`,
	}
	a.patch("change a spec", &v1alpha1.GitHubUserToken{}, a.any(r), changes[r.IntN(len(changes))])
}

func (a *attack) randomPair(r *rand.Rand) {
	changes := []string{
		fmt.Sprintf(`{"metadata":{"labels":{%q:null}}}`, v1alpha1.LabelRole),
		fmt.Sprintf(`{"metadata":{"labels":{%q:"output"}}}`, v1alpha1.LabelRole),
		`{"metadata":{"ownerReferences":null}}`,
		fmt.Sprintf(`{"metadata":{"annotations":{%q:"garbled"}}}`, v1alpha1.AnnotationState),
		fmt.Sprintf(`{"metadata":{"annotations":{%q:null}}}`, v1alpha1.AnnotationState),
		fmt.Sprintf(`{"metadata":{"annotations":{%q:null}}}`, v1alpha1.AnnotationIntent),
		fmt.Sprintf(`{"metadata":{"annotations":{%q:"{\"outbox\":\"x\"}"}}}`, v1alpha1.AnnotationIntent),
		`{"data":null}`,
		fmt.Sprintf(`{"stringData":{%q:%q}}`, v1alpha1.KeyRefreshToken, junkRefresh(r)),
		fmt.Sprintf(`{"stringData":{%q:%q}}`, v1alpha1.KeyAccessToken, junk(r, "ghu_", 36)),
		fmt.Sprintf(`{"stringData":{%q:%q}}`, v1alpha1.KeySeedRefreshToken, junkRefresh(r)),
	}
	a.patch("change a pair", &corev1.Secret{}, a.any(r)+"-token", changes[r.IntN(len(changes))])
}

func (a *attack) dropFinalizers(r *rand.Rand) {
	name := a.any(r)
	if r.IntN(2) == 0 {
		a.patch("drop finalizers", &corev1.Secret{}, name+"-token", `{"metadata":{"finalizers":null}}`)
	} else {
		a.patch("drop finalizers", &v1alpha1.GitHubUserToken{}, name, `{"metadata":{"finalizers":null}}`)
	}
}

// quota forbids more Secrets than there are, or lifts that. A user with edit may not; an admin of the namespace may.
func (a *attack) quota(r *rand.Rand) {
	quota := &corev1.ResourceQuota{
		ObjectMeta: metav1.ObjectMeta{Namespace: a.namespace, Name: "hostile"},
		Spec:       corev1.ResourceQuotaSpec{Hard: corev1.ResourceList{"count/secrets": resource.MustParse("1")}},
	}
	if r.IntN(3) == 0 {
		a.do("set a quota", func(ctx context.Context) error { return the.admin.Create(ctx, quota) })
		return
	}
	a.do("lift a quota", func(ctx context.Context) error { return client.IgnoreNotFound(the.admin.Delete(ctx, quota)) })
}
