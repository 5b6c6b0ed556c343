package controllers

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/github/githubtest"
	"github.com/githubusertoken/github-user-token-operator/test/suite"
)

// overlapTime is for how long a scoped token works on that was replaced.
const overlapTime = 5 * time.Minute

// installedApp is an App that is installed on octo-org.
func installedApp(change ...func(*githubtest.App)) githubtest.App {
	app := githubtest.App{Installations: []githubtest.Installation{{
		Account: "octo-org", AccountID: 9919, Permissions: map[string]string{"contents": "write", "issues": "read"},
		Repositories: []githubtest.Repository{{ID: 1296269, Name: "hello-world"}, {ID: 2, Name: "other"}},
	}}}
	for _, c := range change {
		c(&app)
	}
	return app
}

// reader is an output that may read one repository.
func reader(name string) v1alpha1.Output {
	return v1alpha1.Output{Name: name, Format: v1alpha1.OutputFormatOpaque, Scope: &v1alpha1.OutputScope{
		Target: "octo-org", Repositories: []v1alpha1.RepositoryName{"hello-world"},
		Permissions: map[string]v1alpha1.PermissionLevel{"contents": v1alpha1.PermissionRead},
	}}
}

// startScoped is start for a resource with outputs with a scope, whose account is known.
func (w *world) startScoped(name string, outputs ...v1alpha1.Output) *v1alpha1.GitHubUserToken {
	w.t.Helper()
	w.seed(name, name)
	token := w.resource(name)
	token.Spec.SetOutputs(outputs)
	w.create(token)
	w.ready(name)
	for _, output := range outputs {
		if output.Scope != nil {
			w.scopedOutput(output.Name, "")
		}
	}
	w.account(name)
	w.settle()
	return w.get(name)
}

// scopedOutput waits until a Secret holds a scoped token that works and is another one than before, and returns it.
func (w *world) scopedOutput(name, before string) *corev1.Secret {
	w.t.Helper()
	var found *corev1.Secret
	w.eventually("output "+name+" with a scoped token", func() (bool, string) {
		if found = w.find(name); found == nil {
			return false, "there is no Secret; " + suite.Describe(w.get("octocat"))
		}
		limits, limited := w.gh.RestrictionOf(access(found))
		return access(found) != before && limited && limits.Scoped && w.gh.Alive(access(found)), suite.Describe(w.get("octocat"))
	})
	return found
}

// heldTokens are the scoped tokens that a Secret holds, in use or waiting for their end.
func heldTokens(secret *corev1.Secret) []string {
	return strings.Fields(string(secret.Data[v1alpha1.KeyScopedTokens]))
}

// later lets the time pass by the operator's clock, and has it look at a resource.
func (w *world) later(name string, d time.Duration) {
	w.t.Helper()
	w.meter.leap(d)
	w.touch(name)
}

// dies waits until a token does not work any more.
func (w *world) dies(what, token string) {
	w.t.Helper()
	w.eventually(what+" to end at GitHub", func() (bool, string) { return !w.gh.Alive(token), "it works" })
}

// event waits for one about a resource that says something.
func (w *world) event(name, reason, says string) {
	w.t.Helper()
	w.eventually("an event "+reason+" that says "+says, func() (bool, string) {
		notes := w.eventsOf(name, reason)
		return slices.ContainsFunc(notes, func(note string) bool { return strings.Contains(note, says) }), strings.Join(notes, "; ")
	})
}

// ledger is what stands in the annotation of an output.
func (w *world) ledger(name string) (ledger struct {
	Current *struct{ Token, Proof string }
	Retired []struct{ Token string }
	Lost    []time.Time
	Asked   time.Time
}) {
	w.t.Helper()
	if text := w.pair(name).Annotations[v1alpha1.AnnotationScopedTokens]; text != "" {
		w.must(json.Unmarshal([]byte(text), &ledger))
	}
	return ledger
}

// knobs are all settings of what GitHub does not document about scoped tokens.
func knobs() map[string]func(*githubtest.App) {
	all := map[string]func(*githubtest.App){}
	for _, outlives := range []bool{false, true} {
		for _, counts := range []bool{false, true} {
			for _, lifetime := range []time.Duration{0, time.Hour, 20 * time.Hour} {
				all[fmt.Sprintf("outlive %t, count %t, lifetime %s", outlives, counts, lifetime)] = func(a *githubtest.App) {
					a.ScopedTokensOutliveParent, a.ScopedTokensCount, a.ScopedTokenLifetime, a.MaxCreations = outlives, counts, lifetime, -1
				}
			}
		}
	}
	return all
}

