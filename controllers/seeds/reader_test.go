package seeds

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/scope"
	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/problem"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// cluster is the Secrets that there are, and what a watch knows of them.
type cluster struct {
	secrets  map[types.NamespacedName]*Secret
	versions map[types.NamespacedName]string
	// fails is the error of every read.
	fails error
	// reads are the names of what was read live.
	reads []string
	// reading is called during each read.
	reading func(types.NamespacedName)
}

func (c *cluster) ReadSecret(_ context.Context, name types.NamespacedName) (*Secret, error) {
	c.reads = append(c.reads, name.Name)
	secret := c.secrets[name]
	if c.reading != nil {
		c.reading(name)
	}
	return secret, c.fails
}

func (c *cluster) Version(name types.NamespacedName) (string, bool) {
	version, known := c.versions[name]
	return version, known
}

func (c *cluster) Learn(name types.NamespacedName, version string) {
	if _, known := c.versions[name]; !known {
		c.versions[name] = version
	}
}

func (c *cluster) Forget(name types.NamespacedName) { delete(c.versions, name) }

// put stores a Secret without telling the watch.
func (c *cluster) put(name, version string, data map[string]string) {
	secret := &Secret{Version: version, Data: map[string][]byte{}}
	for key, text := range data {
		secret.Data[key] = []byte(text)
	}
	c.secrets[in(name)] = secret
}

func in(name string) types.NamespacedName {
	return types.NamespacedName{Namespace: "team-a", Name: name}
}

func newReader() (*Reader, *cluster) {
	c := &cluster{secrets: map[types.NamespacedName]*Secret{}, versions: map[types.NamespacedName]string{}}
	return NewReader(ReaderOptions{Source: c, Versions: c}), c
}

// resource is one whose seed is key "refresh_token" of Secret "seed".
func resource() *v1alpha1.GitHubUserToken {
	token := &v1alpha1.GitHubUserToken{ObjectMeta: metav1.ObjectMeta{Namespace: "team-a", Name: "octocat", UID: "u"}}
	token.Spec.RefreshTokenRef = &v1alpha1.RefreshTokenReference{Name: "seed", Key: "refresh_token"}
	return token
}

func fingerprint(token string) credential.Fingerprint {
	return credential.NewRefreshToken(token).Fingerprint()
}

