package controllers

import (
	"errors"
	"fmt"
	"net/http"
	"path"
	"strings"
	"sync/atomic"
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

func TestPairSecretThatIsDeletedIsPutBackWithoutAnExchange(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	before := w.start("octocat")
	deleted := time.Now()
	w.remove(w.secretNamed("octocat-token"))
	after := w.restored(before)
	t.Logf("it took %s", time.Since(deleted))
	if after.UID == before.UID {
		t.Error("the Secret is still the one that was deleted")
	}
	w.condition("octocat", v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonTokenValid)
	w.quiet()
	w.presented(1)
	w.leftovers("octocat-token")

	// Many times in a row, as a script in a loop does.
	for range 5 {
		deleted := w.find("octocat-token")
		w.remove(w.secretNamed("octocat-token"))
		w.eventually("the next Secret, or none yet", func() (bool, string) {
			now := w.find("octocat-token")
			return now == nil || deleted == nil || now.UID != deleted.UID, "the Secret that was deleted is still there"
		})
	}
	w.settle()
	w.restored(before)
	w.ready("octocat")
	w.leftovers("octocat-token")
	w.presented(1)
}

func TestPairSecretDeletedWhileTheOperatorIsDownIsPutBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	before := w.start("octocat")
	w.stop()
	w.remove(w.secretNamed("octocat-token"))
	w.startOperator(w.options)
	w.restored(before)
	w.ready("octocat")
	w.quiet()
	w.presented(1)
	w.leftovers("octocat-token")
}

func TestPairSecretDeletedInMidExchangeHoldsTheNewPair(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	before := w.start("octocat")
	held := w.gh.Inject(holdReply(refresh(before)))
	w.request("octocat", "1")
	w.arrived(held)
	w.remove(w.secretNamed("octocat-token"))
	held.Release()
	w.refreshed("octocat", 2)
	w.eventually("a Secret that is not being deleted", func() (bool, string) {
		secret := w.find("octocat-token")
		return secret != nil && secret.DeletionTimestamp == nil, "it is being deleted or is gone"
	})
	w.ready("octocat")
	w.quiet()
	w.presented(2)
	w.leftovers("octocat-token")
}

// Somebody takes the finalizer off and deletes the Secret at once, while the exchange is under way: the new
// pair finds no Secret, and one is made.
func TestPairSecretDestroyedInMidExchangeIsMadeAnew(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	before := w.start("octocat")
	held := w.gh.Inject(holdReply(refresh(before)))
	w.request("octocat", "1")
	w.arrived(held)
	w.remove(w.secretNamed("octocat-token"))
	w.patchSecret("octocat-token", `{"metadata":{"finalizers":null}}`)
	w.gone(w.secretNamed("octocat-token"))
	held.Release()
	w.refreshed("octocat", 2)
	w.ready("octocat")
	w.quiet()
	w.presented(2)
}

// The pair is really gone: somebody took the finalizer off while the operator was down. The resource says so.
func TestPairSecretPairThatWasDestroyedIsReported(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{spendsTwice: true})
	w.start("octocat")
	w.stop()
	w.remove(w.secretNamed("octocat-token"))
	w.patchSecret("octocat-token", `{"metadata":{"finalizers":null}}`)
	w.gone(w.secretNamed("octocat-token"))
	w.startOperator(w.options)
	w.refused("octocat", refusal{reason: v1alpha1.ReasonRefreshTokenRejected, says: "Authorize the App again", unauthorized: true})
	w.quiet()
	w.presented(2)
	w.seed("octocat", "octocat")
	w.ready("octocat")
}

func TestPairSecretMadeImmutableIsReplacedWithoutLoss(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	before := w.start("octocat")
	w.patchSecret("octocat-token", `{"immutable":true}`)
	w.settle()
	w.samePair(before, w.alive("octocat-token"))
	w.presented(1)
	w.request("octocat", "1")
	w.refreshed("octocat", 2)
	after := w.ready("octocat")
	if after.Immutable != nil && *after.Immutable {
		t.Error("the Secret is still immutable")
	}
	w.quiet()
	w.presented(2)
	w.leftovers("octocat-token")
}