// Whatever GitHub does with scoped tokens: outputs have one each that works after every rotation, those before end and are forgotten,
// and the chain goes on.
func TestScopedOutputsFollowTheTokenWhateverGitHubDoesWithScopedTokens(t *testing.T) {
	t.Parallel()
	for name, knob := range knobs() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, worldOptions{app: installedApp(knob)})
			names := []string{"one", "two"} // In an hour no more tokens are made than three rotations of these take.
			var outputs []v1alpha1.Output
			for _, name := range names {
				outputs = append(outputs, reader(name))
			}
			w.startScoped("octocat", append(outputs, v1alpha1.Output{Name: "whole", Format: v1alpha1.OutputFormatNetrc})...)
			before := map[string]string{}
			for _, name := range names {
				secret := w.scopedOutput(name, "")
				limits, _ := w.gh.RestrictionOf(access(secret))
				if got := fmt.Sprint(limits); got != "{octo-org [hello-world] map[contents:read] true}" {
					t.Errorf("%s may do %s", name, got)
				}
				if holds(secret, access(w.pair("octocat-token"))) || holds(secret, refresh(w.pair("octocat-token"))) {
					t.Errorf("%s holds the user's own token", name)
				}
				before[name] = access(secret)
			}
			for rotation := range 3 {
				w.request("octocat", fmt.Sprint("again ", rotation))
				w.refreshed("octocat", int64(rotation)+2)
				after := map[string]string{}
				for _, name := range names {
					secret := w.scopedOutput(name, before[name])
					if held := heldTokens(secret); len(held) > 2 || held[0] != access(secret) {
						t.Errorf("%s keeps %d tokens, and its own is not the first", name, len(held))
					}
					after[name] = access(secret)
				}
				w.output("whole", access(w.alive("octocat-token")))
				w.later("octocat", overlapTime+time.Second)
				for _, name := range names {
					w.dies("the token before of "+name, before[name])
					w.eventually(name+" to forget it", func() (bool, string) {
						held := heldTokens(w.pair(name))
						return slices.Equal(held, []string{after[name]}), fmt.Sprint(len(held))
					})
					if !w.gh.Alive(after[name]) || len(w.ledger(name).Lost) != 0 {
						t.Errorf("%s: its token is dead, or some are lost", name)
					}
				}
				maps.Copy(before, after)
			}
			w.alive("octocat-token")
			w.quiet()
		})
	}
}

func TestScopedTokenThatWasReplacedWorksForTheOverlap(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{app: installedApp(func(a *githubtest.App) { a.ScopedTokensOutliveParent = true })})
	w.startScoped("octocat", reader("agent"))
	first := access(w.scopedOutput("agent", ""))
	w.request("octocat", "again")
	w.refreshed("octocat", 2)
	secret := w.scopedOutput("agent", first)
	w.settle()
	if !w.gh.Alive(first) || !slices.Contains(heldTokens(secret), first) {
		t.Fatal("the token before has ended at once, or is not kept")
	}
	w.later("octocat", overlapTime-5*time.Second)
	w.settle()
	if !w.gh.Alive(first) {
		t.Fatal("the token before has ended before its readers had the time")
	}
	w.later("octocat", 6*time.Second)
	w.dies("the token before", first)
}

// A token with a lifetime of its own is replaced in time, without an exchange.
func TestScopedTokenThatExpiresBeforeTheUsersIsReplaced(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{app: installedApp(func(a *githubtest.App) { a.ScopedTokenLifetime = time.Hour })})
	w.startScoped("octocat", reader("agent"))
	first := w.scopedOutput("agent", "")
	expires, err := time.Parse(time.RFC3339, string(first.Data[v1alpha1.KeyExpiresAt]))
	if left := time.Until(expires); err != nil || left < 59*time.Minute || left > time.Hour {
		t.Errorf("the output says that it expires in %s (%v)", left, err)
	}
	w.later("octocat", 50*time.Minute)
	w.scopedOutput("agent", access(first))
	if exchanges := len(w.gh.Exchanges()); exchanges != 1 {
		t.Errorf("%d exchanges", exchanges)
	}
}

// A reply that is lost costs a token that nobody knows. It is counted and told, and another one is made.
func TestScopedTokenWhoseReplyIsLostIsCountedAndMadeAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{app: installedApp()})
	w.startScoped("octocat", reader("agent"))
	first := access(w.scopedOutput("agent", ""))
	w.gh.Inject(githubtest.DropReply().At(githubtest.ScopedEndpoint))
	w.request("octocat", "again")
	w.refreshed("octocat", 2)
	w.scopedOutput("agent", first)
	w.settle()
	if lost := w.ledger("agent").Lost; len(lost) != 1 {
		t.Errorf("%d tokens are counted as lost, want 1", len(lost))
	}
	w.event("octocat", "ScopedTokenLost", "agent")
	w.quiet()
}