func TestSeedIsReadWhenThereIsAReasonOnly(t *testing.T) {
	const v1, v2 = "uid/1", "uid/2"
	pairAt := func(version string) *rotation.Pair {
		return &rotation.Pair{Controlled: true, State: rotation.State{AccessToken: "a", SeedVersion: version}}
	}
	imported := func() *rotation.Pair { return pairAt("seed/refresh_token@" + v1) }
	change := func(pair *rotation.Pair, change func(*rotation.Pair)) *rotation.Pair {
		change(pair)
		return pair
	}
	const unknown = "unknown"
	cases := map[string]struct {
		pair *rotation.Pair
		// watch is the version that the watch knows; empty when it knows that there is no Secret.
		watch string
		// read is the version that was read before; empty when none was. The Secret is at v2.
		read    string
		newSpec bool
		// says is what the status says of the seed.
		says string
		// reads is how often it is read live, and found which version is returned; empty for the empty seed.
		reads int
		found string
	}{
		"no pair and nothing known":                      {watch: unknown, reads: 1, found: v2},
		"no pair and a version that was not read":        {watch: v2, reads: 1, found: v2},
		"no pair and a version that is older than read":  {watch: v2, read: v1, reads: 1, found: v2},
		"no pair and the version that was read":          {watch: v2, read: v2, found: v2},
		"no pair, read before, and the watch is silent":  {watch: unknown, read: v1, found: v1},
		"no pair and the Secret was deleted since":       {watch: "", read: v1, reads: 1, found: v2},
		"a new spec, whatever is known":                  {pair: imported(), watch: v1, read: v1, newSpec: true, reads: 1, found: v2},
		"a new spec without a pair":                      {watch: v2, read: v2, newSpec: true, reads: 1, found: v2},
		"a new spec whose Secret the watch knows not":    {pair: imported(), watch: unknown, read: v1, newSpec: true, reads: 1, found: v2},
		"imported in this version":                       {pair: imported(), watch: v1},
		"imported in this version, and read since":       {pair: imported(), watch: v1, read: v1},
		"imported in an earlier version":                 {pair: imported(), watch: v2, reads: 1, found: v2},
		"imported in an earlier version, this one read":  {pair: imported(), watch: v2, read: v2, found: v2},
		"imported, and the watch is silent":              {pair: imported(), watch: unknown},
		"imported and deleted":                           {pair: imported(), watch: ""},
		"imported from another Secret":                   {pair: pairAt("other/refresh_token@" + v2), watch: v2, reads: 1, found: v2},
		"imported from another key":                      {pair: pairAt("seed/other@" + v2), watch: v2, reads: 1, found: v2},
		"imported from a key of which this is the start": {pair: pairAt("seed/refresh_token2@" + v2), watch: v2, reads: 1, found: v2},
		"imported from another Secret, watch is silent":  {pair: pairAt("other/refresh_token@" + v2), watch: unknown, reads: 1, found: v2},
		"imported from another Secret, this one deleted": {pair: pairAt("other/refresh_token@" + v2), watch: ""},
		"imported from nobody knows where":               {pair: pairAt(""), watch: v2, reads: 1, found: v2},
		"the status calls it unusable, watch is silent": {
			pair: imported(), watch: unknown, says: "The refresh token is believed to be good. " + UnusablePrefix + "It is empty.", reads: 1, found: v2,
		},
		"the status calls it unusable, and it was imported": {
			pair: imported(), watch: v1, says: UnusablePrefix + "It is empty.",
		},
		"the status calls something else unusable": {
			pair: imported(), watch: unknown, says: "The refresh token is unusable.",
		},
		"the pair is somebody else's": {
			pair: change(pairAt("seed/refresh_token@"+v2), func(p *rotation.Pair) { p.Controlled = false }), watch: v2, reads: 1, found: v2,
		},
		"the pair Secret holds no access token": {
			pair: change(pairAt("seed/refresh_token@"+v2), func(p *rotation.Pair) { p.State.AccessToken = "" }), watch: v2, reads: 1, found: v2,
		},
		"the pair Secret holds the login that is being imported": {
			pair: change(imported(), func(p *rotation.Pair) { p.State.AccessToken, p.State.PendingSeed = "", "s" }), watch: v1,
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			r, cluster := newReader()
			token := resource()
			if c.says != "" {
				token.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionAuthorized, Message: c.says}}
			}
			if c.read != "" {
				cluster.put("seed", c.read, map[string]string{"refresh_token": "ghr_" + c.read})
				if _, _, err := r.Read(t.Context(), token); err != nil {
					t.Fatal(err)
				}
			}
			cluster.put("seed", v2, map[string]string{"refresh_token": "ghr_" + v2})
			if c.watch != unknown {
				cluster.versions[in("seed")] = c.watch
			}
			cluster.reads = nil
			want := scope.Seed{}
			if c.found != "" {
				want = scope.Seed{Version: "seed/refresh_token@" + c.found, Fingerprint: fingerprint("ghr_" + c.found)}
			}
			for again := range 2 {
				found, err := r.Look(t.Context(), token, c.pair, c.newSpec)
				if err != nil || found != want {
					t.Errorf("look %d found %+v, %v, want %+v", again, found, err, want)
				}
			}
			reads := c.reads
			if c.newSpec { // That remains the caller's to say.
				reads *= 2
			}
			if len(cluster.reads) != reads {
				t.Errorf("read %v, want %d reads", cluster.reads, reads)
			}
		})
	}
}

