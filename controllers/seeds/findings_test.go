package seeds

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/types"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/scope"
)

// tell has the watch tell of the version that a Secret is in now.
func (c *cluster) tell(name string) {
	c.versions[in(name)] = ""
	if secret := c.secrets[in(name)]; secret != nil {
		c.versions[in(name)] = secret.Version
	}
}

func TestFindingsCostOneReadOfEachVersion(t *testing.T) {
	const n = 100
	cases := map[string]map[string]string{
		"of a seed":                       {"refresh_token": "ghr_a"},
		"of one that is malformed":        {"refresh_token": "ghp_bad"},
		"of one that is empty":            {"refresh_token": ""},
		"of a Secret without the key":     {"other": "ghr_a"},
		"of a Secret that does not exist": nil,
	}
	for name, data := range cases {
		t.Run(name, func(t *testing.T) {
			r, cluster := newReader()
			put := func(version string) {
				if data != nil {
					cluster.put("seed", version, data)
				}
			}
			look := func(reads int) {
				t.Helper()
				cluster.reads = nil
				for i := range n {
					token := resource()
					token.UID = types.UID(fmt.Sprint(i))
					if _, err := r.Look(t.Context(), token, nil, false); err != nil {
						t.Fatal(err)
					}
				}
				if len(cluster.reads) != reads {
					t.Errorf("read %d times, want %d", len(cluster.reads), reads)
				}
			}
			put("uid/1")
			look(1)
			cluster.tell("seed")
			look(0)
			put("uid/2")
			look(0) // Nobody has told of it.
			cluster.tell("seed")
			if data != nil {
				look(1)
			}
			look(0)
		})
	}
}

func TestFindingsUnderManyKeysAreMadeInOneRead(t *testing.T) {
	const n = 100
	r, cluster := newReader()
	look := func(reads int) {
		t.Helper()
		cluster.reads = nil
		for i := range n {
			token := resource()
			token.Spec.RefreshTokenRef.Key = fmt.Sprintf("key-%d", i)
			if _, err := r.Look(t.Context(), token, nil, false); err != nil {
				t.Fatal(err)
			}
		}
		if len(cluster.reads) != reads {
			t.Errorf("read %d times, want %d", len(cluster.reads), reads)
		}
	}
	cluster.put("seed", "uid/1", map[string]string{"key-0": "ghr_a"})
	look(n) // Nobody knows yet under which keys there will be a question.
	cluster.put("seed", "uid/2", map[string]string{"key-0": "ghr_b"})
	cluster.tell("seed")
	look(1)
}

// The watch may be behind what was read: then what was read is the newer, and stands until the watch tells anything.
func TestFindingsStandUntilTheWatchTellsOfAChange(t *testing.T) {
	r, cluster := newReader()
	look := func(reads int) {
		t.Helper()
		cluster.reads = nil
		if _, err := r.Look(t.Context(), resource(), nil, false); err != nil || len(cluster.reads) != reads {
			t.Errorf("read %v, %v, want %d reads", cluster.reads, err, reads)
		}
	}
	cluster.put("seed", "uid/1", nil)
	cluster.tell("seed")
	cluster.put("seed", "uid/2", nil)
	look(1)
	look(0)
	cluster.tell("seed")
	look(0) // It tells of what was read.
	cluster.put("seed", "uid/3", nil)
	cluster.tell("seed")
	look(1)
	cluster.Forget(in("seed")) // Nobody named it for a while.
	look(1)
}

// The watch tells of a change while the Secret is being read: what was read may be what was there before.
func TestFindingsOfAReadDuringAChangeDoNotStand(t *testing.T) {
	cases := map[string]bool{"of a Secret that the watch knows": true, "of one that it does not know": false}
	for name, known := range cases {
		t.Run(name, func(t *testing.T) {
			r, cluster := newReader()
			cluster.put("seed", "uid/1", map[string]string{"refresh_token": "ghr_a"})
			if known {
				cluster.tell("seed")
				cluster.put("seed", "uid/2", map[string]string{"refresh_token": "ghr_b"})
			}
			cluster.reading = func(types.NamespacedName) {
				cluster.reading = nil
				cluster.put("seed", "uid/3", map[string]string{"refresh_token": "ghr_c"})
				cluster.tell("seed")
			}
			if _, err := r.Look(t.Context(), resource(), nil, false); err != nil {
				t.Fatal(err)
			}
			if found, err := r.Look(t.Context(), resource(), nil, false); found.Fingerprint != fingerprint("ghr_c") || err != nil {
				t.Errorf("found %+v, %v", found, err)
			}
		})
	}
}

