package controllers

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/client-go/rest"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/github"
	"github.com/githubusertoken/github-user-token-operator/internal/github/githubtest"
	"github.com/githubusertoken/github-user-token-operator/test/suite"
)

func TestInputSeedThatCannotBeUsedSpendsNothingAndHeals(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	const key = "refresh_token"
	good := w.login("somebody")
	cases := map[string]struct {
		data   map[string]string // nil: no Secret
		reason string
		says   string
	}{
		"missing":        {nil, v1alpha1.ReasonRefreshTokenMissing, `Secret "missing-seed" does not exist`},
		"other-key":      {map[string]string{"token": "x"}, v1alpha1.ReasonRefreshTokenMissing, `Secret "other-key-seed" has no key "refresh_token"`},
		"empty":          {map[string]string{key: ""}, v1alpha1.ReasonRefreshTokenMissing, "is empty"},
		"white-space":    {map[string]string{key: " \t\r\n"}, v1alpha1.ReasonRefreshTokenMissing, "is empty"},
		"personal":       {map[string]string{key: "ghp_" + strings.Repeat("a", 36)}, v1alpha1.ReasonRefreshTokenMalformed, "it starts with ghp_, so it is a personal access token"},
		"fine-grained":   {map[string]string{key: "github_pat_" + strings.Repeat("a", 36)}, v1alpha1.ReasonRefreshTokenMalformed, "a personal access token"},
		"oauth":          {map[string]string{key: "gho_" + strings.Repeat("a", 36)}, v1alpha1.ReasonRefreshTokenMalformed, "an OAuth access token"},
		"access":         {map[string]string{key: "ghu_" + strings.Repeat("a", 36)}, v1alpha1.ReasonRefreshTokenMalformed, "it starts with ghu_, so it is a user access token"},
		"installation":   {map[string]string{key: "ghs_" + strings.Repeat("a", 36)}, v1alpha1.ReasonRefreshTokenMalformed, "an installation access token"},
		"blank-inside":   {map[string]string{key: "ghr_abc def"}, v1alpha1.ReasonRefreshTokenMalformed, "it has a blank"},
		"newline-inside": {map[string]string{key: "ghr_abc\ndef"}, v1alpha1.ReasonRefreshTokenMalformed, "it has more than one line"},
		"not-ascii":      {map[string]string{key: "ghr_äöü"}, v1alpha1.ReasonRefreshTokenMalformed, "another character that no token has"},
		"quoted":         {map[string]string{key: `"` + good + `"`}, v1alpha1.ReasonRefreshTokenMalformed, "it stands in quotation marks"},
		"base64":         {map[string]string{key: base64.StdEncoding.EncodeToString([]byte(good))}, v1alpha1.ReasonRefreshTokenMalformed, "it is base64 of a refresh token"},
		"reply":          {map[string]string{key: `{"access_token":"ghu_abc","refresh_token":"` + good + `"}`}, v1alpha1.ReasonRefreshTokenMalformed, "GitHub's reply as a whole"},
		"form":           {map[string]string{key: "access_token=ghu_abc&refresh_token=" + good}, v1alpha1.ReasonRefreshTokenMalformed, "GitHub's reply as a whole"},
		"yaml":           {map[string]string{key: "refresh_token: " + good}, v1alpha1.ReasonRefreshTokenMalformed, "a name with a value"},
		"header":         {map[string]string{key: "Bearer " + good}, v1alpha1.ReasonRefreshTokenMalformed, "an HTTP header"},
		"mark":           {map[string]string{key: "\ufeff" + good}, v1alpha1.ReasonRefreshTokenMalformed, "an invisible character"},
		"client-secret":  {map[string]string{key: clientSecret}, v1alpha1.ReasonRefreshTokenMalformed, "a client secret or a device code"},
		"code":           {map[string]string{key: clientSecret[:20]}, v1alpha1.ReasonRefreshTokenMalformed, "an authorization code"},
		"path":           {map[string]string{key: "/run/secrets/refresh_token"}, v1alpha1.ReasonRefreshTokenMalformed, "the path of a file"},
		"template":       {map[string]string{key: "${REFRESH_TOKEN}"}, v1alpha1.ReasonRefreshTokenMalformed, "a template that nobody has filled in"},
		"placeholder":    {map[string]string{key: "<paste here>"}, v1alpha1.ReasonRefreshTokenMalformed, "it is a placeholder"},
		"encrypted":      {map[string]string{key: "ENC[AES256_GCM,data:abc=,iv:abc=,tag:abc==,type:str]"}, v1alpha1.ReasonRefreshTokenMalformed, "it is encrypted"},
		"far-too-long":   {map[string]string{key: "ghr_" + strings.Repeat("a", 4096)}, v1alpha1.ReasonRefreshTokenMalformed, "longer than 1024"},
	}
	for name, c := range cases {
		if c.data != nil {
			w.secret(name+"-seed", c.data)
		}
		w.create(w.resource(name))
	}
	for name, c := range cases {
		w.refused(name, refusal{reason: c.reason, says: c.says, unauthorized: true})
		w.refused(name, refusal{reason: c.reason, says: "Put the user's refresh token (ghr_…) there.", unauthorized: true})
		w.absent(name + "-token")
	}
	w.quiet()
	w.presented(0)
	for name := range cases {
		w.seed(name, name)
	}
	for name := range cases {
		w.ready(name)
	}
	w.presented(len(cases))
}