// There is a bound to those of an hour, so that GitHub never has too many tokens of the account. Then it goes on.
func TestScopedTokensThatAreLostAreBounded(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{app: installedApp(func(a *githubtest.App) { a.ScopedTokensCount, a.MaxCreations = true, -1 })})
	w.startScoped("octocat", reader("agent"), v1alpha1.Output{Name: "whole", Format: v1alpha1.OutputFormatNetrc})
	first := access(w.scopedOutput("agent", ""))
	losing := w.gh.Inject(githubtest.DropReply().At(githubtest.ScopedEndpoint).Always())
	w.request("octocat", "again")
	w.refreshed("octocat", 2)
	bounded := func() bool { return w.hasReason("octocat", v1alpha1.ReasonScopedTokenLost) }
	for !bounded() {
		w.later("octocat", 31*time.Second)
		w.settle()
		if losing.Hits() > 20 {
			t.Fatal("no end of requests")
		}
	}
	if hits := losing.Hits(); hits > 8 {
		t.Errorf("%d tokens may have been made that nobody knows", hits)
	}
	w.output("whole", access(w.alive("octocat-token")))
	losing.Remove()
	w.later("octocat", 5*time.Minute)
	w.settle()
	if !bounded() {
		t.Error("another one was asked for within the hour")
	}
	w.later("octocat", time.Hour)
	w.scopedOutput("agent", first)
}

// A process that dies between GitHub's answer and its write leaves a token that nobody knows. The next one counts it.
func TestScopedTokenThatACrashLosesIsCounted(t *testing.T) {
	t.Parallel()
	var cut writeRefusal
	w := newWorld(t, worldOptions{app: installedApp(), noOperator: true})
	w.options.config = func(config *rest.Config) { config.Wrap(cut.wrap) }
	w.startOperator(w.options)
	w.startScoped("octocat", reader("agent"))
	first := access(w.scopedOutput("agent", ""))
	w.stop()
	w.changeSecret("agent", func(secret *corev1.Secret) {
		text := secret.Annotations[v1alpha1.AnnotationScopedTokens]
		secret.Annotations[v1alpha1.AnnotationScopedTokens] = strings.TrimSuffix(text, "}") + `,"asked":"` + time.Now().Add(-time.Minute).UTC().Format(time.RFC3339) + `"}`
	})
	w.restart()
	w.request("octocat", "again")
	w.refreshed("octocat", 2)
	w.scopedOutput("agent", first)
	w.settle()
	if ledger := w.ledger("agent"); len(ledger.Lost) != 1 || !ledger.Asked.IsZero() {
		t.Errorf("%d tokens are counted as lost, want 1", len(ledger.Lost))
	}
	w.event("octocat", "ScopedTokenLost", "agent")
}

// A token that was made and that the API server does not take is ended at once.
func TestScopedTokenThatCannotBeStoredIsEnded(t *testing.T) {
	t.Parallel()
	var cut writeRefusal
	w := newWorld(t, worldOptions{app: installedApp(func(a *githubtest.App) { a.ScopedTokensOutliveParent = true }), noOperator: true})
	w.options.config = func(config *rest.Config) { config.Wrap(cut.wrap) }
	w.startOperator(w.options)
	w.startScoped("octocat", reader("agent-output"))
	first := access(w.scopedOutput("agent-output", ""))
	cut.set("agent-output") // Not the note, which is a patch that does not name it.
	w.request("octocat", "again")
	w.refreshed("octocat", 2)
	w.condition("octocat", v1alpha1.ConditionReconciling, metav1.ConditionTrue, v1alpha1.ReasonOutputNotWritten)
	cut.set("")
	w.scopedOutput("agent-output", first)
	w.later("octocat", overlapTime+time.Second)
	w.dies("the token before", first)
	w.settle()
	if living := w.livingScoped(); len(living) != 1 {
		t.Errorf("%d scoped tokens are alive, want the one that the output holds", len(living))
	}
}

// livingScoped are the scoped tokens that are alive at GitHub.
func (w *world) livingScoped() []string {
	var living []string
	for _, token := range w.gh.ScopedTokens() {
		if w.gh.Alive(token) {
			living = append(living, token)
		}
	}
	return living
}