func TestFindingsGrowWithWhatIsNamed(t *testing.T) {
	cases := map[string]func(token *v1alpha1.GitHubUserToken, i int){
		"and not with Secrets that were": func(token *v1alpha1.GitHubUserToken, i int) {
			token.Spec.RefreshTokenRef.Name = fmt.Sprintf("seed-%d", i)
		},
		"and not with keys that were": func(token *v1alpha1.GitHubUserToken, i int) {
			token.Spec.RefreshTokenRef.Key = fmt.Sprintf("key-%d", i)
		},
	}
	for name, rename := range cases {
		t.Run(name, func(t *testing.T) {
			r, cluster := newReader()
			token := resource()
			for i := range 3000 {
				rename(token, i)
				if _, err := r.Look(t.Context(), token, nil, true); err != nil {
					t.Fatal(err)
				}
				for secret := range cluster.versions {
					if secret.Name != token.Spec.RefreshTokenRef.Name {
						delete(cluster.versions, secret) // As secretwatch does, in its time.
					}
				}
			}
			keys := 0
			for _, e := range r.findings.bySecret {
				keys += len(e.keys)
			}
			if len(r.findings.bySecret) > roomFor+1 || keys > maxKeys {
				t.Errorf("something is remembered of %d keys of %d Secrets", keys, len(r.findings.bySecret))
			}
		})
	}
}

func TestRecheckTellsWhatHasChangedForThoseWhoNameASecret(t *testing.T) {
	good := map[string]string{"refresh_token": "ghr_a", "client_secret": "s3cret"}
	cases := map[string]struct {
		// after is what the Secret holds afterwards; nothing when it is gone.
		after   map[string]string
		ours    bool
		changed []string
	}{
		"nothing, by a change of metadata":                {good, false, nil},
		"nothing, by a change of another key":             {map[string]string{"refresh_token": "ghr_a", "client_secret": "s3cret", "x": "y"}, false, nil},
		"nothing, by white space around a value":          {map[string]string{"refresh_token": " ghr_a\n", "client_secret": "s3cret"}, false, nil},
		"a seed":                                          {map[string]string{"refresh_token": "ghr_b", "client_secret": "s3cret"}, false, []string{"refresh_token"}},
		"a seed that is malformed now":                    {map[string]string{"refresh_token": "ghp_a", "client_secret": "s3cret"}, false, []string{"refresh_token"}},
		"a client secret":                                 {map[string]string{"refresh_token": "ghr_a", "client_secret": "an0ther"}, false, []string{"client_secret"}},
		"a client secret that was taken out":              {map[string]string{"refresh_token": "ghr_a"}, false, []string{"client_secret"}},
		"both, when the Secret was deleted":               {nil, false, []string{"client_secret", "refresh_token"}},
		"both, when the operator's own is in its place":   {good, true, []string{"client_secret", "refresh_token"}},
		"both, when each holds what the other has held":   {map[string]string{"refresh_token": "s3cret", "client_secret": "ghr_a"}, false, []string{"client_secret", "refresh_token"}},
		"a client secret that is another malformed token": {map[string]string{"refresh_token": "ghr_a", "client_secret": "ghp_b"}, false, []string{"client_secret"}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			r, cluster := newReader()
			token := resource()
			token.Spec.App.ClientSecretRef = &v1alpha1.ClientSecretReference{Name: "seed", Key: "client_secret"}
			keys := []string{"client_secret", "refresh_token"}
			recheck := func(want []string) {
				t.Helper()
				changed, _, err := r.Recheck(t.Context(), in("seed"), keys, false)
				if slices.Sort(changed); !slices.Equal(changed, want) || err != nil {
					t.Errorf("changed are %v, %v, want %v", changed, err, want)
				}
			}
			cluster.put("seed", "uid/1", good)
			if _, err := r.Look(t.Context(), token, nil, false); err != nil {
				t.Fatal(err)
			}
			if _, _, err := r.ClientSecret(t.Context(), scope.InlineApp(token)); err != nil {
				t.Fatal(err)
			}
			cluster.tell("seed")
			recheck(nil)
			delete(cluster.secrets, in("seed"))
			if c.after != nil {
				cluster.put("seed", "uid/2", c.after)
				cluster.secrets[in("seed")].Ours = c.ours
			}
			cluster.tell("seed")
			// One of those who name it is faster than the news, which must reach the others all the same.
			if _, err := r.Look(t.Context(), token, nil, false); err != nil {
				t.Fatal(err)
			}
			cluster.reads = nil
			recheck(c.changed)
			recheck(nil)
			if len(cluster.reads) != 0 {
				t.Errorf("read %v, although somebody had done so", cluster.reads)
			}
		})
	}
}

