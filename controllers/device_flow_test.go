package controllers

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/runner"
	"github.com/githubusertoken/github-user-token-operator/controllers/scope"
	"github.com/githubusertoken/github-user-token-operator/internal/github"
	"github.com/githubusertoken/github-user-token-operator/internal/github/githubtest"
	"github.com/githubusertoken/github-user-token-operator/test/suite"
)

// withDevice is a world whose App has the device flow, with codes that live so long.
func withDevice(t *testing.T, lifetime time.Duration) *world {
	t.Helper()
	app := deviceApp()
	app.DeviceCodeLifetime = lifetime
	return newWorld(t, worldOptions{app: app})
}

// noCode makes sure that no code is shown or kept.
func (w *world) noCode(name string) {
	w.t.Helper()
	if shown := w.get(name).Status.Authorization; shown != nil {
		w.t.Errorf("%s still shows the code %s", name, shown.UserCode)
	}
	if secret := w.find(name + "-token"); secret != nil && secret.Data[v1alpha1.KeyDeviceCode] != nil {
		w.t.Errorf("the device code of %s was left in the pair Secret", name)
	}
	w.eventually("the device code of "+name+" to be removed", func() (bool, string) {
		left := w.codesOf(name)
		return len(left) == 0, fmt.Sprint(len(left))
	})
}

// codesOf are the Secrets with device codes of a resource.
func (w *world) codesOf(name string) []corev1.Secret {
	w.t.Helper()
	var list corev1.SecretList
	w.must(admin.List(w.ctx, &list, inNamespace(w.namespace), client.MatchingLabels{v1alpha1.LabelRole: v1alpha1.RoleLogin, v1alpha1.LabelOwner: name}))
	return list.Items
}

// deviceCode is the device code that is offered for a resource.
func (w *world) deviceCode(name string) string {
	w.t.Helper()
	code := ""
	w.eventually("one device code of "+name, func() (bool, string) {
		codes := w.codesOf(name)
		if len(codes) == 1 {
			code = string(codes[0].Data[v1alpha1.KeyDeviceCode])
		}
		return len(codes) == 1, fmt.Sprint(len(codes))
	})
	return code
}

// eventsOf are the notes of the events of one reason about a resource. One that was repeated counts as often.
func (w *world) eventsOf(name, reason string) (notes []string) {
	w.t.Helper()
	var list eventsv1.EventList
	w.must(admin.List(w.ctx, &list, inNamespace(w.namespace)))
	for _, event := range list.Items {
		if event.Regarding.Name != name || event.Reason != reason {
			continue
		}
		notes = append(notes, event.Note)
		if event.Series != nil {
			for range event.Series.Count - 1 {
				notes = append(notes, event.Note)
			}
		}
	}
	return notes
}

func TestDeviceFlowCodeIsAnnouncedOnceAndShownByKubectl(t *testing.T) {
	t.Parallel()
	w := withDevice(t, 0)
	w.create(w.withoutSeed("octocat"))
	code := w.code("octocat")
	w.eventually("the event", func() (bool, string) {
		notes := w.eventsOf("octocat", v1alpha1.ReasonAuthorizationPending)
		return len(notes) > 0 && strings.Contains(notes[0], code) && strings.Contains(notes[0], w.site.URL+"/login/device"), fmt.Sprint(notes)
	})
	w.restart()
	polls := w.gh.Inject(githubtest.Delay(0).Always())
	w.touch("octocat")
	w.eventually("polls of the next process", func() (bool, string) { return polls.Hits() > 2, fmt.Sprint(polls.Hits()) })
	if notes := w.eventsOf("octocat", v1alpha1.ReasonAuthorizationPending); len(notes) != 1 {
		t.Errorf("the code was announced %d times: %v", len(notes), notes)
	}
	if rows := table(w.runs("get", "ghut", "octocat")); !strings.Contains(strings.Join(rows[1], " "), code) {
		t.Errorf("kubectl get shows %v, and not the code %s", rows[1], code)
	}
	w.enter(code, "octocat")
	w.ready("octocat")
	w.noCode("octocat")
	w.presented(0)
}