func TestPairSecretMadeImmutableInMidExchangeIsReplacedWithoutLoss(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	before := w.start("octocat")
	held := w.gh.Inject(holdReply(refresh(before)))
	w.request("octocat", "1")
	w.arrived(held)
	w.patchSecret("octocat-token", `{"immutable":true}`)
	held.Release()
	w.refreshed("octocat", 2)
	w.ready("octocat")
	w.quiet()
	w.presented(2)
	w.leftovers("octocat-token")
}

// Nothing can be created in a namespace that is being deleted, so a Secret that cannot be changed cannot be replaced.
func TestPairSecretNamespaceGoesAlthoughAPairCannotBeStored(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	before := w.start("octocat")
	held := w.gh.Inject(holdReply(refresh(before)))
	w.request("octocat", "1")
	w.arrived(held)
	w.patchSecret("octocat-token", `{"immutable":true}`)
	w.remove(w.namespaceNamed(w.namespace))
	w.eventually("the namespace to be terminating", func() (bool, string) {
		namespace := w.namespaceNamed(w.namespace)
		w.must(admin.Get(w.ctx, client.ObjectKeyFromObject(namespace), namespace))
		return namespace.Status.Phase == corev1.NamespaceTerminating, string(namespace.Status.Phase)
	})
	held.Release()
	w.gone(w.resourceNamed("octocat"))
	w.gone(w.secretNamed("octocat-token"))
	w.presented(2)
}

// The cache may go on showing for long a backup that was removed when the pair was put back.
func TestPairSecretCacheThatLagsBehindAPutBackMakesNoLoop(t *testing.T) {
	t.Parallel()
	var late lateWatch
	w := newWorld(t, worldOptions{noOperator: true})
	w.options.config = func(config *rest.Config) {
		config.Wrap(func(next http.RoundTripper) http.RoundTripper {
			next = late.wrap(next)
			return roundTripper(func(request *http.Request) (*http.Response, error) {
				if request.Method == http.MethodDelete && strings.Contains(request.URL.Path, "/github-user-token-backup-") {
					backup := &metav1.PartialObjectMetadata{}
					backup.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Secret"))
					key := client.ObjectKey{Namespace: w.namespace, Name: path.Base(request.URL.Path)}
					for w.reconciler.Client.Get(w.ctx, key, backup) != nil && w.ctx.Err() == nil { // Until the cache has seen it.
						_ = trueClock.Sleep(w.ctx, 5*time.Millisecond)
					}
					late.set(time.Hour)
				}
				return next.RoundTrip(request)
			})
		})
	}
	w.startOperator(w.options)
	before := w.start("octocat")
	w.settle()
	w.remove(w.secretNamed("octocat-token"))
	w.eventually("the backup to go", func() (bool, string) {
		late.mu.Lock()
		defer late.mu.Unlock()
		return late.lag > 0, "it is there"
	})
	w.lags = true
	w.quiet()
	w.lags = false
	late.set(0)
	w.samePair(before, w.ready("octocat"))
	w.presented(1)
}

// unreadable is an API server that gives no Secret of a name out, with its data, while it is shut.
type unreadable struct {
	name    string
	shut    atomic.Bool
	refused atomic.Int64
}

func (u *unreadable) config(config *rest.Config) {
	config.Wrap(func(next http.RoundTripper) http.RoundTripper {
		return roundTripper(func(request *http.Request) (*http.Response, error) {
			metadataOnly := strings.Contains(request.Header.Get("Accept"), "PartialObjectMetadata")
			if u.shut.Load() && request.Method == http.MethodGet && !metadataOnly && strings.HasSuffix(request.URL.Path, "/secrets/"+u.name) {
				u.refused.Add(1)
				return nil, errors.New("connection refused")
			}
			return next.RoundTrip(request)
		})
	})
}