func TestRecheckTellsOfWhatIsNotKnown(t *testing.T) {
	r, cluster := newReader()
	cluster.put("seed", "uid/1", map[string]string{"refresh_token": "ghr_a"})
	cluster.tell("seed")
	for i, want := range [][]string{{"refresh_token"}, nil} {
		changed, size, err := r.Recheck(t.Context(), in("seed"), []string{"refresh_token"}, false)
		if !slices.Equal(changed, want) || err != nil || i == 0 && size != len("refresh_token"+"ghr_a") {
			t.Errorf("changed are %v of %d bytes, %v, want %v", changed, size, err, want)
		}
	}
	if len(cluster.reads) != 1 {
		t.Errorf("read %v", cluster.reads)
	}
	if changed, _, err := r.Recheck(t.Context(), in("another"), []string{"refresh_token"}, true); len(changed) != 1 || err != nil || len(cluster.reads) != 1 {
		t.Errorf("at the first news of a Secret changed are %v, %v, read %v", changed, err, cluster.reads)
	}
}

func TestClientSecretThatIsMissingIsNotReadAgain(t *testing.T) {
	r, cluster := newReader()
	token := resource()
	token.Spec.App.ClientSecretRef = &v1alpha1.ClientSecretReference{Name: "app", Key: "client_secret"}
	if p := r.ClientSecretProblem(scope.InlineApp(token)); p != nil {
		t.Errorf("without a look there is the problem %+v", p)
	}
	for range 10 {
		if _, p, err := r.ClientSecret(t.Context(), scope.InlineApp(token)); p == nil || err != nil {
			t.Errorf("the problem is %+v, %v", p, err)
		}
	}
	if p := r.ClientSecretProblem(scope.InlineApp(token)); p == nil || len(cluster.reads) != 1 {
		t.Errorf("the problem is %+v, read %v", p, cluster.reads)
	}
	cluster.put("app", "uid/1", map[string]string{"client_secret": "s3cret"})
	cluster.tell("app")
	if secret, p, err := r.ClientSecret(t.Context(), scope.InlineApp(token)); !secret.Matches("s3cret") || p != nil || err != nil {
		t.Errorf("the problem is %+v, %v", p, err)
	}
}

func TestSeedsAreNoSecretsOfTheOperators(t *testing.T) {
	r, cluster := newReader()
	cluster.put("seed", "uid/1", map[string]string{"refresh_token": "ghr_a"})
	cluster.secrets[in("seed")].Ours = true
	for _, key := range []string{"refresh_token", "nothing"} {
		token := resource()
		token.Spec.RefreshTokenRef.Key = key
		found, secret, err := r.Read(t.Context(), token)
		if err != nil || !secret.IsZero() || found.Fingerprint != "" || found.Problem == nil || found.Problem.Reason != v1alpha1.ReasonRefreshTokenMalformed ||
			!strings.HasPrefix(found.Problem.Message, `Secret "seed" is one of the operator's own: `) {
			t.Errorf("found %+v, %v", found, err)
		}
	}
}

// N resources of one namespace, each with a seed of its own.
func crowd(v *setting, n int, token func(i int) string) []*v1alpha1.GitHubUserToken {
	var all []*v1alpha1.GitHubUserToken
	for i := range n {
		all = append(all, v.add(fmt.Sprintf("r%05d", i), n-i, token(i)))
	}
	return all
}

func TestOwnerIsFoundInAFewReadsAtATime(t *testing.T) {
	const n = 100
	v := newSetting(t)
	crowd(v, n, func(i int) string { return fmt.Sprintf("ghr_%d", i) })
	mine := v.add("mine", 0, "ghr_7")
	for try := 1; ; try++ {
		v.reads = nil
		p, err := v.Claim(t.Context(), mine, fingerprint("ghr_7"))
		if err != nil || p == nil || len(v.reads) > readsPerClaim {
			t.Fatalf("try %d: read %v, %+v, %v", try, v.reads, p, err)
		}
		if p.Reason == v1alpha1.ReasonRefreshTokenInUse {
			if ownerIn(t, p) != "r00007" || try != n/readsPerClaim+1 {
				t.Errorf("try %d: %s", try, p.Message)
			}
			break
		}
		if p.Stalled || p.Reason != v1alpha1.ReasonExchanging || !p.RetryAt.Equal(now.Add(readPause)) {
			t.Fatalf("try %d: %+v", try, p)
		}
	}
	v.reads = nil
	if v.claim(mine, "ghr_7"); len(v.reads) != 0 {
		t.Errorf("read %v again", v.reads)
	}
}