func TestInputWhiteSpaceAroundTheSeedAndTheClientSecretIsIgnored(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	seed := w.login("octocat")
	w.secret("octocat-seed", map[string]string{"refresh_token": seed + "\n"})
	w.secret("github-app", map[string]string{"client_secret": "\t" + clientSecret + "\r\n"})
	w.create(w.resource("octocat"))
	w.ready("octocat")
	w.presented(1)
	// The same token without the line's end is no new login.
	w.secret("octocat-seed", map[string]string{"refresh_token": seed})
	w.quiet()
	w.presented(1)
}

// Neither a pair nor what was derived from one is shown to an App's host as a client secret.
func TestInputSecretOfTheOperatorsIsNoClientSecret(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	token := w.resource("octocat")
	token.Spec.Outputs = []v1alpha1.Output{{Name: "octocat-out", Format: v1alpha1.OutputFormatOpaque}}
	pair := w.startUsing(token)
	w.output("octocat-out", access(pair))
	for name, ref := range map[string]v1alpha1.ClientSecretReference{
		"by-pair": {Name: "octocat-token", Key: "refresh_token"}, "by-output": {Name: "octocat-out", Key: "access_token"},
	} {
		w.seed(name, name)
		thief := w.resource(name)
		thief.Spec.App.ClientSecretRef = &ref
		w.create(thief)
		w.refused(name, refusal{reason: v1alpha1.ReasonClientSecretMissing, says: "one of the operator's own and holds no client secret, so nothing of it was sent"})
		w.own(name, func(spec *v1alpha1.GitHubAppSpec) { spec.ClientSecretRef = &ref })
		w.appCondition(v1alpha1.KindGitHubApp, name, v1alpha1.ConditionCredentialsValid, metav1.ConditionFalse, v1alpha1.ReasonClientSecretMissing)
	}
	w.quiet()
	w.presented(1)
}

func TestInputMissingClientSecretSpendsNothingAndHeals(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	cases := map[string]struct {
		data map[string]string
		says string
	}{
		"missing":   {nil, `Secret "missing-app" does not exist`},
		"other-key": {map[string]string{"secret": "x"}, `has no key "client_secret"`},
		"empty":     {map[string]string{"client_secret": "\n"}, "is empty"},
	}
	for name, c := range cases {
		if c.data != nil {
			w.secret(name+"-app", c.data)
		}
		w.seed(name, name)
		token := w.resource(name)
		token.Spec.App.ClientSecretRef.Name = name + "-app"
		w.create(token)
	}
	for name, c := range cases {
		w.refused(name, refusal{reason: v1alpha1.ReasonClientSecretMissing, says: c.says + ". Put the App's client secret there."})
		w.absent(name + "-token")
	}
	w.quiet()
	w.presented(0)
	for name := range cases {
		w.secret(name+"-app", map[string]string{"client_secret": clientSecret})
	}
	for name := range cases {
		w.ready(name)
	}
	w.presented(len(cases))
}