func TestScopedTokenOfAnOutputThatIsNotAskedForAnyMoreIsEnded(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{app: installedApp()})
	w.startScoped("octocat", reader("agent"), reader("other"))
	agent, other := access(w.scopedOutput("agent", "")), access(w.scopedOutput("other", ""))
	failing := w.gh.Inject(githubtest.BadGateway().At(githubtest.DeleteTokenEndpoint).Always())
	w.later("octocat", 2*youngToken)
	w.change("octocat", func(token *v1alpha1.GitHubUserToken) { token.Spec.ScopedOutputs = token.Spec.ScopedOutputs[1:] })
	w.condition("octocat", v1alpha1.ConditionReconciling, metav1.ConditionTrue, v1alpha1.ReasonOutputNotRemoved)
	if w.find("agent") == nil {
		t.Fatal("the Secret went before its token had ended")
	}
	failing.Remove()
	w.later("octocat", time.Minute)
	w.dies("its token", agent)
	w.vanishes("agent")
	if !w.gh.Alive(other) {
		t.Error("the token of another output has ended")
	}
	w.alive("octocat-token")
	w.quiet()
}

func TestScopedOutputWhoseScopeChangesGetsAnotherToken(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{app: installedApp()})
	w.startScoped("octocat", reader("agent"))
	first := access(w.scopedOutput("agent", ""))
	w.change("octocat", func(token *v1alpha1.GitHubUserToken) {
		token.Spec.ScopedOutputs[0].Scope.Repositories = []v1alpha1.RepositoryName{"other"}
	})
	second := access(w.scopedOutput("agent", first))
	if limits, _ := w.gh.RestrictionOf(second); !slices.Equal(limits.Repositories, []string{"other"}) {
		t.Errorf("it reaches %v", limits.Repositories)
	}
	w.later("octocat", overlapTime+time.Second)
	w.dies("the token before", first)
	// Without a scope it is an output like any other.
	w.change("octocat", func(token *v1alpha1.GitHubUserToken) {
		token.Spec.Outputs, token.Spec.ScopedOutputs = []v1alpha1.Output{token.Spec.ScopedOutputs[0].Output}, nil
	})
	w.output("agent", access(w.pair("octocat-token")))
	w.later("octocat", overlapTime+time.Second)
	w.dies("the scoped token", second)
	w.eventually("the output to hold nothing else", func() (bool, string) {
		secret := w.pair("agent")
		return len(heldTokens(secret)) == 0 && secret.Annotations[v1alpha1.AnnotationScopedTokens] == "", fmt.Sprint(slices.Collect(maps.Keys(secret.Data)))
	})
	w.quiet()
	// And it can get one again.
	w.change("octocat", func(token *v1alpha1.GitHubUserToken) { token.Spec.SetOutputs([]v1alpha1.Output{reader("agent")}) })
	w.scopedOutput("agent", "")
}

func TestScopedTokensEndWithTheirResource(t *testing.T) {
	t.Parallel()
	for _, policy := range []v1alpha1.DeletionPolicy{v1alpha1.DeletionPolicyDelete, v1alpha1.DeletionPolicyRetain, v1alpha1.DeletionPolicyRevoke} {
		for _, outlives := range []bool{false, true} {
			t.Run(fmt.Sprint(policy, " ", outlives), func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, worldOptions{app: installedApp(func(a *githubtest.App) { a.ScopedTokensOutliveParent = outlives })})
				w.startScoped("octocat", reader("agent"), reader("other"))
				w.change("octocat", func(token *v1alpha1.GitHubUserToken) { token.Spec.DeletionPolicy = policy })
				pair := w.pair("octocat-token")
				w.settle()
				w.later("octocat", 2*youngToken)
				w.must(admin.Delete(w.ctx, w.get("octocat")))
				w.vanishes("agent")
				w.vanishes("other")
				if living := w.livingScoped(); len(living) != 0 {
					t.Errorf("%d scoped tokens live on", len(living))
				}
				if alive := w.gh.Alive(access(pair)); alive != (policy != v1alpha1.DeletionPolicyRevoke) {
					t.Errorf("%s: the user's token is alive: %t", policy, alive)
				}
			})
		}
	}
}

// A resource whose scoped tokens cannot be ended goes all the same, and an event says so.
func TestScopedTokensDoNotHoldTheirResourceForEver(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{app: installedApp()})
	w.startScoped("octocat", reader("agent"))
	failing := w.gh.Inject(githubtest.BadGateway().At(githubtest.DeleteTokenEndpoint).Always())
	w.must(admin.Delete(w.ctx, w.get("octocat")))
	<-failing.Arrived()
	w.meter.leap(revokeTime + time.Second)
	w.vanishes("agent")
	w.event("octocat", "ScopedTokenNotRevoked", "revoke the App")
}