func TestSeedOfTheDeviceFlowIsNoneAndIsNotRead(t *testing.T) {
	r, cluster := newReader()
	token := resource()
	cluster.put("seed", "uid/1", map[string]string{"refresh_token": "ghr_a"})
	if _, err := r.Look(t.Context(), token, nil, false); err != nil {
		t.Fatal(err)
	}
	token.Spec.RefreshTokenRef = nil
	for _, newSpec := range []bool{true, false} {
		if found, err := r.Look(t.Context(), token, nil, newSpec); found != (scope.Seed{}) || err != nil {
			t.Errorf("found %+v, %v", found, err)
		}
	}
	if found, secret, err := r.Read(t.Context(), token); found != (scope.Seed{}) || !secret.IsZero() || err != nil {
		t.Errorf("read %+v, %v", found, err)
	}
	if len(cluster.reads) != 1 {
		t.Errorf("read %v", cluster.reads)
	}
}

func TestSeedReadThatFailedIsReadAgain(t *testing.T) {
	imported := &rotation.Pair{Controlled: true, State: rotation.State{AccessToken: "a", SeedVersion: "seed/refresh_token@uid/1"}}
	cases := map[string]struct {
		pair    *rotation.Pair
		newSpec bool
	}{
		"without a pair":         {nil, false},
		"of a changed Secret":    {imported, false},
		"after a change of spec": {imported, true},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			r, cluster := newReader()
			cluster.put("seed", "uid/2", map[string]string{"refresh_token": "ghr_b"})
			if !c.newSpec {
				cluster.versions[in("seed")] = "uid/2"
			}
			cluster.fails = errors.New("the API server is away")
			for range 2 {
				found, err := r.Look(t.Context(), resource(), c.pair, c.newSpec)
				if found != (scope.Seed{}) || !errors.Is(err, cluster.fails) || !strings.HasPrefix(err.Error(), "read the seed: ") {
					t.Errorf("found %+v, %v", found, err)
				}
			}
			if _, known := cluster.versions[in("seed")]; known == c.newSpec || len(r.findings.bySecret) != 0 {
				t.Error("something was learned from a read that failed")
			}
			cluster.fails = nil
			if found, err := r.Look(t.Context(), resource(), c.pair, c.newSpec); found.Fingerprint != fingerprint("ghr_b") || err != nil {
				t.Errorf("found %+v, %v", found, err)
			}
		})
	}
}

// Before the change nobody named the Secret, so that the watch has let its versions pass.
func TestSeedThatANewSpecNamesIsLearned(t *testing.T) {
	cases := map[string]struct {
		secret *Secret
		watch  string
		want   string
	}{
		"a version of the Secret":                          {&Secret{Version: "uid/7"}, "unknown", "uid/7"},
		"that there is no Secret":                          {nil, "unknown", ""},
		"nothing, where the watch has told of a later one": {&Secret{Version: "uid/7"}, "uid/8", "uid/8"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			r, cluster := newReader()
			if c.secret != nil {
				cluster.secrets[in("seed")] = c.secret
			}
			if c.watch != "unknown" {
				cluster.versions[in("seed")] = c.watch
			}
			if _, err := r.Look(t.Context(), resource(), nil, true); err != nil {
				t.Fatal(err)
			}
			if version, known := cluster.Version(in("seed")); version != c.want || !known {
				t.Errorf("the version is %q, known %t; want %q", version, known, c.want)
			}
		})
	}
}

func TestSeedOfAChangedReferenceIsNotTheOneBefore(t *testing.T) {
	r, cluster := newReader()
	cluster.put("seed", "uid/1", map[string]string{"refresh_token": "ghr_a", "other": "ghr_b"})
	cluster.put("copy", "uid/2", map[string]string{"refresh_token": "ghr_c"})
	token := resource()
	for _, c := range []struct{ name, key, want string }{
		{"seed", "refresh_token", "ghr_a"}, {"seed", "other", "ghr_b"}, {"copy", "refresh_token", "ghr_c"}, {"seed", "refresh_token", "ghr_a"},
	} {
		token.Spec.RefreshTokenRef = &v1alpha1.RefreshTokenReference{Name: c.name, Key: c.key}
		if found, err := r.Look(t.Context(), token, nil, false); found.Fingerprint != fingerprint(c.want) || err != nil {
			t.Errorf("%s/%s: found %+v, %v", c.name, c.key, found, err)
		}
	}
}

