package hostile

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/github/githubtest"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// The known attacks. Each is made with so many resources as the tenant has for it, and says by what is held against
// GitHub's and the API server's accounts in the end whether it came to anything: see judge_test.go.

const (
	// largeSecret is the one Secret of 1 MiB that many name.
	largeSecret = "large"
	// manyName is a small Secret that many name.
	manyName = "many-name"
	// contended is a Secret with the operator's label that many name as an output.
	contended = "contended"
	// revokedLeast is how many resources end their tokens at once: more than GitHub takes in an hour.
	revokedLeast = 70
)

// slowly makes GitHub take its time with the tenant's own App, as a host does that the tenant runs: so there is time to
// do something to an exchange under way.
const slowly = 1500 * time.Millisecond

// attack is what the tenant has set up.
type attack struct {
	*tenant
	random *rand.Rand
	// app is the tenant's own App. There is a success of it.
	app string
	// forgedOwners are the UIDs of the resources whose pairs are forged.
	forgedOwners map[int]string
	// spentTwice are tokens that were put beside themselves as a device code.
	spentTwice []string
	// n is how many resources each of the rows a, c, d, e and h has.
	n int
}

// begin makes the attacks, all of them.
func (w *world) begin(t *tenant, resources int) *attack {
	a := &attack{
		tenant: t, random: rand.New(rand.NewPCG(settings.seed, 0)),
		app: w.app("Iv23liHOSTILE", time.Hour), n: max(resources/5, 1), forgedOwners: map[int]string{},
	}
	the.gh.Inject(githubtest.Delay(slowly).ForApp(a.app).Always())
	a.obstruct()
	// The seeds of older resources of a namespace are looked at first: what is to be exchanged comes before what only costs reads.
	for _, row := range []func(){
		a.stuckPairs, a.contendedSecret, a.largeSecrets, a.garbledStates, a.madeUpApps, a.deviceCodes, a.manyRevocations, a.changedNames,
		a.forgedPairs,
	} {
		row()
	}
	return a
}

// largeSecrets is row a: many resources, whose seeds are missing or malformed, name one large Secret, and are touched.
func (a *attack) largeSecrets() {
	a.make("secret", a.secret(largeSecret, true, map[string][]byte{"client_secret": []byte("none"), "rest": make([]byte, 1<<20-4096)}))
	each(a.n, func(i int) {
		resource := a.resource(fmt.Sprintf("a-%05d", i), a.app)
		resource.Spec.App.ClientSecretRef.Name = largeSecret
		if i%2 == 0 {
			resource.Spec.RefreshTokenRef = &v1alpha1.RefreshTokenReference{Name: largeSecret, Key: "absent"}
		}
		resource.Spec.Outputs = []v1alpha1.Output{{Name: contended, Format: v1alpha1.OutputFormatOpaque}}
		a.make("resource", resource)
	})
	for round := range 2 {
		each(a.n, func(i int) { a.touchResource(fmt.Sprintf("a-%05d", i), round) })
		a.contend(round)
	}
}

// contendedSecret is a Secret that the operator's own watch tells of, and that all of row a name: whose it is changes again and
// again, and each of them might have it.
func (a *attack) contendedSecret() {
	secret := a.secret(contended, true, nil)
	secret.Labels = map[string]string{v1alpha1.LabelRole: v1alpha1.RoleOutput}
	a.make("secret", secret)
}

func (a *attack) contend(n int) {
	a.patch("change whose a Secret is", &corev1.Secret{}, contended, fmt.Sprintf(`{"metadata":{"labels":{%q:"n%d"}}}`, v1alpha1.LabelOwner, n))
}

func (a *attack) touchResource(name string, n int) {
	a.patch("touch a resource", &v1alpha1.GitHubUserToken{}, name, touch(n))
}

// stateSecrets is how many Secrets with huge states there are: 20 MiB of them.
const stateSecrets = 100

// garbledStates is row b: Secrets that bear the operator's label, and a state with thousands of seeds.
func (a *attack) garbledStates() {
	var seeds []map[string]string
	for range 4000 {
		seeds = append(seeds, map[string]string{"fingerprint": junk(a.random, "", 32)})
	}
	state, err := json.Marshal(map[string]any{"seeds": seeds})
	a.w.must(err)
	each(stateSecrets, func(i int) {
		secret := a.secret(fmt.Sprintf("b-%05d", i), true, nil)
		secret.Labels = map[string]string{v1alpha1.LabelRole: v1alpha1.RolePair}
		secret.Annotations = map[string]string{v1alpha1.AnnotationState: strings.ReplaceAll(string(state), `"0`, fmt.Sprintf(`"%d`, i%10))}
		a.make("secret", secret)
	})
}