func TestScopedOutputThatGitHubDoesNotGrantIsToldAndTheRestGoesOn(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{app: installedApp()})
	w.seed("octocat", "octocat")
	token := w.resource("octocat")
	greedy := reader("greedy")
	greedy.Scope.Repositories, greedy.Scope.Permissions = []v1alpha1.RepositoryName{"secret"}, map[string]v1alpha1.PermissionLevel{"contents": "write"}
	token.Spec.SetOutputs([]v1alpha1.Output{greedy, reader("modest"), {Name: "whole", Format: v1alpha1.OutputFormatNetrc}})
	w.create(token)
	told := w.condition("octocat", v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonScopeNotGranted)
	for _, words := range []string{`"greedy"`, "contents: write for secret of octo-org", "spec.scopedOutputs"} {
		if !strings.Contains(told.Message, words) {
			t.Errorf("the message does not say %q: %s", words, told.Message)
		}
	}
	first := access(w.scopedOutput("modest", ""))
	w.request("octocat", "again")
	w.refreshed("octocat", 2)
	w.scopedOutput("modest", first)
	w.output("whole", access(w.ready("octocat")))
	if w.find("greedy") != nil {
		t.Error("there is an output without a token")
	}
	w.quiet()
	w.gh.UpdateApp(clientID, func(a *githubtest.App) {
		a.Installations[0].Repositories = append(a.Installations[0].Repositories, githubtest.Repository{ID: 3, Name: "secret"})
	})
	w.later("octocat", 6*time.Minute)
	w.scopedOutput("greedy", "")
	w.eventually("Stalled to go", func() (bool, string) {
		text := suite.Describe(w.get("octocat"))
		return !strings.Contains(text, v1alpha1.ConditionStalled), text
	})
}

// Whoever may write an output must not have the operator end tokens that it has not made: what the App ends takes the refresh token with it.
func TestScopedOutputThatATenantForgesEndsNobodysToken(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{app: installedApp()})
	w.startScoped("octocat", reader("agent"))
	victim := w.gh.Mint(clientID, "victim")
	w.changeSecret("agent", func(secret *corev1.Secret) {
		secret.Data[v1alpha1.KeyScopedTokens] = append(secret.Data[v1alpha1.KeyScopedTokens], victim.AccessToken+"\n"...)
		forged := fmt.Sprintf(`,"retired":[{"token":%q,"app":%q,"proof":%q,"issuedAt":"2020-01-01T00:00:00Z","endAt":"2020-01-01T00:00:00Z"}]}`,
			githubtest.Fingerprint(victim.AccessToken), w.site.Host+"/"+clientID, w.ledger("agent").Current.Proof)
		secret.Annotations[v1alpha1.AnnotationScopedTokens] = strings.TrimSuffix(secret.Annotations[v1alpha1.AnnotationScopedTokens], "}") + forged
	})
	w.event("octocat", "ScopedTokenNotRevoked", "nothing proves")
	w.eventually("the forgery to go", func() (bool, string) {
		return !holds(w.pair("agent"), victim.AccessToken) && len(w.ledger("agent").Retired) == 0, "it stands"
	})
	if !w.gh.Alive(victim.AccessToken) || !w.gh.Alive(victim.RefreshToken) {
		t.Error("somebody else's token has ended")
	}
	w.quiet()
}

// Whoever changes an output again and again gets no scoped token each time.
func TestScopedOutputThatATenantContestsCostsABoundedNumberOfTokens(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{app: installedApp(func(a *githubtest.App) { a.MaxTokens = -1 })})
	w.startScoped("octocat", reader("agent"))
	for end := time.Now().Add(6 * time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if secret := w.find("agent"); secret != nil {
			_ = client.IgnoreNotFound(admin.Delete(w.ctx, secret))
		}
	}
	if made := len(w.gh.ScopedTokens()); made > 10 {
		t.Errorf("%d tokens were made for an output that somebody deletes", made)
	}
	w.alive("octocat-token")
}

func TestScopedOutputIsRestoredWithoutAnotherToken(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{app: installedApp()})
	w.startScoped("octocat", reader("agent"))
	first := access(w.scopedOutput("agent", ""))
	w.changeSecret("agent", func(secret *corev1.Secret) { secret.Data[v1alpha1.KeyAccessToken] = []byte("nonsense") })
	w.output("agent", first)
	w.eventually("its own key", func() (bool, string) { return access(w.pair("agent")) == first, "edited" })
	w.changeSecret("agent", func(secret *corev1.Secret) { delete(secret.Labels, v1alpha1.LabelRole) })
	w.eventually("its label", func() (bool, string) { return w.pair("agent").Labels[v1alpha1.LabelRole] != "", "gone" })
	if made := len(w.gh.ScopedTokens()); made != 1 {
		t.Errorf("%d tokens were made, want 1", made)
	}
	w.quiet()
}