// A person who is waited for has no token to lose: their requests come behind all others of the App, also those of
// other namespaces.
func TestDeviceFlowCodeIsAskedForWhenNobodyElseWaits(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{app: deviceApp(), namespaces: 2, controller: func(options *Options) {
		options.TokenRequestsPerHour = 2 // One at once, and the next half an hour later.
	}})
	// Nobody has a turn until all wait for it.
	limiter, app := w.reconciler.Limiter, scope.InlineApp(w.resource("octocat")).Key()
	limiter.Succeeded(app) // Codes of an App that GitHub has never answered yield within their namespace only.
	pause := func() { limiter.Pause(app, time.Now().Add(3*time.Second)) }
	wait := func(n int) {
		t.Helper()
		w.eventually("the turn to be waited for", func() (bool, string) {
			pause()
			return limiter.Waiting(app) == n, fmt.Sprintf("%d wait", limiter.Waiting(app))
		})
	}
	pause()
	codes := w.gh.Inject(githubtest.Delay(0).At(githubtest.DeviceCodeEndpoint).Always())
	w.create(w.withoutSeed("hubot"))
	wait(1)
	w.namespace = w.namespaces[1]
	w.seed("octocat", "octocat")
	w.create(w.resource("octocat"))
	wait(2)
	w.ready("octocat")
	if n := codes.Hits(); n != 0 {
		t.Errorf("%d codes were asked for before that", n)
	}
}

// What GitHub asks for is kept to by the next process as well. A slow_down that does not say more adds 5 s to the
// interval of 1 s.
func TestDeviceFlowPollThatGitHubAsksToComeLaterComesLater(t *testing.T) {
	t.Parallel()
	each(t, map[string]bool{"the same process": false, "the next": true}, func(t *testing.T, restarts bool) {
		w := withDevice(t, 0)
		slow := w.gh.Inject(githubtest.OAuthError("slow_down"))
		w.create(w.withoutSeed("octocat"))
		code := w.code("octocat")
		w.arrived(slow)
		polls := w.gh.Inject(githubtest.Delay(0).Always())
		asked := time.Now()
		w.eventually("the longer interval in the Secret", func() (bool, string) {
			state := w.pair("octocat-token").Annotations[v1alpha1.AnnotationState]
			return strings.Contains(state, fmt.Sprint(int64(6*time.Second))) || strings.Contains(state, "6s"), state
		})
		if restarts {
			w.restart()
		}
		w.enter(code, "octocat")
		w.arrived(polls)
		if waited := time.Since(asked); waited < 4*time.Second {
			t.Errorf("GitHub was polled again after %s, and had asked for 6 s", waited)
		}
		w.ready("octocat")
	})
}

func TestDeviceFlowCodeThatIsDeniedHasNoSuccessorUntilAPersonAsks(t *testing.T) {
	t.Parallel()
	w := withDevice(t, 0)
	w.create(w.withoutSeed("octocat"))
	code := w.code("octocat")
	w.must(w.gh.DenyDevice(code))
	denied := refusal{reason: v1alpha1.ReasonAuthorizationDenied, says: v1alpha1.AnnotationRefreshRequestedAt, unauthorized: true}
	w.refused("octocat", denied)
	w.noCode("octocat")
	w.quiet()
	w.restart()
	w.quiet()
	w.refused("octocat", denied)
	w.request("octocat", "again")
	w.enter(w.code("octocat", code), "octocat")
	w.ready("octocat")
	w.noCode("octocat")
	w.quiet()
	w.presented(0) // The request asked for a code, not for an exchange.
}