// That the data was edited shows in its first version only: later ones are the operator's own.
func TestPairSecretEditOfThePairThatCannotBeReadAtFirstIsTakenUpLater(t *testing.T) {
	t.Parallel()
	each(t, map[string]string{
		"the token alone":            "",
		"with labels to be healed":   `"metadata":{"labels":null},`,
		"with an annotation to heal": `"metadata":{"annotations":{"githubusertoken.dev/next-refresh-at":null}},`,
	}, func(t *testing.T, beside string) {
		gate := &unreadable{name: "octocat-token"}
		w := newWorld(t, worldOptions{config: gate.config})
		w.start("octocat")
		w.account("octocat")
		w.settle()
		gate.shut.Store(true)
		login := w.login("octocat")
		w.patchSecret("octocat-token", fmt.Sprintf(`{%s"stringData":{"refresh_token":%q}}`, beside, login))
		w.eventually("two reads that fail", func() (bool, string) { return gate.refused.Load() >= 2, suite.Describe(w.get("octocat")) })
		w.condition("octocat", v1alpha1.ConditionReconciling, metav1.ConditionTrue, v1alpha1.ReasonAPIServerUnavailable)
		w.condition("octocat", v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonTokenValid)
		w.presented(1)
		gate.shut.Store(false)
		w.eventually("the login to be exchanged", func() (bool, string) {
			return w.gh.ExchangesOf(login) == 1, suite.Describe(w.get("octocat"))
		})
		w.settle() // Until its pair is stored the status tells of the one before.
		secret := w.ready("octocat")
		if labels := w.pair("octocat-token").Labels; labels[v1alpha1.LabelRole] != v1alpha1.RolePair {
			t.Errorf("the labels are %v", labels)
		}
		w.samePair(secret, w.alive("octocat-token"))
		w.quiet()
		w.presented(2)
	})
}

// What somebody writes into an annotation of the resource must not make a new pair too large to be stored.
func TestPairSecretRequestMayBeOfAnyLength(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	w.start("octocat")
	for count, value := range []string{strings.Repeat("<", 50000), strings.Repeat("<", 50001)} {
		w.request("octocat", value)
		w.refreshed("octocat", int64(count)+2)
	}
	w.quiet()
	w.presented(3)
}

func TestPairSecretNothingIsExchangedWhenTheAnnotationsLeaveNoRoom(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	w.start("octocat")
	w.settle()
	note := strings.Repeat("x", 230<<10)
	w.patchSecret("octocat-token", fmt.Sprintf(`{"metadata":{"annotations":{"note":%q}}}`, note))
	w.settle()
	w.request("octocat", "1")
	w.condition("octocat", v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonMetadataRefused)
	w.condition("octocat", v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonTokenValid)
	w.quiet()
	w.presented(1)
	w.patchSecret("octocat-token", `{"metadata":{"annotations":{"note":null}}}`)
	w.refreshed("octocat", 2)
	w.presented(2)
}