func TestInputWrongClientSecretSpendsNothingAndHealsAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	w.secret("github-app", map[string]string{"client_secret": "wrong"})
	seed := w.seed("octocat", "octocat")
	w.create(w.resource("octocat"))
	wrong := refusal{reason: v1alpha1.ReasonIncorrectClientCredentials, says: "correct the client ID or the client secret", retried: true}
	w.refused("octocat", wrong)
	w.quiet()
	w.presented(1)
	for range 4 { // After these the next one is minutes away.
		tried := len(w.gh.PresentationsOf(seed))
		w.meter.leap(3 * time.Minute)
		w.touch("octocat")
		w.eventually("another try", func() (bool, string) {
			return len(w.gh.PresentationsOf(seed)) > tried, suite.Describe(w.get("octocat"))
		})
		w.settle()
	}
	tries := len(w.gh.PresentationsOf(seed))
	if !w.gh.Alive(seed) {
		t.Error("the seed is dead")
	}
	w.secret("github-app", map[string]string{"client_secret": clientSecret})
	before := w.ready("octocat") // It does not wait for the next try.
	w.presented(tries + 1)

	// The secret is rotated at GitHub first and in the cluster later: the chain waits, and goes on.
	w.gh.UpdateApp(clientID, func(app *githubtest.App) { app.Secrets = []string{"rotated-" + clientSecret[:32]} })
	w.request("octocat", "1")
	wrong.working = true
	w.refused("octocat", wrong)
	w.quiet()
	w.presented(tries + 2)
	w.samePair(before, w.alive("octocat-token"))
	w.secret("github-app", map[string]string{"client_secret": "rotated-" + clientSecret[:32]})
	w.eventually("the exchange that was asked for", func() (bool, string) {
		token := w.get("octocat")
		return token.Status.RefreshCount == 2, suite.Describe(token)
	})
	w.ready("octocat")
	w.presented(tries + 3)
}

func TestInputHostThatIsNotAllowedIsNeverContacted(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	w.seed("octocat", "octocat")
	other := w.gh.StartTest(t)
	token := w.resource("octocat")
	token.Spec.App.Host = other.Host
	w.create(token)
	w.refused("octocat", refusal{reason: v1alpha1.ReasonHostNotAllowed, says: "--allowed-hosts"})
	w.quiet()
	w.presented(0)
	w.absent("octocat-token")
	w.change("octocat", func(token *v1alpha1.GitHubUserToken) { token.Spec.App.Host = w.site.Host })
	w.ready("octocat")
	w.presented(1)
}

func TestInputHostThatCannotBeReachedIsTriedAgain(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	host := listener.Addr().String()
	_ = listener.Close()
	w := newWorld(t, worldOptions{client: func(o *github.Options) { o.AllowedHosts = append(o.AllowedHosts, host) }})
	w.seed("octocat", "octocat")
	token := w.resource("octocat")
	token.Spec.App.Host = host
	then := w.meter.read()
	w.create(token)
	w.refused("octocat", refusal{reason: v1alpha1.ReasonHostUnreachable, says: "check the name, the network and the firewall", retried: true})
	w.settle() // Until the next try.
	if writes, _, _ := w.meter.since(then); len(writes) > 12 {
		t.Errorf("a host that cannot be reached cost %d writes until the operator came to rest: %v", len(writes), writes)
	}
	w.presented(0)
	w.gh.StartTest(t, githubtest.Listen{Address: host})
	w.ready("octocat")
	w.presented(1)
}

func TestInputHostWithACertificateOfAnotherAuthorityGetsNoToken(t *testing.T) {
	t.Parallel()
	other, err := githubtest.NewCA("other")
	if err != nil {
		t.Fatal(err)
	}
	var host string
	w := newWorld(t, worldOptions{noOperator: true})
	untrusted := w.gh.StartTest(t, githubtest.Listen{SignedBy: other})
	host = untrusted.Host
	w.options.client = func(o *github.Options) { o.AllowedHosts = append(o.AllowedHosts, host) }
	w.startOperator(w.options)
	w.seed("octocat", "octocat")
	token := w.resource("octocat")
	token.Spec.App.Host = host
	w.create(token)
	w.refused("octocat", refusal{reason: v1alpha1.ReasonCertificateNotTrusted, says: "give the operator the CA that signed it", retried: true})
	w.quiet()
	w.presented(0)
	w.change("octocat", func(token *v1alpha1.GitHubUserToken) { token.Spec.App.Host = w.site.Host })
	w.ready("octocat")
	w.presented(1)
}