func TestDeviceFlowCodesThatExpireAreReplacedForAWhileAndThenOnRequest(t *testing.T) {
	t.Parallel()
	w := withDevice(t, time.Second)
	asked := w.gh.Inject(githubtest.Delay(0).At(githubtest.DeviceCodeEndpoint).Always())
	w.create(w.withoutSeed("octocat"))
	began := time.Now()
	first := w.code("octocat")
	second := w.code("octocat", first)
	w.code("octocat", first, second)
	// Pauses of 1 s and 2 s come between the codes, which are good for 1 s.
	if took := time.Since(began); took < 4*time.Second {
		t.Errorf("three codes were offered within %s", took)
	}
	w.meter.leap(seriesTime)
	w.touch("octocat")
	w.refused("octocat", refusal{reason: v1alpha1.ReasonAuthorizationExpired, says: v1alpha1.AnnotationRefreshRequestedAt, unauthorized: true})
	w.eventually("no code to be shown", func() (bool, string) {
		token := w.get("octocat")
		return token.Status.Authorization == nil, suite.Describe(token)
	})
	offered := asked.Hits()
	w.quiet()
	w.restart()
	w.quiet()
	if now := asked.Hits(); now != offered {
		t.Errorf("%d more codes were asked for", now-offered)
	}
	w.stop()
	w.meter = &meter{} // A clock that agrees with GitHub's.
	w.gh.UpdateApp(clientID, func(app *githubtest.App) { app.DeviceCodeLifetime = time.Minute })
	w.request("octocat", "again")
	w.startOperator(w.options)
	w.enter(w.code("octocat"), "octocat")
	w.ready("octocat")
	w.noCode("octocat")
}

// A clock that runs away ends each code as soon as it is offered. Codes are still asked for with pauses, and
// not for ever.
func TestDeviceFlowClockThatEndsEveryCodeMakesNoHotLoop(t *testing.T) {
	t.Parallel()
	w := withDevice(t, 0)
	asked := w.gh.Inject(githubtest.Delay(0).At(githubtest.DeviceCodeEndpoint).Always())
	w.meter.leap(24 * time.Hour) // GitHub's client counts the life of a code by the true clock.
	w.create(w.withoutSeed("octocat"))
	w.eventually("two codes", func() (bool, string) { return asked.Hits() >= 2, suite.Describe(w.get("octocat")) })
	began, hits := time.Now(), asked.Hits()
	w.eventually("the fourth code", func() (bool, string) { return asked.Hits() >= 4, suite.Describe(w.get("octocat")) })
	if took := time.Since(began); took < 4*time.Second {
		t.Errorf("%d codes were asked for within %s", asked.Hits()-hits, took)
	}
	then, began := w.meter.read(), time.Now()
	w.eventually("the fifth code", func() (bool, string) { return asked.Hits() >= 5, suite.Describe(w.get("octocat")) })
	const looksASecond = 40
	if _, _, looks := w.meter.since(then); float64(looks) > looksASecond*time.Since(began).Seconds() {
		t.Errorf("the clock was looked at %d times in %s", looks, time.Since(began))
	}
	w.refused("octocat", refusal{reason: v1alpha1.ReasonAuthorizationPending, says: "code", unauthorized: true, retried: true})
	w.presented(0)
}

func TestDeviceFlowAppWithoutTheDeviceFlowIsReportedAndHeals(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	asked := w.gh.Inject(githubtest.Delay(0).At(githubtest.DeviceCodeEndpoint).Always())
	w.create(w.withoutSeed("octocat"))
	w.refused("octocat", refusal{reason: v1alpha1.ReasonDeviceFlowDisabled, says: "device flow", unauthorized: true})
	w.quiet()
	if n := asked.Hits(); n > 2 {
		t.Errorf("GitHub was asked for %d codes", n)
	}
	w.noCode("octocat")
	w.gh.UpdateApp(clientID, func(app *githubtest.App) { app.DeviceFlow, app.DeviceInterval = true, time.Second })
	w.request("octocat", "now")
	w.enter(w.code("octocat"), "octocat")
	w.ready("octocat")
}

func TestDeviceFlowSameCodeGoesOnAfterARestart(t *testing.T) {
	t.Parallel()
	w := withDevice(t, 0)
	asked := w.gh.Inject(githubtest.Delay(0).At(githubtest.DeviceCodeEndpoint).Always())
	w.create(w.withoutSeed("octocat"))
	code := w.code("octocat")
	w.stop()
	w.enter(code, "octocat") // While nobody polls.
	w.startOperator(w.options)
	w.ready("octocat")
	w.noCode("octocat")
	if n := asked.Hits(); n != 1 {
		t.Errorf("%d codes were asked for, want 1", n)
	}
	w.quiet()
}