func TestSeedsThatAreNamedNoLongerAreForgotten(t *testing.T) {
	r, cluster := newReader()
	token := resource()
	for i := range 300 {
		token.Spec.RefreshTokenRef = &v1alpha1.RefreshTokenReference{Name: fmt.Sprintf("seed-%d", i), Key: "refresh_token"}
		if _, err := r.Look(t.Context(), token, nil, true); err != nil {
			t.Fatal(err)
		}
		if i > 0 {
			r.Forget(in(fmt.Sprintf("seed-%d", i-1)))
		}
	}
	if len(r.findings.bySecret) != 1 || len(cluster.versions) != 1 {
		t.Errorf("after 300 changes of the spec %d findings and %d versions are left", len(r.findings.bySecret), len(cluster.versions))
	}
	r.Forget(in("seed-299"))
	if len(r.findings.bySecret) != 0 || len(cluster.versions) != 0 {
		t.Errorf("of a resource that is gone %d findings and %d versions are left", len(r.findings.bySecret), len(cluster.versions))
	}
}

func TestSeedsAreJudged(t *testing.T) {
	const (
		put       = " Put the user's refresh token (ghr_…) there."
		missing   = v1alpha1.ReasonRefreshTokenMissing
		malformed = v1alpha1.ReasonRefreshTokenMalformed
		is        = `The value of key "refresh_token" in Secret "seed" is not a refresh token: `
	)
	cases := map[string]struct {
		text   string
		reason string
		says   string
	}{
		"a refresh token":                         {"ghr_abc", "", ""},
		"white space around it is ignored":        {" \tghr_abc\r\n", "", ""},
		"a prefix that GitHub may choose one day": {"ghx_abc", "", ""},
		"no prefix at all":                        {"0123456789abcdef", "", ""},
		"as long as a token may be":               {strings.Repeat("a", 1024), "", ""},
		"longer than that":                        {strings.Repeat("a", 1025), malformed, is + "it is longer than 1024 characters."},
		"empty":                                   {"", missing, `The value of key "refresh_token" in Secret "seed" is empty.`},
		"white space only":                        {" \r\n\t", missing, `The value of key "refresh_token" in Secret "seed" is empty.`},
		"a classic personal access token":         {"ghp_abc", malformed, is + "it starts with ghp_, so it is a personal access token."},
		"a fine-grained personal access token":    {"github_pat_abc", malformed, is + "it starts with github_pat_, so it is a personal access token."},
		"a token of an OAuth App":                 {"gho_abc", malformed, is + "it starts with gho_, so it is an OAuth access token."},
		"the user's access token":                 {"ghu_abc", malformed, is + "it starts with ghu_, so it is a user access token."},
		"an installation's access token":          {"ghs_abc", malformed, is + "it starts with ghs_, so it is an installation access token."},
		"a blank inside":                          {"ghr_a b", malformed, is + "it has a blank or another character that no token has."},
		"two lines":                               {"ghr_a\nghr_b", malformed, is + "it has more than one line."},
		"a control character":                     {"ghr_a\x00b", malformed, is + "it has a blank or another character that no token has."},
		"letters beyond ASCII":                    {"ghr_äöü", malformed, is + "it has a blank or another character that no token has."},
		"bytes that are no text":                  {"ghr_\xff\xfe", malformed, is + "it has a blank or another character that no token has."},
		"a delete character":                      {"ghr_\x7f", malformed, is + "it has a blank or another character that no token has."},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			r, cluster := newReader()
			cluster.put("seed", "uid/1", map[string]string{"refresh_token": c.text})
			found, secret, err := r.Read(t.Context(), resource())
			if err != nil || found.Version != "seed/refresh_token@uid/1" {
				t.Fatalf("found %+v, %v", found, err)
			}
			if c.reason == "" {
				if want := strings.TrimSpace(c.text); found.Problem != nil || !secret.Matches(want) || found.Fingerprint != fingerprint(want) {
					t.Errorf("found %+v", found)
				}
				return
			}
			judged(t, found, secret, c.reason, c.says+put)
		})
	}
}