func TestInputRedirectIsNeverFollowed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	codes := []int{301, 302, 303, 307, 308}
	seeds := map[int]string{}
	for _, code := range codes {
		name := fmt.Sprint("octocat-", code)
		seed := w.seed(name, name)
		seeds[code] = seed
		w.gh.Inject(githubtest.Redirect(code, w.site.URL+"/login/oauth/access_token?redirected").ForRefreshToken(seed).Always())
		w.create(w.resource(name))
	}
	for _, code := range codes {
		w.refused(fmt.Sprint("octocat-", code), refusal{reason: v1alpha1.ReasonRedirected, says: "a redirect, which is never followed", retried: true})
	}
	w.quiet()
	for code, seed := range seeds {
		if shown := len(w.gh.PresentationsOf(seed)); shown > 3 || w.gh.ExchangesOf(seed) != 0 {
			t.Errorf("a %d was asked %d times, and the seed exchanged %d times", code, shown, w.gh.ExchangesOf(seed))
		}
	}
	w.gh.ClearFaults()
	for _, code := range codes {
		name := fmt.Sprint("octocat-", code)
		w.request(name, "now")
		w.honoured(name, "now") // After the next try of the import, which it may follow.
		w.ready(name)
		if exchanged := w.gh.ExchangesOf(seeds[code]); exchanged != 1 {
			t.Errorf("after a %d the seed was exchanged %d times", code, exchanged)
		}
	}
}

func TestInputSecretThatBelongsToSomebodyElseIsNotTouched(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	owner := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "owner"}}
	w.create(owner)
	foreign := map[string]*corev1.Secret{
		"plain": {Data: map[string][]byte{"password": []byte("x")}},
		"owned": {ObjectMeta: metav1.ObjectMeta{OwnerReferences: []metav1.OwnerReference{{
			APIVersion: "v1", Kind: "ConfigMap", Name: owner.Name, UID: owner.UID, Controller: new(true),
		}}}},
		"labelled": {ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{
			v1alpha1.LabelRole: v1alpha1.RolePair, v1alpha1.LabelOwner: "labelled",
		}}},
		"lookalike": {ObjectMeta: metav1.ObjectMeta{
			Labels:      map[string]string{v1alpha1.LabelRole: v1alpha1.RolePair, v1alpha1.LabelOwner: "lookalike"},
			Annotations: map[string]string{v1alpha1.AnnotationState: `{"owner":"00000000-0000-4000-8000-000000000000","ownerName":"lookalike","refreshToken":"0"}`},
		}, Data: map[string][]byte{v1alpha1.KeyRefreshToken: []byte("x")}},
		"immutable": {Immutable: new(true)},
	}
	for name, secret := range foreign {
		secret.Namespace, secret.Name = w.namespace, name+"-token"
		w.create(secret)
		w.seed(name, name)
		w.create(w.resource(name))
	}
	for name := range foreign {
		says := "Delete it, or choose another spec.secret.name."
		if name == "lookalike" { // It says of itself that it was a former resource's.
			says = "To begin anew, delete the Secret, or choose another spec.secret.name."
		}
		w.refused(name, refusal{reason: v1alpha1.ReasonSecretNotOwned, says: says})
	}
	w.quiet()
	w.presented(0)
	for name, before := range foreign {
		if now := w.pair(name + "-token"); !equality.Semantic.DeepEqual(before, now) {
			t.Errorf("the Secret of %s was touched", name)
		}
		w.remove(before)
	}
	for name := range foreign {
		w.ready(name)
	}
	w.presented(len(foreign))
}

func TestInputRefreshBeforeLongerThanTheLifetimeIsReportedAndDoesNotLoop(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{app: githubtest.App{AccessTokenLifetime: time.Hour}})
	w.seed("octocat", "octocat")
	token := w.resource("octocat")
	token.Spec.RefreshBefore = &metav1.Duration{Duration: 2 * time.Hour}
	w.create(token)
	found := w.condition("octocat", v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonRefreshBeforeTooLong)
	if !strings.Contains(found.Message, "choose a shorter one, or leave it out") {
		t.Errorf("the message does not say what to do: %s", found.Message)
	}
	w.quiet()
	w.presented(1)
	if next := time.Until(w.get("octocat").Status.NextRefreshTime.Time); next < 40*time.Minute || next > 46*time.Minute {
		t.Errorf("the next refresh is in %s, want about 45 minutes", next)
	}
	w.change("octocat", func(token *v1alpha1.GitHubUserToken) { token.Spec.RefreshBefore.Duration = 30 * time.Minute })
	w.condition("octocat", v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonTokenValid)
	w.quiet()
	w.presented(1)
}

func TestInputSpentRefreshTokenIsPresentedOnceAndTheNextLoginHeals(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{spendsTwice: true})
	seed := w.seed("octocat", "octocat")
	w.spend(seed)
	w.create(w.resource("octocat"))
	w.refused("octocat", refusal{
		reason: v1alpha1.ReasonRefreshTokenRejected, unauthorized: true,
		says: `Authorize the App again and put the new refresh token into key "refresh_token" of Secret "octocat-seed".`,
	})
	w.quiet()
	w.presented(2)
	// GitOps applies the same seed again, and the operator starts anew: it is known to be spent.
	w.secret("octocat-seed", map[string]string{"refresh_token": seed, "note": "re-applied"})
	w.restart()
	w.quiet()
	w.presented(2)
	w.seed("octocat", "octocat")
	w.ready("octocat")
	w.presented(3)
}