// A code that died while no operator ran is replaced.
func TestDeviceFlowCodeThatExpiredWhileTheOperatorWasDownIsReplaced(t *testing.T) {
	t.Parallel()
	w := withDevice(t, 2*time.Second)
	w.create(w.withoutSeed("octocat"))
	code := w.code("octocat")
	w.stop()
	w.eventually("the code to expire", func() (bool, string) {
		return len(w.gh.PendingDevices()) == 0, "it is good"
	})
	w.gh.UpdateApp(clientID, func(app *githubtest.App) { app.DeviceCodeLifetime = time.Minute })
	w.startOperator(w.options)
	w.enter(w.code("octocat", code), "octocat")
	w.ready("octocat")
}

// Two replicas believe that they lead: both poll, one of them gets the pair, and neither undoes it.
func TestDeviceFlowTwoReplicasWithOneCodeEndWithOnePair(t *testing.T) {
	t.Parallel()
	w := withDevice(t, 0)
	w.outboxDir = t.TempDir()
	w.startOperator(w.options)
	w.create(w.withoutSeed("octocat"))
	w.code("octocat")
	// Both may have offered one; what the status shows in the end is what the Secret holds.
	w.eventually("one code", func() (bool, string) {
		status := w.get("octocat").Status.Authorization
		secret := w.pair("octocat-token")
		return status != nil && strings.Contains(secret.Annotations[v1alpha1.AnnotationState], status.UserCode), "they differ"
	})
	w.enter(w.get("octocat").Status.Authorization.UserCode, "octocat")
	before := w.ready("octocat")
	w.quiet()
	w.samePair(before, w.ready("octocat"))
	w.noCode("octocat")
	w.presented(0)
}

func TestDeviceFlowChainThatGitHubRefusesIsReplacedByACode(t *testing.T) {
	t.Parallel()
	app := deviceApp()
	w := newWorld(t, worldOptions{app: app, spendsTwice: true})
	w.seed("octocat", "octocat")
	token := w.resource("octocat")
	token.Spec.Login = suite.DeviceLogin()
	w.create(token)
	before := w.ready("octocat")
	w.noCode("octocat")
	w.gh.RevokeGrant(clientID, "octocat")
	w.request("octocat", "1")
	code := w.code("octocat")
	pending := w.condition("octocat", v1alpha1.ConditionAuthorized, metav1.ConditionFalse, v1alpha1.ReasonAuthorizationPending)
	if !strings.Contains(pending.Message, "GitHub refused the refresh token") {
		t.Errorf("the message does not say why a login is needed: %s", pending.Message)
	}
	w.samePair(before, w.pair("octocat-token"))
	w.enter(code, "octocat")
	w.ready("octocat")
	w.noCode("octocat")
	w.quiet()
	w.request("octocat", "2")
	w.refreshed("octocat", 2)
	w.ready("octocat")
}

func TestDeviceFlowSeedThatComesWhileACodeIsOfferedWins(t *testing.T) {
	t.Parallel()
	w := withDevice(t, 0)
	token := w.resource("octocat")
	token.Spec.Login = suite.DeviceLogin()
	w.create(token)
	code := w.code("octocat")
	seed := w.seed("octocat", "octocat")
	w.ready("octocat")
	w.noCode("octocat")
	if n := w.gh.ExchangesOf(seed); n != 1 {
		t.Errorf("the seed was exchanged %d times", n)
	}
	before := w.pair("octocat-token")
	w.enter(code, "hubot") // Nobody waits for it any more.
	w.quiet()
	w.samePair(before, w.ready("octocat"))
	w.presented(1)
}

func TestDeviceFlowCodeIsForgottenWhenItsResourceIsDeleted(t *testing.T) {
	t.Parallel()
	w := withDevice(t, 0)
	w.create(w.withoutSeed("octocat"))
	w.code("octocat")
	polls := w.gh.Inject(githubtest.Delay(0).Always())
	w.remove(w.resourceNamed("octocat"))
	w.gone(w.resourceNamed("octocat"))
	w.gone(w.secretNamed("octocat-token"))
	w.settle()
	before := polls.Hits()
	w.quiet()
	if n := polls.Hits(); n != before {
		t.Errorf("GitHub was polled %d times for a resource that is gone", n-before)
	}
}