// stuckPairs is row c: resources with tokens, good and bad, whose Secrets the tenant makes immutable as soon as an
// exchange is under way, with Secrets of its own where the operator would keep the pair instead.
func (a *attack) stuckPairs() {
	var seeds []string
	for i := range a.n {
		seeds = append(seeds, a.w.login(a.namespace, a.app, fmt.Sprintf("hostile-%05d", i)))
		if i%3 == 2 {
			seeds[i] = junkRefresh(a.random)
		}
	}
	each(a.n, func(i int) {
		name := fmt.Sprintf("c-%05d", i)
		a.make("secret", a.secret(name+"-seed", true, map[string][]byte{"refresh_token": []byte(seeds[i])}))
		a.make("resource", a.resource(name, a.app))
	})
}

// mostStuck is how many pairs of the tenant's may not be stored at once, whatever the operator's places: a namespace has a
// share of the outbox and no more.
const mostStuck = 64

// stuck is how many pairs of the tenant's cannot be stored before the victims are looked at: as many as it can have at once
// while it gets half of the places.
func stuck() int { return min(settings.places/2, mostStuck) }

// obstruct watches for resources and exchanges under way, and puts itself in the way of the latter.
func (a *attack) obstruct() {
	backedUp := map[types.UID]bool{}
	a.w.watch(a.api, &v1alpha1.GitHubUserTokenList{}, a.namespace, func(object client.Object) {
		if !strings.HasPrefix(object.GetName(), "c-") || backedUp[object.GetUID()] {
			return
		}
		backedUp[object.GetUID()] = true
		backup := a.secret("github-user-token-backup-"+string(object.GetUID()), true, nil)
		yes := true
		backup.Immutable = &yes
		a.make("secret", backup)
	})
	a.w.watch(a.api, &corev1.SecretList{}, a.namespace, func(object client.Object) {
		secret := object.(*corev1.Secret)
		name, isPair := strings.CutSuffix(secret.Name, "-token")
		switch {
		case !isPair || secret.Immutable != nil || !strings.HasPrefix(name, "c-"):
		case secret.Annotations[v1alpha1.AnnotationIntent] != "":
			a.patch("make a pair immutable", &corev1.Secret{}, secret.Name, `{"immutable":true}`)
		case len(secret.Data[v1alpha1.KeyAccessToken]) > 0: // It came too late for this exchange: there is to be another one.
			a.patch("ask for a refresh", &v1alpha1.GitHubUserToken{}, name, fmt.Sprintf(`{"metadata":{"annotations":{%q:%q}}}`, v1alpha1.AnnotationRefreshRequestedAt, secret.ResourceVersion))
		}
	}, client.HasLabels{v1alpha1.LabelOwner})
}

// madeUpApps is row d: a client id of its own for each resource, and touches of the Secret that all name.
func (a *attack) madeUpApps() {
	a.make("secret", a.secret(manyName, true, map[string][]byte{"client_secret": []byte("none")}))
	seeds := make([]string, a.n)
	for i := range seeds {
		seeds[i] = junkRefresh(a.random)
	}
	each(a.n, func(i int) {
		name := fmt.Sprintf("d-%05d", i)
		a.make("secret", a.secret(name+"-seed", true, map[string][]byte{"refresh_token": []byte(seeds[i])}))
		resource := a.resource(name, fmt.Sprintf("Iv23liMADEUP%05d", i))
		resource.Spec.App.ClientSecretRef.Name = manyName
		a.make("resource", resource)
	})
	for n := range 5 {
		a.patch("touch a Secret", &corev1.Secret{}, manyName, touch(n))
	}
}

// deviceCodes is row e: a refused refresh token stands in the tenant's pair Secret as the device code as well.
func (a *attack) deviceCodes() {
	for i := range min(a.n, 5) {
		name, token := fmt.Sprintf("e-%05d", i), junkRefresh(a.random)
		a.spentTwice = append(a.spentTwice, token)
		resource := a.resource(name, a.app)
		a.make("resource", resource)
		a.make("forge a pair", forged(resource, map[string][]byte{
			v1alpha1.KeyRefreshToken: []byte(token), v1alpha1.KeyDeviceCode: []byte(token),
		}))
	}
}

// manyRevocations is row g: resources with made-up tokens that are to be revoked, deleted all at once.
func (a *attack) manyRevocations() {
	names := make([]string, max(a.n/5, revokedLeast))
	tokens := make([][2]string, len(names))
	for i := range names {
		names[i] = fmt.Sprintf("g-%05d", i)
		tokens[i] = [2]string{junk(a.random, "ghu_", 36), junkRefresh(a.random)}
	}
	each(len(names), func(i int) { a.toBeRevoked(names[i], tokens[i]) })
	each(len(names), func(i int) { a.remove("delete a resource", &v1alpha1.GitHubUserToken{}, names[i]) })
}