func TestPairSecretMetadataThatSomebodyTookOffIsPutBack(t *testing.T) {
	t.Parallel()
	cases := map[string]string{
		"all labels":                  `{"metadata":{"labels":null}}`,
		"the role label":              `{"metadata":{"labels":{"githubusertoken.dev/role":null}}}`,
		"another role":                `{"metadata":{"labels":{"githubusertoken.dev/role":"output"}}}`,
		"a label of the spec":         `{"metadata":{"labels":{"team":"other"}}}`,
		"an annotation":               `{"metadata":{"annotations":{"purpose":null}}}`,
		"the finalizer":               `{"metadata":{"finalizers":null}}`,
		"the owner":                   `{"metadata":{"ownerReferences":null}}`,
		"the owner and the finalizer": `{"metadata":{"ownerReferences":null,"finalizers":null}}`,
		"the owner and the labels":    `{"metadata":{"ownerReferences":null,"labels":null}}`,
		"the state":                   `{"metadata":{"annotations":{"githubusertoken.dev/state":null}}}`,
		"a garbled state":             `{"metadata":{"annotations":{"githubusertoken.dev/state":"{"}}}`,
		"a state of another kind":     `{"metadata":{"annotations":{"githubusertoken.dev/state":"[]"}}}`,
		"a state with an odd time":    `{"metadata":{"annotations":{"githubusertoken.dev/state":"{\"expiresAt\":\"2030-01-01T00:00:00+24:00\"}"}}}`,
		"all annotations":             `{"metadata":{"annotations":null}}`,
		"the next refresh":            `{"metadata":{"annotations":{"githubusertoken.dev/next-refresh-at":"2001-01-01T00:00:00Z"}}}`,
	}
	run := func(t *testing.T, patch string, down, seedGone bool) {
		w := newWorld(t, worldOptions{})
		w.seed("octocat", "octocat")
		token := w.resource("octocat")
		token.Spec.Secret.Labels = map[string]string{"team": "a"}
		token.Spec.Secret.Annotations = map[string]string{"purpose": "ci"}
		w.create(token)
		w.ready("octocat")
		w.settle()
		before := w.alive("octocat-token")
		if seedGone {
			w.remove(w.secretNamed("octocat-seed"))
		}
		if down {
			w.stop()
		}
		w.patchSecret("octocat-token", patch)
		if down {
			w.startOperator(w.options)
		}
		w.eventually("the metadata to be put back", func() (bool, string) {
			now := w.pair("octocat-token")
			switch {
			case fmt.Sprint(now.Labels) != fmt.Sprint(before.Labels):
				return false, fmt.Sprint("labels ", now.Labels)
			case fmt.Sprint(now.Finalizers) != fmt.Sprint(before.Finalizers):
				return false, fmt.Sprint("finalizers ", now.Finalizers)
			case len(now.OwnerReferences) != 1 || now.OwnerReferences[0].UID != before.OwnerReferences[0].UID:
				return false, fmt.Sprint("owners ", now.OwnerReferences)
			case now.Annotations["purpose"] != "ci" || now.Annotations[v1alpha1.AnnotationExpiresAt] != before.Annotations[v1alpha1.AnnotationExpiresAt]:
				return false, fmt.Sprint("annotations ", now.Annotations)
			case now.Annotations[v1alpha1.AnnotationState] == "", now.Annotations[v1alpha1.AnnotationState] == "{", now.Annotations[v1alpha1.AnnotationState] == "[]",
				strings.Contains(now.Annotations[v1alpha1.AnnotationState], "+24:00"):
				return false, "the state is " + now.Annotations[v1alpha1.AnnotationState]
			}
			return true, ""
		})
		w.samePair(before, w.ready("octocat"))
		w.quiet()
		w.presented(1)
		// The chain goes on, and the seed of old is still known.
		w.request("octocat", "1")
		w.eventually("the next pair", func() (bool, string) {
			return len(w.gh.Exchanges()) == 2 && access(w.pair("octocat-token")) != access(before), suite.Describe(w.get("octocat"))
		})
		w.ready("octocat")
		w.quiet()
		w.presented(2)
		w.leftovers("octocat-token")
	}
	each(t, cases, func(t *testing.T, patch string) { run(t, patch, false, false) })
	t.Run("while the operator is down", func(t *testing.T) {
		t.Parallel()
		each(t, cases, func(t *testing.T, patch string) { run(t, patch, true, true) })
	})
	t.Run("without the seed", func(t *testing.T) {
		t.Parallel()
		each(t, map[string]string{"all labels": cases["all labels"], "the owner and the labels": cases["the owner and the labels"], "all annotations": cases["all annotations"]},
			func(t *testing.T, patch string) { run(t, patch, false, true) })
	})
}

func TestPairSecretAnotherLoginPastedIntoThePairSecretIsTakenUp(t *testing.T) {
	t.Parallel()
	for _, down := range []bool{false, true} {
		t.Run(fmt.Sprintf("operator down: %t", down), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, worldOptions{})
			before := w.start("octocat")
			w.settle()
			if down {
				w.stop()
			}
			pasted := w.login("octocat")
			secret := w.secretNamed("octocat-token")
			w.patchSecret(secret.Name, fmt.Sprintf(`{"stringData":{"refresh_token":%q}}`, pasted))
			if down {
				w.startOperator(w.options)
				w.request("octocat", "1") // What was there at the start is taken as it is until it is needed.
			}
			w.eventually("the pasted login to be exchanged", func() (bool, string) {
				return w.gh.ExchangesOf(pasted) == 1, suite.Describe(w.get("octocat"))
			})
			w.eventually("the pair of the pasted login", func() (bool, string) {
				now := w.pair("octocat-token")
				return refresh(now) != pasted && refresh(now) != refresh(before) && w.gh.Alive(access(now)), suite.Describe(w.get("octocat"))
			})
			w.ready("octocat")
			w.quiet()
			if exchanged := w.gh.ExchangesOf(refresh(before)); exchanged != 0 {
				t.Error("the former chain was exchanged")
			}
			w.presented(2)
		})
	}
}