// The pair is on its way when the resource is deleted: it is ended with the resource.
func TestDeviceFlowPairThatArrivesWhileItsResourceIsDeletedIsEnded(t *testing.T) {
	t.Parallel()
	w := withDevice(t, 0)
	token := w.withoutSeed("octocat")
	token.Spec.DeletionPolicy = v1alpha1.DeletionPolicyRevoke
	w.create(token)
	code := w.code("octocat")
	w.enter(code, "octocat")
	held := w.gh.Inject(githubtest.Hold().AfterCommit())
	w.arrived(held)
	w.remove(w.resourceNamed("octocat"))
	held.Release()
	w.gone(w.resourceNamed("octocat"))
	w.gone(w.secretNamed("octocat-token"))
	if pair, known := w.gh.Newest(clientID, "octocat"); !known || w.gh.Alive(pair.AccessToken) || w.gh.Alive(pair.RefreshToken) {
		t.Errorf("the pair lives on at GitHub, or was never given out (%t)", known)
	}
}

func TestDeviceFlowSuspendStopsPollsAndLiftingItGoesOn(t *testing.T) {
	t.Parallel()
	w := withDevice(t, 0)
	w.create(w.withoutSeed("octocat"))
	code := w.code("octocat")
	w.change("octocat", func(token *v1alpha1.GitHubUserToken) { token.Spec.Suspend = true })
	w.condition("octocat", v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonSuspended)
	w.settle()
	polls := w.gh.Inject(githubtest.Delay(0).Always())
	w.enter(code, "octocat")
	w.quiet()
	if n := polls.Hits(); n != 0 {
		t.Errorf("GitHub was polled %d times although the resource is suspended", n)
	}
	w.change("octocat", func(token *v1alpha1.GitHubUserToken) { token.Spec.Suspend = false })
	w.ready("octocat")
	w.noCode("octocat")
}

// Apps and hosts of other kinds.
func TestDeviceFlowCodeWorksForEveryKindOfAppAndHost(t *testing.T) {
	t.Parallel()
	each(t, map[string]struct {
		app    func(*githubtest.App)
		path   string
		prefix string
		// endless says that the token does not expire.
		endless bool
	}{
		"an OAuth App":             {app: func(a *githubtest.App) { a.Kind = githubtest.OAuthApp }, prefix: "gho_"},
		"without expiry":           {app: func(a *githubtest.App) { a.NoExpiry = true }, prefix: "ghu_", endless: true},
		"an Enterprise host's API": {path: "/api/v3", prefix: "ghu_"},
		"numbers as strings":       {app: func(a *githubtest.App) { a.NumbersAsStrings = true }, prefix: "ghu_"},
	}, func(t *testing.T, c struct {
		app     func(*githubtest.App)
		path    string
		prefix  string
		endless bool
	},
	) {
		app := deviceApp()
		if c.app != nil {
			c.app(&app)
		}
		w := newWorld(t, worldOptions{app: app})
		token := w.withoutSeed("octocat")
		token.Spec.App.Host += c.path
		token.Spec.User = &v1alpha1.UserSelector{Login: "octocat"}
		w.create(token)
		w.enter(w.code("octocat"), "octocat")
		if c.endless {
			w.condition("octocat", v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonTokenDoesNotExpire)
			w.condition("octocat", v1alpha1.ConditionAuthorized, metav1.ConditionTrue, v1alpha1.ReasonNoRefreshToken)
		} else {
			w.ready("octocat")
		}
		secret := w.pair("octocat-token")
		if !strings.HasPrefix(access(secret), c.prefix) || !w.gh.Alive(access(secret)) {
			t.Error("the Secret does not hold a living token of that kind")
		}
		w.account("octocat")
		w.noCode("octocat")
		w.quiet()
		w.presented(0)
	})
}