func judged(t *testing.T, found scope.Seed, secret credential.RefreshToken, reason, message string) {
	t.Helper()
	if !secret.IsZero() || found.Fingerprint != "" {
		t.Errorf("there is a token beside a problem: %+v", found)
	}
	p := found.Problem
	if p == nil || p.Reason != reason || p.Message != message || !p.Stalled || !p.Unauthorized || p.Aside || !p.RetryAt.IsZero() {
		t.Errorf("the problem is %+v, want %s: %s", p, reason, message)
	}
}

func TestSeedThatIsNotThereIsMissing(t *testing.T) {
	r, cluster := newReader()
	found, secret, err := r.Read(t.Context(), resource())
	if err != nil || found.Version != "" {
		t.Errorf("found %+v, %v", found, err)
	}
	judged(t, found, secret, v1alpha1.ReasonRefreshTokenMissing, `Secret "seed" does not exist. Put the user's refresh token (ghr_…) there.`)
	cluster.put("seed", "uid/1", map[string]string{"token": "ghr_abc"})
	found, secret, err = r.Read(t.Context(), resource())
	if err != nil || found.Version != "seed/refresh_token@uid/1" {
		t.Errorf("found %+v, %v", found, err)
	}
	judged(t, found, secret, v1alpha1.ReasonRefreshTokenMissing, `Secret "seed" has no key "refresh_token". Put the user's refresh token (ghr_…) there.`)
	// What is wrong is remembered like what is right.
	reads := len(cluster.reads)
	if again, err := r.Look(t.Context(), resource(), nil, false); again.Problem == nil || err != nil || len(cluster.reads) != reads {
		t.Errorf("found %+v, %v with %d reads", again, err, len(cluster.reads)-reads)
	}
}

func TestSeedsOfTwoResourcesInOneSecretAreRememberedApart(t *testing.T) {
	r, cluster := newReader()
	cluster.put("seed", "uid/1", map[string]string{"refresh_token": "ghr_a", "other": "ghr_b"})
	a, b := resource(), resource()
	b.UID, b.Spec.RefreshTokenRef.Key = "v", "other"
	for range 2 {
		for token, want := range map[*v1alpha1.GitHubUserToken]string{a: "ghr_a", b: "ghr_b"} {
			if found, err := r.Look(t.Context(), token, nil, false); found.Fingerprint != fingerprint(want) || err != nil {
				t.Errorf("found %+v, %v", found, err)
			}
		}
	}
	if !slices.Equal(cluster.reads, []string{"seed", "seed"}) {
		t.Errorf("read %v", cluster.reads)
	}
}