func TestScopedOutputStartCostsNoRequest(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{app: installedApp()})
	w.startScoped("octocat", reader("agent"))
	w.quiet()
	w.stop()
	made := len(w.gh.ScopedTokens())
	w.restart()
	w.quiet()
	if now := len(w.gh.ScopedTokens()); now != made {
		t.Errorf("a start made %d tokens", now-made)
	}
}

func TestScopedOutputNeedsAClientSecret(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{app: installedApp()})
	w.startScoped("octocat", reader("agent"))
	first := access(w.scopedOutput("agent", ""))
	w.secret("github-app", map[string]string{"client_secret": ""})
	w.change("octocat", func(token *v1alpha1.GitHubUserToken) {
		token.Spec.ScopedOutputs[0].Scope.Repositories = []v1alpha1.RepositoryName{"other"}
	})
	told := w.condition("octocat", v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonScopedTokenNotMade)
	if !strings.Contains(told.Message, `"agent"`) {
		t.Errorf("the message does not name the output: %s", told.Message)
	}
	w.ready("octocat")
	w.secret("github-app", map[string]string{"client_secret": clientSecret})
	w.later("octocat", 6*time.Minute) // It is looked at again every five.
	w.scopedOutput("agent", first)
}

// From the exchange to the output there is a gap where scoped tokens end with the user's: it is short.
func TestScopedOutputGapAfterAnExchangeIsShort(t *testing.T) {
	w := newWorld(t, worldOptions{app: installedApp()})
	w.startScoped("octocat", reader("agent"))
	before := access(w.scopedOutput("agent", ""))
	var longest time.Duration
	for n := range 10 {
		w.request("octocat", fmt.Sprint("again ", n))
		w.eventually("another token", func() (bool, string) { return access(w.pair("agent")) != before, suite.Describe(w.get("octocat")) })
		seen := time.Now()
		exchanges := w.gh.Exchanges()
		longest = max(longest, seen.Sub(exchanges[len(exchanges)-1].At))
		before = access(w.pair("agent"))
		w.refreshed("octocat", int64(n)+2)
		w.later("octocat", 10*time.Minute) // In an hour no more tokens are made.
		w.settle()
	}
	t.Logf("at most %s from the exchange to the output", longest)
	if longest > 5*time.Second {
		t.Errorf("%s from the exchange to the output", longest)
	}
}

func TestScopedOutputIsRefusedAtApplyWhereItCannotWork(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{noOperator: true})
	output := func(scope string) string {
		return `{"scopedOutputs":[{"name":"agent","format":"Opaque","scope":` + scope + `}]}`
	}
	for name, c := range map[string]struct{ patch, want string }{
		"good":                    {output(`{"target":"octo-org","repositories":["hello-world",".github"],"permissions":{"pull_requests":"write"}}`), ""},
		"by ids":                  {output(`{"target":"octo-org","repositoryIDs":[1296269]}`), ""},
		"a target alone":          {output(`{"target":"octo-org"}`), ""},
		"no target":               {output(`{"repositories":["hello-world"]}`), "target"},
		"by names and ids":        {output(`{"target":"octo-org","repositories":["a"],"repositoryIDs":[1]}`), "not by both"},
		"no repository in a list": {output(`{"target":"octo-org","repositories":[]}`), "should have at least 1"},
		"an id of zero":           {output(`{"target":"octo-org","repositoryIDs":[0]}`), "greater than or equal to 1"},
		"with the owner":          {output(`{"target":"octo-org","repositories":["octo-org/hello-world"]}`), "without its owner"},
		"the same twice":          {output(`{"target":"octo-org","repositories":["a","a"]}`), "Duplicate"},
		"no permissions":          {output(`{"target":"octo-org","permissions":{}}`), "at least 1"},
		"an unknown level":        {output(`{"target":"octo-org","permissions":{"contents":"all"}}`), "supported values"},
		"a name in upper case":    {output(`{"target":"octo-org","permissions":{"Contents":"read"}}`), "lower case"},
		"no client secret":        {`{"app":{"clientSecretRef":null},"login":{"methods":["DeviceFlow"]},"scopedOutputs":[{"name":"agent","format":"Opaque","scope":{"target":"octo-org"}}]}`, "needs the client secret"},
		"an OAuth App":            {`{"app":{"clientID":"Ov23liEXAMPLE"},"scopedOutputs":[{"name":"agent","format":"Opaque","scope":{"target":"octo-org"}}]}`, "OAuth App"},
		"a refresh token":         {`{"scopedOutputs":[{"name":"agent","format":"Opaque","includeRefreshToken":true,"scope":{"target":"octo-org"}}]}`, "no refresh token comes"},
		"the operator's own key":  {`{"scopedOutputs":[{"name":"agent","format":"Opaque","key":"scoped_tokens","scope":{"target":"octo-org"}}]}`, "scoped_tokens is taken"},
		"too many": {`{"scopedOutputs":[{"name":"a","format":"Opaque","scope":{"target":"o"}},{"name":"b","format":"Opaque","scope":{"target":"o"}},` +
			`{"name":"c","format":"Opaque","scope":{"target":"o"}},{"name":"d","format":"Opaque","scope":{"target":"o"}},{"name":"e","format":"Opaque","scope":{"target":"o"}}]}`, "at most 4 items"},
		"the name of an output": {`{"outputs":[{"name":"a","format":"Opaque"}],"scopedOutputs":[{"name":"a","format":"Opaque","scope":{"target":"o"}}]}`, "the same name"},
		"no scope":              {`{"scopedOutputs":[{"name":"a","format":"Opaque"}]}`, "scope"},
	} {
		_, err := w.apply("octocat", c.patch)
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
	}
}