func TestInputRefreshTokenOfAnotherAppIsRejectedAndWorksWithItsOwn(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	const right = "Iv23liRIGHT"
	w.gh.AddApp(githubtest.App{ClientID: right, Secrets: []string{clientSecret}})
	seed := w.gh.Mint(right, "octocat").RefreshToken
	w.minted = append(w.minted, seed)
	w.secret("octocat-seed", map[string]string{"refresh_token": seed})
	w.create(w.resource("octocat"))
	w.refused("octocat", refusal{reason: v1alpha1.ReasonRefreshTokenRejected, says: "belongs to another App", unauthorized: true})
	w.quiet()
	w.presented(1)
	if !w.gh.Alive(seed) {
		t.Fatal("the stand-in killed a token that was presented for another App")
	}
	w.change("octocat", func(token *v1alpha1.GitHubUserToken) { token.Spec.App.ClientID = right })
	w.ready("octocat")
	w.presented(2)
}

// A label that no Secret can have may have been stored before the CRD refused it. What the API server refuses then
// is told, and neither the pair nor its refresh suffers.
func TestInputLabelsThatTheAPIServerRefusesAreReportedAndRotationsGoOn(t *testing.T) {
	t.Parallel()
	const refused = "not-a-value"
	w := newWorld(t, worldOptions{config: func(config *rest.Config) {
		config.Wrap(func(next http.RoundTripper) http.RoundTripper {
			return roundTripper(func(request *http.Request) (*http.Response, error) {
				if request.Body == nil || !strings.Contains(request.URL.Path, "/secrets") {
					return next.RoundTrip(request)
				}
				body, err := io.ReadAll(request.Body)
				if err == nil && bytes.Contains(body, []byte(refused)) {
					return invalidLabel(refused), nil
				}
				request.Body = io.NopCloser(bytes.NewReader(body))
				return next.RoundTrip(request)
			})
		})
	}})
	w.start("octocat")
	w.change("octocat", func(token *v1alpha1.GitHubUserToken) {
		token.Spec.Secret.Labels = map[string]string{"team": refused}
	})
	w.refused("octocat", refusal{reason: v1alpha1.ReasonMetadataRefused, says: "Correct spec.secret", working: true})
	w.quiet()
	w.request("octocat", "1")
	w.refreshed("octocat", 2)
	w.ready("octocat")
	w.presented(2)
	w.change("octocat", func(token *v1alpha1.GitHubUserToken) { token.Spec.Secret.Labels["team"] = "a" })
	w.eventually("the label", func() (bool, string) {
		return w.pair("octocat-token").Labels["team"] == "a", suite.Describe(w.get("octocat"))
	})
	w.eventually("Stalled to go", func() (bool, string) {
		text := suite.Describe(w.get("octocat"))
		return !strings.Contains(text, v1alpha1.ConditionStalled), text
	})

	// From the start it keeps the first exchange from being made.
	token := w.resource("hubot")
	token.Spec.Secret.Labels = map[string]string{"team": refused}
	w.seed("hubot", "hubot")
	w.create(token)
	w.refused("hubot", refusal{reason: v1alpha1.ReasonMetadataRefused, says: "Correct spec.secret", retried: true})
	w.presented(2)
	w.change("hubot", func(token *v1alpha1.GitHubUserToken) { token.Spec.Secret.Labels["team"] = "a" })
	w.ready("hubot")
	w.presented(3)
}

// invalidLabel is the API server's reply to a label that it does not take.
func invalidLabel(value string) *http.Response {
	why := apierrors.NewInvalid(corev1.SchemeGroupVersion.WithKind("Secret").GroupKind(), "secret",
		field.ErrorList{field.Invalid(field.NewPath("metadata", "labels"), value, "a valid label must be another")})
	recorder := httptest.NewRecorder()
	recorder.Header().Set("Content-Type", "application/json")
	recorder.WriteHeader(http.StatusUnprocessableEntity)
	why.ErrStatus.TypeMeta = metav1.TypeMeta{APIVersion: "v1", Kind: "Status"}
	_ = json.NewEncoder(recorder).Encode(why.Status())
	return recorder.Result()
}