func (a *attack) toBeRevoked(name string, tokens [2]string) {
	resource := a.resource(name, a.app)
	resource.Spec.DeletionPolicy = v1alpha1.DeletionPolicyRevoke
	resource.Spec.App.ClientSecretRef = nil
	resource.Finalizers = []string{v1alpha1.Finalizer}
	a.make("resource", resource)
	a.make("forge a pair", forged(resource, map[string][]byte{
		v1alpha1.KeyAccessToken: []byte(tokens[0]), v1alpha1.KeyRefreshToken: []byte(tokens[1]),
	}))
}

// changedNames is row h: one resource names one seed after the other.
func (a *attack) changedNames() {
	a.make("resource", a.resource("h-00000", a.app))
	for n := range a.n {
		a.changeName("h-00000", fmt.Sprintf("no-such-seed-%d", n))
	}
}

func (a *attack) changeName(name, seed string) {
	a.patch("change a spec", &v1alpha1.GitHubUserToken{}, name, fmt.Sprintf(`{"spec":{"refreshTokenRef":{"name":%q}}}`, seed))
}

const (
	// forgedLeast is how many resources have forged pairs, at least, and forgedRounds how often each is edited.
	forgedLeast, forgedRounds = 50, 12
	// forgedApp is the App of all of them. GitHub does not know it.
	forgedApp = "Iv23liFORGED"
)

// forgedPairs are pairs of made-up access tokens about which GitHub is to be asked, since their account is not known,
// or since they seem to come from a backup. Some have a made-up client secret beside them.
func (a *attack) forgedPairs() {
	n := max(a.n/5, forgedLeast)
	resources := make([]*v1alpha1.GitHubUserToken, n)
	for i := range resources {
		resources[i] = a.resource(fmt.Sprintf("k-%05d", i), forgedApp)
		resources[i].Spec.App.ClientSecretRef.Name = manyName
		if i%4 != 0 {
			resources[i].Spec.App.ClientSecretRef = nil
		}
	}
	each(n, func(i int) {
		a.make("resource", resources[i])
		a.mu.Lock()
		a.forgedOwners[i] = string(resources[i].UID)
		a.mu.Unlock()
		access, state := a.forgedPair(rand.New(rand.NewPCG(settings.seed, uint64(i))), i)
		secret := forged(resources[i], map[string][]byte{v1alpha1.KeyAccessToken: []byte(access)})
		secret.Annotations = map[string]string{v1alpha1.AnnotationState: state}
		a.make("forge a pair", secret)
	})
	for round := range forgedRounds {
		each(n, func(i int) { a.forgeAgain(rand.New(rand.NewPCG(settings.seed, uint64((round+1)*n+i))), i) })
	}
}

// forgedPair is another made-up token, and a state that fits it.
func (a *attack) forgedPair(r *rand.Rand, i int) (access, state string) {
	access = junk(r, "ghu_", 36)
	owner := "somebody"
	if i%2 == 0 { // It is the resource's own, and the account is not known.
		a.mu.Lock()
		owner = a.forgedOwners[i]
		a.mu.Unlock()
	}
	encoded, err := json.Marshal(rotation.State{
		Owner: owner, App: "github.com/" + forgedApp, Revision: 1, AccessToken: credential.NewAccessToken(access).Fingerprint(),
		IssuedAt: time.Now().Add(-time.Hour), ExpiresAt: time.Now().Add(7 * time.Hour),
	})
	a.w.must(err)
	return access, string(encoded)
}

func (a *attack) forgeAgain(r *rand.Rand, i int) {
	access, state := a.forgedPair(r, i)
	patch, err := json.Marshal(map[string]any{
		"metadata": map[string]any{"annotations": map[string]string{v1alpha1.AnnotationState: state}}, "stringData": map[string]string{v1alpha1.KeyAccessToken: access},
	})
	a.w.must(err)
	a.patch("forge a pair again", &corev1.Secret{}, fmt.Sprintf("k-%05d-token", i), string(patch))
}

// bystanders are Secrets of the tenant by name, with the version that it made last; see world.untouched.
func (w *world) versions(namespace string, names ...string) map[string]string {
	w.t.Helper()
	versions := map[string]string{}
	for _, name := range names {
		secret := &metav1.PartialObjectMetadata{}
		secret.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Secret"))
		w.must(the.admin.Get(context.WithoutCancel(w.ctx), client.ObjectKey{Namespace: namespace, Name: name}, secret))
		versions[name] = secret.ResourceVersion
	}
	return versions
}