// A login can be limited to a repository, by a code as in a browser, and stays so.
func TestScopedLoginIsForOneRepository(t *testing.T) {
	t.Parallel()
	app := deviceApp()
	app.Installations = installedApp().Installations
	w := newWorld(t, worldOptions{app: app})
	token := w.withoutSeed("octocat")
	token.Spec.Login.RepositoryID = 1296269
	w.create(token)
	w.enter(w.code("octocat"), "octocat")
	limited := func(secret *corev1.Secret) {
		t.Helper()
		limits, _ := w.gh.RestrictionOf(access(secret))
		if !slices.Equal(limits.Repositories, []string{"hello-world"}) {
			t.Errorf("the token reaches %v", limits.Repositories)
		}
	}
	limited(w.ready("octocat"))
	w.request("octocat", "again")
	w.refreshed("octocat", 2)
	limited(w.alive("octocat-token"))
}

// GitHub makes no scoped token for as long as it likes: neither the report, nor those who read the user's own token, nor the next exchange wait for it.
func TestScopedOutputsAreWaitedForByNobody(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{app: installedApp(func(a *githubtest.App) { a.ScopedTokensOutliveParent = true })})
	w.startScoped("octocat", reader("agent"), v1alpha1.Output{Name: "whole", Format: v1alpha1.OutputFormatNetrc})
	first := access(w.scopedOutput("agent", ""))
	held := w.gh.Inject(githubtest.Hold().At(githubtest.ScopedEndpoint))
	t.Cleanup(held.Release)
	w.request("octocat", "again")
	<-held.Arrived()
	w.refreshed("octocat", 2)
	w.output("whole", access(w.alive("octocat-token")))
	w.request("octocat", "and again")
	w.refreshed("octocat", 3)
	w.output("whole", access(w.alive("octocat-token")))
	if access(w.pair("agent")) != first || held.Hits() != 1 {
		t.Error("there was nothing to wait for")
	}
	held.Release()
	w.scopedOutput("agent", first)
	present := githubtest.Fingerprint(access(w.pair("octocat-token")))
	w.eventually("one of the present token", func() (bool, string) {
		return strings.Contains(w.pair("agent").Annotations[v1alpha1.AnnotationScopedTokens], `"parent":"`+present), fmt.Sprint(w.ledger("agent"))
	})
	w.settle()
}

// GitHub has ten tokens made within an hour, and here it counts scoped ones: what the resource's outputs take of it leaves its chain what it needs.
func TestScopedTokensMadeInAnHourLeaveTheChainItsOwn(t *testing.T) {
	t.Parallel()
	for outputs := 1; outputs <= 4; outputs++ {
		t.Run(fmt.Sprint(outputs, " outputs"), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, worldOptions{app: installedApp(func(a *githubtest.App) { a.ScopedTokensCount, a.CreationError = true, "too_many_tokens" })})
			var all []v1alpha1.Output
			for n := range outputs {
				all = append(all, reader(fmt.Sprint("agent", n)))
			}
			w.startScoped("octocat", all...)
			rotations := 8/outputs + 1
			for n := range rotations {
				w.request("octocat", fmt.Sprint("again ", n))
				w.refreshed("octocat", int64(n)+2)
				w.alive("octocat-token")
			}
			told := w.condition("octocat", v1alpha1.ConditionReconciling, metav1.ConditionTrue, v1alpha1.ReasonScopedTokenNotMade)
			if !strings.Contains(told.Message, "within an hour") || !strings.Contains(told.Message, "8 scoped tokens") {
				t.Errorf("it says: %s", told.Message)
			}
			if made := len(w.gh.ScopedTokens()); made > 8 {
				t.Errorf("%d were made", made)
			}
			w.ready("octocat")
		})
	}
}