// The end of its line was copied along with the one, and the other is none.
func TestPairSecretWhatIsPastedIntoThePairSecretIsLookedAtBeforeItIsSent(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	w.start("octocat")
	w.settle()
	login := w.login("octocat")
	w.patchSecret("octocat-token", fmt.Sprintf(`{"stringData":{"refresh_token":%q}}`, `"`+login+`"`))
	w.refused("octocat", refusal{
		reason: v1alpha1.ReasonRefreshTokenMalformed, says: "Authorize the App again", unauthorized: true, working: true,
	})
	w.request("octocat", "1")
	w.quiet()
	w.presented(1)
	w.patchSecret("octocat-token", fmt.Sprintf(`{"stringData":{"refresh_token":%q}}`, login+"\n"))
	w.eventually("the pasted login to be exchanged", func() (bool, string) {
		return w.gh.ExchangesOf(login) == 1, suite.Describe(w.get("octocat"))
	})
	w.ready("octocat")
	w.quiet()
	w.presented(2)
}

func TestPairSecretRefreshTokenTakenOutOfThePairSecretIsReported(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	w.start("octocat")
	w.settle()
	w.patchSecret("octocat-token", `{"data":{"refresh_token":null}}`)
	w.refused("octocat", refusal{
		reason: v1alpha1.ReasonRefreshTokenMissing, says: "Authorize the App again", unauthorized: true, working: true,
	})
	w.quiet()
	w.presented(1)
	w.seed("octocat", "octocat")
	w.ready("octocat")
	w.presented(2)
}

func TestPairSecretAccessTokenThatSomebodyOverwroteIsReplaced(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	w.start("octocat")
	w.settle()
	w.patchSecret("octocat-token", `{"stringData":{"access_token":"nonsense"}}`)
	w.eventually("a new pair", func() (bool, string) {
		now := w.pair("octocat-token")
		return w.gh.Alive(access(now)), suite.Describe(w.get("octocat"))
	})
	w.ready("octocat")
	w.quiet()
	w.presented(2)
}

// leftovers makes sure that of all Secrets of the operator's only this one is there.
func (w *world) leftovers(secretName string) {
	w.t.Helper()
	w.eventually("the operator to have the one Secret "+secretName, func() (bool, string) {
		var secrets corev1.SecretList
		w.must(admin.List(w.ctx, &secrets, inNamespace(w.namespace)))
		var names []string
		for _, secret := range secrets.Items {
			if secret.Labels[v1alpha1.LabelRole] != "" {
				names = append(names, secret.Name)
			}
		}
		return fmt.Sprint(names) == fmt.Sprint([]string{secretName}), fmt.Sprint(names)
	})
}

// spec.secret.name changes while an exchange is under way: it ends under the former name, and then the new
// pair moves.
func TestPairSecretRenameInMidExchangeMovesTheNewPair(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	before := w.start("octocat")
	held := w.gh.Inject(holdReply(refresh(before)))
	w.request("octocat", "1")
	w.arrived(held)
	w.change("octocat", func(token *v1alpha1.GitHubUserToken) { token.Spec.Secret.Name = "elsewhere" })
	held.Release()
	w.eventually("the new pair under the new name", func() (bool, string) {
		now := w.find("elsewhere")
		return now != nil && access(now) != access(before), suite.Describe(w.get("octocat"))
	})
	w.gone(w.secretNamed("octocat-token"))
	w.alive("elsewhere")
	w.leftovers("elsewhere")
	w.quiet()
	w.presented(2)
}

// GitHub is away for longer than the access token lives: Ready tells, nobody is told to authorize again, and
// it heals by itself.
func TestPairSecretGitHubAwayPastTheExpiryIsToldAndHeals(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{app: githubtest.App{AccessTokenLifetime: 6 * time.Second}})
	w.start("octocat")
	away := w.gh.Inject(githubtest.Unavailable().Always())
	ready := w.condition("octocat", v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonGitHubUnavailable)
	if !strings.Contains(ready.Message, "The access token expired at") || !strings.Contains(ready.Message, "The next try is at") {
		t.Errorf("the message does not say what happens next: %s", ready.Message)
	}
	w.refused("octocat", refusal{reason: v1alpha1.ReasonGitHubUnavailable, says: "GitHub failed while it handled the request", retried: true})
	if hits := away.Hits(); hits > 6 {
		t.Errorf("GitHub was asked %d times in some seconds", hits)
	}
	w.gh.UpdateApp(clientID, func(app *githubtest.App) { app.AccessTokenLifetime = time.Hour })
	away.Remove()
	w.ready("octocat")
}
