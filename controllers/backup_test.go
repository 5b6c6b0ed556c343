package controllers

import (
	"strings"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/github/githubtest"
)

// backup is a resource and its Secrets as they stood at one moment.
type backup struct {
	token   *v1alpha1.GitHubUserToken
	secrets []*corev1.Secret
}

// backUp takes a backup of a resource, its pair and its outputs.
func (w *world) backUp(name string) backup {
	w.t.Helper()
	w.settle()
	taken := backup{token: w.get(name)}
	names := []string{taken.token.PairSecretName()}
	for _, output := range taken.token.Spec.Outputs {
		names = append(names, output.Name)
	}
	for _, name := range names {
		taken.secrets = append(taken.secrets, w.pair(name))
	}
	return taken
}

// lose removes what was backed up.
func (w *world) lose(lost backup) {
	w.t.Helper()
	w.remove(w.resourceNamed(lost.token.Name))
	w.gone(w.resourceNamed(lost.token.Name))
	for _, secret := range lost.secrets {
		w.vanishes(secret.Name)
	}
}

// bringBack creates the Secrets and then the resource from a backup, as a new cluster or a restore does: all
// get new UIDs.
func (w *world) bringBack(from backup, change func(*corev1.Secret), between func()) *v1alpha1.GitHubUserToken {
	w.t.Helper()
	for _, secret := range from.secrets {
		fresh := secret.DeepCopy()
		fresh.UID, fresh.ResourceVersion, fresh.ManagedFields = "", "", nil
		if change != nil {
			change(fresh)
		}
		w.create(fresh)
	}
	if between != nil {
		between()
	}
	fresh := from.token.DeepCopy()
	fresh.UID, fresh.ResourceVersion, fresh.ManagedFields = "", "", nil
	w.create(fresh)
	return fresh
}

func withoutOwner(secret *corev1.Secret) { secret.OwnerReferences = nil }

func TestRestoredPairIsTakenUpWhenGitHubProvesThatItIsTheCurrentOne(t *testing.T) {
	t.Parallel()
	output := v1alpha1.Output{Name: "out", Format: v1alpha1.OutputFormatNetrc}
	each(t, map[string]struct {
		change func(*corev1.Secret)
		// collected says that Kubernetes deletes what names an owner that is gone.
		collected bool
		noSecret  bool
	}{
		"without owner references, as backup tools leave it": {change: withoutOwner},
		"with owner references to the former resource":       {collected: true},
		"without a client secret the token itself is tried":  {change: withoutOwner, noSecret: true},
	}, func(t *testing.T, c struct {
		change    func(*corev1.Secret)
		collected bool
		noSecret  bool
	},
	) {
		w := newWorld(t, worldOptions{})
		before := w.startWith("octocat", output)
		saved := w.backUp("octocat")
		w.lose(saved)
		if c.noSecret {
			saved.token.Spec.App.ClientSecretRef = nil
		}
		token := w.bringBack(saved, c.change, func() {
			if c.collected {
				w.eventually("the garbage collector", func() (bool, string) {
					return !w.pair("octocat-token").DeletionTimestamp.IsZero(), "it has not come by yet"
				})
			}
		})
		after := w.ready("octocat")
		w.samePair(before, after)
		w.settle()
		after = w.pair("octocat-token")
		if controller := metav1.GetControllerOf(after); controller == nil || controller.UID != token.UID || !after.DeletionTimestamp.IsZero() {
			t.Errorf("the pair does not belong to the new resource: %v", controller)
		}
		if controller := metav1.GetControllerOf(w.output("out", access(before))); controller == nil || controller.UID != token.UID {
			t.Errorf("the output does not belong to the new resource: %v", controller)
		}
		w.vanishes("github-user-token-backup-" + string(token.UID))
		w.quiet()
		w.presented(1) // The seed, before the backup.
		if c.noSecret {
			return
		}
		w.request("octocat", "again")
		w.refreshed("octocat", 2)
		w.output("out", access(w.ready("octocat")))
	})
}