// Kubernetes deletes the Secrets first where a resource is deleted in the foreground. They wait for their tokens to end, though the operator has just started.
func TestScopedTokensEndAtADeletionInTheForegroundAfterARestart(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{app: installedApp(func(a *githubtest.App) { a.ScopedTokensOutliveParent = true })})
	w.startScoped("octocat", reader("agent"), reader("other"))
	w.meter.leap(2 * youngToken)
	w.stop()
	w.must(admin.Delete(w.ctx, w.get("octocat"), client.PropagationPolicy(metav1.DeletePropagationForeground)))
	for _, name := range []string{"agent", "other"} { // As the garbage collector does, which does not run here.
		w.must(admin.Delete(w.ctx, w.find(name)))
		if w.find(name) == nil {
			t.Fatalf("%s went before its token had ended", name)
		}
	}
	w.startOperator(w.options)
	w.vanishes("agent")
	w.vanishes("other")
	if living := w.livingScoped(); len(living) != 0 {
		t.Errorf("%d scoped tokens live on", len(living))
	}
	if notes := w.eventsOf("octocat", "ScopedTokenNotRevoked"); len(notes) != 0 {
		t.Errorf("it tells of tokens that live on: %q", notes)
	}
}

// Whoever deletes an output has it back with the token that it held.
func TestScopedOutputThatIsDeletedIsBackWithItsToken(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{app: installedApp()})
	w.startScoped("octocat", reader("agent"))
	before := w.scopedOutput("agent", "")
	w.must(admin.Delete(w.ctx, before))
	w.eventually("another Secret", func() (bool, string) {
		now := w.find("agent")
		return now != nil && now.UID != before.UID && now.DeletionTimestamp == nil && access(now) == access(before), "it is not there"
	})
	if made := len(w.gh.ScopedTokens()); made != 1 {
		t.Errorf("%d tokens were made, want 1", made)
	}
	w.quiet()
}

// A resource whose finalizer somebody takes off by force leaves no Secret that would never go.
func TestScopedOutputOfAResourceThatIsForcedAwayGoes(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{app: installedApp()})
	w.startScoped("octocat", reader("agent"))
	w.stop()
	w.must(admin.Delete(w.ctx, w.get("octocat")))
	w.change("octocat", func(token *v1alpha1.GitHubUserToken) { token.Finalizers = nil })
	w.must(admin.Delete(w.ctx, w.find("agent")))
	w.startOperator(w.options)
	w.vanishes("agent")
}

// Whoever reads the user's own token is told of it while GitHub makes no scoped one, and those who read that when it is written.
func TestScopedOutputsAndHandoffEachIsToldInTime(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{app: installedApp(), controller: func(options *Options) { options.EnableHandoff = true }})
	w.permitHandoff()
	w.startScoped("octocat", reader("agent"))
	w.change("octocat", func(token *v1alpha1.GitHubUserToken) {
		token.Spec.Handoff = &v1alpha1.Handoff{Pods: v1alpha1.PodHandoffSync}
	})
	w.pod("reads-the-whole", nil, secretVolume("octocat-token"))
	w.pod("reads-the-scoped", nil, secretVolume("agent"))
	w.settle()
	before := w.toldPods() // Pods that were there in time have been told of the first token.
	held := w.gh.Inject(githubtest.Hold().At(githubtest.ScopedEndpoint))
	t.Cleanup(held.Release)
	w.request("octocat", "again")
	<-held.Arrived()
	told := func(name string) func() (bool, string) {
		return func() (bool, string) {
			told := w.toldPods()
			return told[name] != before[name], fmt.Sprint(told)
		}
	}
	w.eventually("who reads the whole token to be told", told("reads-the-whole"))
	w.refreshed("octocat", 2)
	if early, _ := told("reads-the-scoped")(); early {
		t.Error("who reads the scoped token was told before it was written")
	}
	held.Release()
	w.eventually("who reads the scoped token to be told", told("reads-the-scoped"))
	w.scopedOutput("agent", "")
}