func TestDeviceFlowCodeWorksAtAHostWithACAOfItsOwn(t *testing.T) {
	t.Parallel()
	authority, err := githubtest.NewCA("enterprise")
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, worldOptions{app: deviceApp(), noOperator: true})
	enterprise := w.gh.StartTest(t, githubtest.Listen{SignedBy: authority})
	w.options.client = func(o *github.Options) {
		o.AllowedHosts = append(o.AllowedHosts, enterprise.Host)
		o.RootCAs = append(append([]byte{}, o.RootCAs...), authority.PEM...)
	}
	w.startOperator(w.options)
	token := w.withoutSeed("octocat")
	token.Spec.App.Host = enterprise.Host
	w.create(token)
	code := w.code("octocat")
	if uri := w.get("octocat").Status.Authorization.VerificationURI; uri != enterprise.URL+"/login/device" {
		t.Errorf("the code is to be entered at %s", uri)
	}
	w.enter(code, "octocat")
	w.ready("octocat")
}

// A person who is signed in as somebody else enters the code.
func TestDeviceFlowCodeEnteredByAnotherAccountIsRefusedAndItsPairEnded(t *testing.T) {
	t.Parallel()
	w := withDevice(t, 0)
	token := w.withoutSeed("octocat")
	token.Spec.User = &v1alpha1.UserSelector{Login: "octocat"}
	w.create(token)
	code := w.code("octocat")
	w.says("octocat", v1alpha1.ConditionAuthorized, "signed in as octocat")
	w.enter(code, "hubot")
	w.refused("octocat", refusal{reason: v1alpha1.ReasonWrongUser, says: v1alpha1.AnnotationRefreshRequestedAt, unauthorized: true})
	w.noCode("octocat")
	if secret := w.find("octocat-token"); secret != nil && (access(secret) != "" || refresh(secret) != "") {
		t.Error("the pair of another account stands in the Secret")
	}
	w.eventually("the pair of the other account to be ended", func() (bool, string) {
		pair, known := w.gh.Newest(clientID, "hubot")
		return known && !w.gh.Alive(pair.AccessToken) && !w.gh.Alive(pair.RefreshToken), "it is alive"
	})
	w.quiet()
	w.request("octocat", "again")
	w.enter(w.code("octocat", code), "octocat")
	w.ready("octocat")
	w.account("octocat")
	w.presented(0)
}

// Another account is asked for after a login. The chain goes on until that account has logged in.
func TestDeviceFlowAnotherPinOffersACodeBesideTheLivingChain(t *testing.T) {
	t.Parallel()
	w := withDevice(t, 0)
	w.create(w.withoutSeed("octocat"))
	code := w.code("octocat")
	w.enter(code, "octocat")
	w.ready("octocat")
	w.account("octocat")
	w.change("octocat", func(token *v1alpha1.GitHubUserToken) { token.Spec.User = &v1alpha1.UserSelector{Login: "hubot"} })
	code = w.code("octocat", code)
	w.says("octocat", v1alpha1.ConditionAuthorized, "signed in as hubot")
	w.condition("octocat", v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonTokenValid)
	w.alive("octocat-token")
	w.enter(code, "hubot")
	w.eventually("the token of the other account", func() (bool, string) {
		token := w.get("octocat")
		return token.Status.User != nil && token.Status.User.Login == "hubot", suite.Describe(token)
	})
	secret := w.ready("octocat")
	if user, known := w.gh.Authenticate(access(secret)); !known || user.Login != "hubot" {
		t.Errorf("the Secret holds a token of %s", user.Login)
	}
	w.noCode("octocat")
	w.quiet()
	w.presented(0)
}

// The pair is fetched while its operator ends: the work is waited for, and the pair stored.
func TestDeviceFlowPollUnderWayIsFinishedBeforeTheOperatorEnds(t *testing.T) {
	t.Parallel()
	w := withDevice(t, 0)
	w.create(w.withoutSeed("octocat"))
	w.enter(w.code("octocat"), "octocat")
	held := w.gh.Inject(githubtest.Hold().AfterCommit())
	w.arrived(held)
	ended := make(chan struct{})
	go func() { defer close(ended); w.stop() }()
	w.eventually("the operator to drain", func() (bool, string) {
		err := w.reconciler.Runner.Start(runner.Subject{UID: "another"}, func() {})
		return errors.Is(err, runner.ErrDraining), fmt.Sprint(err)
	})
	held.Release()
	<-ended
	secret := w.alive("octocat-token")
	w.startOperator(w.options)
	w.samePair(secret, w.ready("octocat"))
	w.noCode("octocat")
	w.quiet()
}