func TestRestoredPairThatIsNotTheCurrentOneIsNotUsed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	w.startWith("octocat", v1alpha1.Output{Name: "out", Format: v1alpha1.OutputFormatNetrc})
	old := w.backUp("octocat")
	w.request("octocat", "since the backup") // in the cluster that the backup was made of
	w.refreshed("octocat", 2)
	current := w.ready("octocat")
	w.lose(old)
	w.bringBack(old, withoutOwner, nil)
	unproven := w.condition("octocat", v1alpha1.ConditionAuthorized, metav1.ConditionFalse, v1alpha1.ReasonPairUnproven)
	if !strings.Contains(unproven.Message, v1alpha1.AnnotationAdopt) || !strings.Contains(unproven.Message, "Authorize the App again") {
		t.Errorf("the message does not say what to do: %s", unproven.Message)
	}
	w.condition("octocat", v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonPairUnproven)
	w.condition("octocat", v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonPairUnproven)
	w.request("octocat", "please") // is not honoured either
	w.change("octocat", func(token *v1alpha1.GitHubUserToken) {
		metav1.SetMetaDataAnnotation(&token.ObjectMeta, v1alpha1.AnnotationAdopt, string(old.token.UID)) // somebody else's word
	})
	w.quiet()
	w.presented(2)
	if !w.gh.Alive(access(current)) {
		t.Error("the other cluster's pair was killed")
	}

	w.seed("octocat", "octocat") // A new login needs no proof.
	fresh := w.ready("octocat")
	w.output("out", access(fresh))
	w.quiet()
	w.request("octocat", "once more")
	w.refreshed("octocat", 2)
	w.ready("octocat")
}

func TestRestoredPairCanBeVouchedForByAPerson(t *testing.T) {
	t.Parallel()
	each(t, map[string]func(*v1alpha1.GitHubUserToken) string{
		"by the resource's UID": func(token *v1alpha1.GitHubUserToken) string { return string(token.UID) },
		"once and for all":      func(*v1alpha1.GitHubUserToken) string { return "true" },
	}, func(t *testing.T, word func(*v1alpha1.GitHubUserToken) string) {
		w := newWorld(t, worldOptions{})
		before := w.start("octocat")
		saved := w.backUp("octocat")
		w.lose(saved)
		w.gh.Expire(access(before)) // The backup is older than the access token lives.
		w.bringBack(saved, withoutOwner, nil)
		w.condition("octocat", v1alpha1.ConditionAuthorized, metav1.ConditionFalse, v1alpha1.ReasonPairUnproven)
		w.change("octocat", func(token *v1alpha1.GitHubUserToken) {
			metav1.SetMetaDataAnnotation(&token.ObjectMeta, v1alpha1.AnnotationAdopt, word(token))
		})
		w.condition("octocat", v1alpha1.ConditionAuthorized, metav1.ConditionTrue, v1alpha1.ReasonRefreshTokenValid)
		w.request("octocat", "now")
		w.refreshed("octocat", 2)
		w.ready("octocat")
		w.presented(2)
	})
}

func TestRestoredPairWaitsForGitHubsAnswer(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	before := w.start("octocat")
	saved := w.backUp("octocat")
	w.lose(saved)
	away := w.gh.Inject(githubtest.BadGateway().At(githubtest.CheckEndpoint).Always())
	w.bringBack(saved, withoutOwner, nil)
	w.condition("octocat", v1alpha1.ConditionReconciling, metav1.ConditionTrue, v1alpha1.ReasonGitHubUnavailable)
	w.presented(1)
	away.Remove()
	w.samePair(before, w.ready("octocat"))
	w.presented(1)
}

func TestRestoreSecretFromABackupIsReleasedWhenItsResourceDoesNotFollow(t *testing.T) {
	t.Parallel()
	clock, gate := &leapingClock{meter: &meter{}}, &secretGate{}
	w := newWorld(t, worldOptions{controller: func(options *Options) { options.Clock = clock }, config: gate.config})
	w.start("octocat")
	saved := w.backUp("octocat")
	w.lose(saved)
	fresh := saved.secrets[0].DeepCopy()
	fresh.UID, fresh.ResourceVersion = "", ""
	w.settle()
	then := w.meter.read()
	w.create(fresh)
	w.awaitOrphan("octocat", then)
	if secret := w.find("octocat-token"); secret == nil {
		t.Fatal("the Secret was not kept for its resource")
	}
	gate.shut.Store(true)
	clock.leap(comeBackTime)
	w.must(client.IgnoreNotFound(admin.Patch(w.ctx, w.secretNamed("octocat-token"),
		client.RawPatch("application/merge-patch+json", []byte(`{"metadata":{"annotations":{"touched":"x"}}}`)))))
	w.eventually("a release to be refused", func() (bool, string) { return gate.refused.Load() > 0, "none was" })
	gate.shut.Store(false)
	w.vanishes("octocat-token") // without another wait for the resource
}