func TestClientSecretIsRead(t *testing.T) {
	const put = ". Put the App's client secret there."
	cases := map[string]struct {
		ref    *v1alpha1.ClientSecretReference
		fails  error
		secret string
		says   string
	}{
		"as it is":                          {ref: &v1alpha1.ClientSecretReference{Name: "app", Key: "client_secret"}, secret: "0123456789abcdef"},
		"without the space around it":       {ref: &v1alpha1.ClientSecretReference{Name: "app", Key: "spaced"}, secret: "0123456789abcdef"},
		"which need not look like any":      {ref: &v1alpha1.ClientSecretReference{Name: "app", Key: "odd"}, secret: "ghp_ä b"},
		"as none without a reference":       {},
		"and is missing with its Secret":    {ref: &v1alpha1.ClientSecretReference{Name: "nowhere", Key: "client_secret"}, says: `Secret "nowhere" does not exist` + put},
		"and is missing with its key":       {ref: &v1alpha1.ClientSecretReference{Name: "app", Key: "nothing"}, says: `Secret "app" has no key "nothing"` + put},
		"and is missing when empty":         {ref: &v1alpha1.ClientSecretReference{Name: "app", Key: "empty"}, says: `The value of key "empty" in Secret "app" is empty` + put},
		"and an outage tells nothing of it": {ref: &v1alpha1.ClientSecretReference{Name: "app", Key: "client_secret"}, fails: errors.New("the API server is away")},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			r, cluster := newReader()
			cluster.put("app", "uid/1", map[string]string{
				"client_secret": "0123456789abcdef", "spaced": " 0123456789abcdef\n", "odd": "ghp_ä b", "empty": "\n",
			})
			cluster.fails = c.fails
			token := resource()
			token.Spec.App.ClientSecretRef = c.ref
			secret, problem, err := r.ClientSecret(t.Context(), scope.InlineApp(token))
			if secret.Reveal() != c.secret {
				t.Errorf("it is not %q", c.secret)
			}
			if c.fails != nil && (err == nil || err.Error() != "read the client secret: the API server is away") || c.fails == nil && err != nil {
				t.Errorf("the error is %v", err)
			}
			switch {
			case c.says == "" && problem != nil:
				t.Errorf("the problem is %+v", problem)
			case c.says != "" && (problem == nil || problem.Message != c.says || problem.Reason != v1alpha1.ReasonClientSecretMissing || !problem.Stalled || problem.Unauthorized):
				t.Errorf("the problem is %+v, want %s", problem, c.says)
			}
			for _, e := range r.findings.bySecret {
				for key, k := range e.keys {
					if c.secret != "" && strings.Contains(fmt.Sprintf("%+v", *k), c.secret) {
						t.Errorf("the client secret itself is remembered under %s", key)
					}
				}
			}
		})
	}
}

// What the operator has written holds tokens or a device code, and nothing of it is sent as a client secret, also when that is
// known without a look.
func TestClientSecretIsNeverReadFromASecretOfTheOperators(t *testing.T) {
	r, cluster := newReader()
	cluster.put("app", "uid/1", map[string]string{"refresh_token": "ghr_another"})
	cluster.secrets[in("app")].Ours = true
	token := resource()
	for _, key := range []string{"refresh_token", "client_secret"} {
		token.Spec.App.ClientSecretRef = &v1alpha1.ClientSecretReference{Name: "app", Key: key}
		secret, read, err := r.ClientSecret(t.Context(), scope.InlineApp(token))
		known := r.ClientSecretProblem(scope.InlineApp(token))
		if err != nil || !secret.IsZero() {
			t.Errorf("%s: there is one, %v", key, err)
		}
		for when, p := range map[string]*problem.Problem{"when it is read": read, "when it is known": known} {
			if p == nil || p.Reason != v1alpha1.ReasonClientSecretMissing || !p.Stalled || !strings.Contains(p.Message, "one of the operator's own and holds no client secret") || !strings.Contains(p.Message, "name that in clientSecretRef") {
				t.Errorf("%s, %s: the problem is %+v", key, when, p)
			}
		}
	}
}

func TestSeedIsSettledWhereThePairSaysWhatBecameOfIt(t *testing.T) {
	imported := &rotation.Pair{Controlled: true, State: rotation.State{AccessToken: "a", SeedVersion: "seed/refresh_token@uid/1"}}
	for name, c := range map[string]struct {
		pair  *rotation.Pair
		watch string
		want  bool
	}{
		"imported":                     {imported, "uid/1", true},
		"another login has come":       {imported, "uid/2", false},
		"no login was imported":        {nil, "uid/1", false},
		"the watch has not told of it": {imported, "", false},
	} {
		t.Run(name, func(t *testing.T) {
			reader, cluster := newReader()
			if c.watch != "" {
				cluster.versions[in("seed")] = c.watch
			}
			if got := reader.IsSettled(resource(), c.pair); got != c.want {
				t.Errorf("got %t, want %t", got, c.want)
			}
		})
	}
}