func TestOwnerIsFoundWithoutReadingABadSeedAgain(t *testing.T) {
	v := newSetting(t)
	older := crowd(v, 300, func(int) string { return "" })
	v.put("bad", "uid/1", map[string]string{"refresh_token": "ghp_bad"})
	for _, token := range older {
		token.Spec.RefreshTokenRef.Name = "bad"
	}
	v.reads = nil
	for i := range 20 {
		name := fmt.Sprintf("mine-%d", i)
		if owner := v.claim(v.add(name, -i, "ghr_"+name), "ghr_"+name); owner != "" {
			t.Errorf("owned by %q", owner)
		}
	}
	if len(v.reads) != 1 {
		t.Errorf("the Secret that 300 resources name was read %d times for 20 imports", len(v.reads))
	}
}

func TestOwnerIsFoundWithoutReadingInOtherNamespaces(t *testing.T) {
	v := newSetting(t)
	for _, token := range crowd(v, 20, func(int) string { return "ghr_shared" }) {
		token.Namespace = "team-b"
	}
	v.reads = nil
	mine := v.add("mine", 0, "ghr_shared")
	if owner := v.claim(mine, "ghr_shared"); owner != "" || len(v.reads) != 0 {
		t.Errorf("owned by %q, read %v", owner, v.reads)
	}
	// They count when they have claimed it themselves.
	second := v.add("second", -1, "ghr_other")
	if owner := v.claim(v.tokens[3], "ghr_other"); owner != "" {
		t.Errorf("owned by %q", owner)
	}
	if owner := v.claim(second, "ghr_other"); owner != elsewhere {
		t.Errorf("owned by %q", owner)
	}
}

// As GitOps may do it: resources come first, and their seeds one by one.
func TestSeedsThatFollowTheirResourcesCostAFewReadsEach(t *testing.T) {
	const n = 500
	v := newSetting(t)
	all := crowd(v, n, func(int) string { return "" })
	clear(v.secrets)
	v.reads = nil
	reconcile := func(token *v1alpha1.GitHubUserToken) {
		found, err := v.options.Reader.Look(t.Context(), token, nil, false)
		if err != nil || found.Problem != nil {
			return
		}
		for range n {
			p, err := v.Claim(t.Context(), token, found.Fingerprint)
			if err != nil {
				t.Fatal(err)
			}
			if p == nil {
				_, _, err = v.options.Reader.Read(t.Context(), token) // For the exchange.
				v.pairs[token.UID] = true
				if err != nil {
					t.Fatal(err)
				}
				return
			}
		}
		t.Fatalf("%s never owns its token", scope.NameOf(token))
	}
	for _, token := range all {
		reconcile(token)
	}
	for _, token := range slices.Backward(all) {
		v.reseed(token.Name, "ghr_"+token.Name)
		v.tell(token.Name + "-seed")
		if _, _, err := v.options.Reader.Recheck(t.Context(), in(token.Name+"-seed"), []string{"refresh_token"}, false); err != nil {
			t.Fatal(err)
		}
		reconcile(token)
	}
	if len(v.reads) > 3*n {
		t.Errorf("%d reads for %d resources", len(v.reads), n)
	}
}

// BenchmarkClaim is a claim in a namespace of 10 resources beside one of 10,000 whose seeds are all malformed, and in
// that one.
func BenchmarkClaim(b *testing.B) {
	for name, namespace := range map[string]string{"beside": "team-a", "among": "team-b"} {
		b.Run(name, func(b *testing.B) {
			v := newSetting(&testing.T{})
			for _, token := range crowd(v, 10_000, func(int) string { return "" }) {
				token.Namespace = "team-b"
				token.Spec.RefreshTokenRef.Name = "bad"
			}
			for i := range 10 {
				v.add(fmt.Sprint(i), 100_000+i, fmt.Sprintf("ghr_%d", i))
			}
			mine := v.add("mine", -1, "ghr_mine")
			mine.Namespace = namespace
			byNamespace := map[string][]*v1alpha1.GitHubUserToken{} // As the cache's index has them.
			for _, token := range v.tokens {
				byNamespace[token.Namespace] = append(byNamespace[token.Namespace], token)
			}
			v.options.Resources = func(_ context.Context, namespace string) ([]*v1alpha1.GitHubUserToken, error) {
				return byNamespace[namespace], nil
			}
			v.reads = nil
			for b.Loop() {
				if p, err := v.Claim(b.Context(), mine, fingerprint("ghr_mine")); err != nil {
					b.Fatal(p, err)
				}
				v.claims.unsettle("team-b") // Somebody there touches something all the time.
			}
			b.ReportMetric(float64(len(v.reads)), "reads")
		})
	}
}