func TestRestoreSecretOfAFormerResourceThatIsOfNoUseIsReleased(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	w.start("octocat")
	saved := w.backUp("octocat")
	w.lose(saved)
	other := saved.token
	other.Spec.RefreshTokenRef.Name = "fresh-seed"
	w.seed("fresh", "octocat")
	w.bringBack(saved, func(secret *corev1.Secret) {
		// Its state speaks of another App.
		secret.Annotations[v1alpha1.AnnotationState] = strings.ReplaceAll(secret.Annotations[v1alpha1.AnnotationState], clientID, "Iv23liOTHER")
	}, nil)
	secret := w.ready("octocat")
	if access(secret) == access(saved.secrets[0]) {
		t.Error("the pair of another App was taken up")
	}
	w.leftovers("octocat-token")
	w.quiet()
}

// Nobody but the operator takes its finalizer off a Secret that is being deleted, and who bears the name of the
// former resource now has no use for it.
func TestRestoreLeftoverOfAFormerResourceIsReleasedWhileTheNewOneLives(t *testing.T) {
	t.Parallel()
	each(t, map[string]struct {
		// leftover changes the Secret from one that holds a pair in a place of its own.
		leftover func(*corev1.Secret)
		down     bool
	}{
		"a backup":                         {leftover: func(*corev1.Secret) {}},
		"a backup, found at the start":     {leftover: func(*corev1.Secret) {}, down: true},
		"a pair under another name":        {leftover: func(s *corev1.Secret) { s.Name, s.Labels[v1alpha1.LabelRole] = "former-token", v1alpha1.RolePair }},
		"a pair under another name, later": {leftover: func(s *corev1.Secret) { s.Name, s.Labels[v1alpha1.LabelRole] = "former-token", v1alpha1.RolePair }, down: true},
	}, func(t *testing.T, c struct {
		leftover func(*corev1.Secret)
		down     bool
	},
	) {
		w := newWorld(t, worldOptions{})
		before := w.start("octocat")
		w.settle()
		const former = "6c1f0a52-0000-4000-8000-000000000007"
		leftover := before.DeepCopy()
		leftover.ObjectMeta = metav1.ObjectMeta{
			Namespace: w.namespace, Name: "github-user-token-backup-" + former, Finalizers: []string{v1alpha1.Finalizer},
			Labels: map[string]string{v1alpha1.LabelRole: v1alpha1.RoleBackup, v1alpha1.LabelOwner: before.Labels[v1alpha1.LabelOwner]},
			Annotations: map[string]string{
				v1alpha1.AnnotationState: strings.ReplaceAll(before.Annotations[v1alpha1.AnnotationState], string(w.get("octocat").UID), former),
			},
			OwnerReferences: before.OwnerReferences,
		}
		leftover.OwnerReferences[0].UID = former
		c.leftover(leftover)
		if c.down {
			w.stop()
		}
		w.create(leftover)
		w.remove(leftover) // As the garbage collector does, which finds no such owner.
		if c.down {
			w.startOperator(w.options)
		}
		w.vanishes(leftover.Name)
		w.samePair(before, w.ready("octocat"))
		w.quiet()
		w.presented(1)
	})
}

// leapingClock is a true clock that can leap ahead.
type leapingClock struct {
	*meter
	ahead atomic.Int64
}

// Monotonic implements rotation.Clock.
func (c *leapingClock) Monotonic() time.Duration {
	return c.meter.Monotonic() + time.Duration(c.ahead.Load())
}

func (c *leapingClock) leap(d time.Duration) { c.ahead.Add(int64(d)) }
