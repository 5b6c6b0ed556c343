package controllers

import (
	"fmt"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/test/suite"
)

// readsOf are the live reads of a Secret since a reading.
func (w *world) readsOf(then reading, part string) (count int) {
	_, reads, _ := w.meter.since(then)
	for _, read := range reads {
		if strings.HasSuffix(read, part) {
			count++
		}
	}
	return count
}

// As GitOps may do it: resources come first, and their seeds later.
func TestSeedsThatFollowManyResourcesAreReadAFewTimesEach(t *testing.T) {
	t.Parallel()
	const n = 30
	w := newWorld(t, worldOptions{})
	then := w.meter.read()
	for i := range n {
		w.create(w.resource(fmt.Sprintf("r%d", i)))
	}
	for i := range n {
		w.refused(fmt.Sprintf("r%d", i), refusal{reason: v1alpha1.ReasonRefreshTokenMissing, unauthorized: true})
	}
	w.settle()
	if reads := w.readsOf(then, "-seed"); reads > 2*n {
		t.Errorf("%d reads of %d seeds that do not exist", reads, n)
	}
	for i := range n {
		w.seed(fmt.Sprintf("r%d", i), fmt.Sprintf("user-%d", i))
	}
	for i := range n {
		w.ready(fmt.Sprintf("r%d", i))
	}
	w.quiet()
	w.presented(n)
	// Of each: that it is missing, what it holds, and once more for the exchange. Two may look at one at a time.
	if reads := w.readsOf(then, "-seed"); reads > 5*n {
		t.Errorf("%d reads of %d seeds", reads, n)
	}
}

func TestSeedThatIsBadAndNamedByManyIsReadOnce(t *testing.T) {
	t.Parallel()
	const n = 30
	w := newWorld(t, worldOptions{noOperator: true})
	w.secret("bad-seed", map[string]string{"refresh_token": "ghp_" + strings.Repeat("x", 100_000)})
	for i := range n {
		token := w.resource(fmt.Sprintf("bad-%d", i))
		token.Spec.RefreshTokenRef.Name = "bad-seed"
		w.create(token)
	}
	w.startOperator(w.options)
	for i := range n {
		w.refused(fmt.Sprintf("bad-%d", i), refusal{reason: v1alpha1.ReasonRefreshTokenMalformed, unauthorized: true})
	}
	w.settle()
	if reads := w.readsOf(reading{}, "/bad-seed"); reads > 8 { // As many as are looked at at once.
		t.Errorf("read %d times for %d resources", reads, n)
	}
	then := w.meter.read()
	for i := range 5 {
		w.start(fmt.Sprintf("good-%d", i))
	}
	w.settle()
	if reads := w.readsOf(then, "/bad-seed"); reads != 0 {
		t.Errorf("read %d times for imports of others", reads)
	}
}

func TestSeedTouchedClientSecretMendsNothing(t *testing.T) {
	t.Parallel()
	const n = 10
	w := newWorld(t, worldOptions{})
	w.secret("github-app", map[string]string{"client_secret": strings.Repeat("0", 40)})
	wrong := refusal{reason: v1alpha1.ReasonIncorrectClientCredentials, retried: true}
	for i := range n {
		w.seed(fmt.Sprintf("r%d", i), fmt.Sprintf("user-%d", i))
		w.create(w.resource(fmt.Sprintf("r%d", i)))
	}
	for i := range n {
		w.refused(fmt.Sprintf("r%d", i), wrong)
	}
	w.settle()
	then, began, presented := w.meter.read(), time.Now(), len(w.gh.Presentations())
	for i := range 100 {
		w.patchSecret("github-app", fmt.Sprintf(`{"metadata":{"annotations":{"touched":"%d"}}}`, i))
		w.patchSecret("github-app", fmt.Sprintf(`{"stringData":{"other":"%d"}}`, i))
	}
	w.settle()
	// Each resource tries again in its own time, and reads the client secret for that.
	tried := len(w.gh.Presentations()) - presented
	if most := n * int(1+time.Since(began)/(5*time.Second)); tried > most {
		t.Errorf("%d tokens were presented for 200 touches of a client secret in %s", tried, time.Since(began))
	}
	if reads, most := w.readsOf(then, "/github-app"), tried+2+int(time.Since(began)/time.Second); reads > most {
		t.Errorf("%d reads for 200 touches in %s, want %d at most", reads, time.Since(began), most)
	}
	w.secret("github-app", map[string]string{"client_secret": clientSecret})
	changed := time.Now()
	for i := range n {
		w.ready(fmt.Sprintf("r%d", i))
	}
	t.Logf("%d tries in %s, and all is well %s after the client secret was corrected", tried, changed.Sub(began), time.Since(changed))
}

// Whose a Secret is matters to those that want its name, also where nobody reads it.
func TestSeedNameThatIsSetFreeIsTaken(t *testing.T) {
	t.Parallel()
	each(t, map[string]func(w *world){
		"by its deletion": func(w *world) { w.remove(w.secretNamed("octocat-token")) },
		"after many touches": func(w *world) {
			for i := range 50 {
				w.patchSecret("octocat-token", fmt.Sprintf(`{"metadata":{"annotations":{"touched":"%d"}}}`, i))
			}
			w.remove(w.secretNamed("octocat-token"))
		},
	}, func(t *testing.T, free func(w *world)) {
		w := newWorld(t, worldOptions{})
		w.secret("octocat-token", map[string]string{"mine": "x"})
		w.seed("octocat", "octocat")
		w.create(w.resource("octocat"))
		w.refused("octocat", refusal{reason: v1alpha1.ReasonSecretNotOwned})
		free(w)
		w.ready("octocat")
		w.presented(1)
	})
}

// The pair of one resource, a copy of it and its backup are no logins for another.
func TestSeedSecretsOfTheOperatorAreNoSeeds(t *testing.T) {
	t.Parallel()
	each(t, map[string]func(w *world){
		"a pair": func(*world) {},
		"a pair whose label somebody took off": func(w *world) {
			w.patchSecret("victim-token", `{"metadata":{"labels":{"githubusertoken.dev/role":null}}}`)
		},
		"an output with the refresh token": func(w *world) {
			w.change("victim", func(token *v1alpha1.GitHubUserToken) {
				token.Spec.Outputs = []v1alpha1.Output{{Name: "out", Format: v1alpha1.OutputFormatOpaque, IncludeRefreshToken: true}}
			})
			w.eventually("the output", func() (bool, string) { return w.find("out") != nil, suite.Describe(w.get("victim")) })
		},
	}, func(t *testing.T, prepare func(w *world)) {
		w := newWorld(t, worldOptions{})
		w.start("victim")
		prepare(w)
		w.settle()
		thief := w.resource("thief")
		thief.Spec.RefreshTokenRef = &v1alpha1.RefreshTokenReference{Name: "victim-token", Key: "refresh_token"}
		if w.find("out") != nil {
			thief.Spec.RefreshTokenRef.Name = "out"
		}
		w.create(thief)
		w.refused("thief", refusal{reason: v1alpha1.ReasonRefreshTokenMalformed, says: "is one of the operator's own", unauthorized: true})
		w.absent("thief-token")
		w.request("victim", "1")
		w.refreshed("victim", 2)
		w.quiet()
		w.presented(2)
		w.condition("thief", v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonRefreshTokenMalformed)
	})
}
