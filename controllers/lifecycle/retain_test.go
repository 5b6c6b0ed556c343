package lifecycle

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/scope"
	"github.com/githubusertoken/github-user-token-operator/controllers/words"
	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// deleted is the resource, being deleted.
func deleted(policy v1alpha1.DeletionPolicy) *v1alpha1.GitHubUserToken {
	return &v1alpha1.GitHubUserToken{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: owner.Namespace, Name: owner.Name, UID: uid, Generation: 1,
			DeletionTimestamp: new(metav1.NewTime(start)), Finalizers: []string{v1alpha1.Finalizer},
		},
		Spec: v1alpha1.GitHubUserTokenSpec{DeletionPolicy: policy, Secret: v1alpha1.SecretTemplate{Name: inPlace.Name}},
	}
}

// newRetained is a world in which a resource is deleted whose pair is to be retained.
func newRetained(t *testing.T) (*world, *v1alpha1.GitHubUserToken) {
	t.Helper()
	w := newWorld(t)
	w.secrets[inPlace] = pairAt("1", func(p *rotation.Pair) { p.State.OwnerName = owner.Name })
	w.resource = deleted(v1alpha1.DeletionPolicyRetain)
	return w, w.resource
}

// finalizeOnce finalizes a resource, and wants nothing to be wrong.
func (w *world) finalizeOnce(t *testing.T, token *v1alpha1.GitHubUserToken) (again time.Duration) {
	t.Helper()
	again, err := w.finalizer.finalize(t.Context(), token)
	if err != nil {
		t.Fatal(err)
	}
	return again
}

// isLeftBehind fails the test unless the pair was let go of, as it was, and the resource too.
func (w *world) isLeftBehind(t *testing.T) {
	t.Helper()
	left := w.secrets[inPlace]
	if left == nil || !left.Orphan || left.Controlled || !left.IsRetained() || left.State.AccessToken != "access" || left.StateLost {
		t.Errorf("what is left is %+v", left)
	}
	if !w.unprotected[inPlace] || !w.released {
		t.Errorf("its finalizer is off: %t, and the resource's: %t", w.unprotected[inPlace], w.released)
	}
}

// What admission makes of a write by which a pair is let go of.
var letGoAlterations = map[string]func(*rotation.Pair){
	"puts the owner back":       func(p *rotation.Pair) { p.Owner, p.Controlled, p.Orphan = owner, true, false },
	"gives it another owner":    func(p *rotation.Pair) { p.Orphan = false },
	"takes the state away":      func(p *rotation.Pair) { p.State, p.StateLost = rotation.State{}, true },
	"takes the mark away":       func(p *rotation.Pair) { p.State.Retained, p.State.RetainedAs = false, "" },
	"takes an intent away":      func(p *rotation.Pair) { p.Intent = nil },
	"binds it to somebody":      func(p *rotation.Pair) { p.State.Owner = "uid-9" },
	"says it is another Secret": func(p *rotation.Pair) { p.State.RetainedAs = "secret-9" },
}

func TestAResourceIsHeldUntilItsPairIsLetGoOf(t *testing.T) {
	for name, alter := range letGoAlterations {
		for when, step := range map[writing]string{trying: "the dry run", updating: "the write, but not the dry run", releasing: "the release of the finalizer"} {
			t.Run(name+" in "+step, func(t *testing.T) {
				w, token := newRetained(t)
				w.secrets[inPlace].Intent = &rotation.Intent{ID: "1", Spends: "refresh"}
				w.alters = func(p *rotation.Pair, at writing) {
					if at == when {
						alter(p)
					}
				}
				wait := w.finalizeOnce(t, token)
				if w.released || wait <= 0 {
					t.Fatalf("the resource was released: %t, or is looked at again after %s", w.released, wait)
				}
				if now := w.secrets[inPlace]; when == trying && (now.Version != "1" || !now.Controlled || now.State.Retained) {
					t.Errorf("something was written after the dry run had shown what comes of it: %+v", now)
				}
				if (when == releasing) != w.unprotected[inPlace] {
					t.Errorf("the finalizer of the Secret is off: %t", w.unprotected[inPlace])
				}
				p := w.reported[len(w.reported)-1]
				for _, want := range []string{"The resource is being deleted", "admission webhook or policy", inPlace.Name, v1alpha1.LabelRole} {
					if p == nil || p.Reason != v1alpha1.ReasonAlteredByAdmission || !strings.Contains(p.Message, want) {
						t.Errorf("it is not said: %+v", p)
					}
				}
				// Until the next try nothing is written, and nothing said anew.
				version, said := w.secrets[inPlace].Version, len(w.reported)
				if again := w.finalizeOnce(t, token); again != wait || w.secrets[inPlace].Version != version || len(w.reported) != said {
					t.Errorf("again after %s; the Secret was written, or something was said: %d", again, len(w.reported)-said)
				}
				// It is tried again for as long as the webhook is there, and then it succeeds.
				for range 3 {
					w.clock.pass(time.Hour)
					if w.finalizeOnce(t, token); w.released {
						break // The webhook does harm to nothing that is still to be written.
					}
				}
				if w.released != (when == releasing) {
					t.Errorf("the resource was released: %t", w.released)
				}
				w.alters = nil
				w.clock.pass(time.Hour)
				w.finalizeOnce(t, token)
				w.isLeftBehind(t)
				if left := w.secrets[inPlace]; left.Intent == nil || left.State.Owner != owner.UID {
					t.Errorf("what is left is %+v", left)
				}
			})
		}
	}
}

// Admission has altered the write, and its answer, which would have shown that, was lost.
func TestAPairThatWasAlteredInAWriteWithoutAnAnswerIsPutRight(t *testing.T) {
	alterations := maps.Clone(letGoAlterations)
	alterations["takes the logins away"] = func(p *rotation.Pair) { p.State.Seeds = nil }
	for name, alter := range alterations {
		for when, step := range map[writing]string{updating: "the write", releasing: "the release of the finalizer"} {
			t.Run(name+" in "+step, func(t *testing.T) {
				w, token := newRetained(t)
				w.secrets[inPlace].Intent = &rotation.Intent{ID: "1", Spends: "refresh"}
				w.secrets[inPlace].State.Seeds = []rotation.SeedRecord{{Fingerprint: "login"}}
				w.alters = func(p *rotation.Pair, at writing) {
					if at == when {
						alter(p)
					}
				}
				w.diesAfter = when
				if _, err := w.finalizer.finalize(t.Context(), token); !errors.Is(err, errNoAnswer) || w.released {
					t.Fatalf("%v; released: %t", err, w.released)
				}
				w.alters = nil
				w.finalizeOnce(t, token)
				w.isLeftBehind(t)
				if left := w.secrets[inPlace]; left.Intent == nil || left.State.Owner != owner.UID || len(left.State.Seeds) != 1 {
					t.Errorf("what is left is %+v", left)
				}
			})
		}
	}
}

// What the write has made of a Secret, in spite of a dry run that was good, is put right by whoever has written it.
func TestAPairThatWasLetGoOfWithoutItsStateGetsItBack(t *testing.T) {
	for name, tryFails := range map[string]error{"the webhook came after the dry run": nil, "a dry run is refused": rotation.ErrDenied} {
		t.Run(name, func(t *testing.T) {
			w, token := newRetained(t)
			w.tryFails = tryFails
			w.alters = func(p *rotation.Pair, at writing) {
				if at == updating {
					p.State, p.StateLost = rotation.State{}, true
				}
			}
			wait := w.finalizeOnce(t, token)
			if w.released || w.unprotected[inPlace] || len(w.reported) != 1 {
				t.Fatalf("the resource was released: %t, the Secret: %t, with %d reports", w.released, w.unprotected[inPlace], len(w.reported))
			}
			w.alters = nil
			w.clock.pass(wait)
			w.finalizeOnce(t, token)
			w.isLeftBehind(t)
		})
	}
}

func TestAPairIsLetGoOfAlthoughAWriteWasNotAnswered(t *testing.T) {
	for when, step := range map[writing]string{updating: "the pair was let go of", releasing: "the finalizer was taken off"} {
		for _, dies := range []bool{false, true} {
			t.Run(step, func(t *testing.T) {
				w, token := newRetained(t)
				w.diesAfter = when
				if again, err := w.finalizer.finalize(t.Context(), token); !errors.Is(err, errNoAnswer) || w.released {
					t.Fatalf("again after %s, %v; released: %t", again, err, w.released)
				}
				next := w
				if dies { // Another process goes on, which remembers nothing.
					next = newWorld(t)
					next.secrets, next.unprotected, next.resource = w.secrets, w.unprotected, w.resource
				}
				next.finalizeOnce(t, token)
				next.isLeftBehind(t)
			})
		}
	}
	t.Run("nothing is written when the dry run is not answered", func(t *testing.T) {
		w, token := newRetained(t)
		w.tryFails = errNoAnswer
		if _, err := w.finalizer.finalize(t.Context(), token); !errors.Is(err, errNoAnswer) || w.released || w.secrets[inPlace].Version != "1" {
			t.Errorf("%v; released: %t", err, w.released)
		}
	})
	t.Run("a pair of a former name that was let go of is found", func(t *testing.T) {
		w, token := newRetained(t)
		token.Spec.Secret.Name = "renamed"
		w.diesAfter = updating
		if _, err := w.finalizer.finalize(t.Context(), token); !errors.Is(err, errNoAnswer) {
			t.Fatal(err)
		}
		next := newWorld(t)
		next.secrets, next.unprotected, next.resource = w.secrets, w.unprotected, w.resource
		next.finalizeOnce(t, token)
		next.isLeftBehind(t)
	})
}

// Somebody takes the finalizer off the resource by force, between the two writes, and the next one of its name has the pair.
func TestAPairThatWasAdoptedMeanwhileIsNotTouched(t *testing.T) {
	w, token := newRetained(t)
	w.diesAfter = updating
	if _, err := w.finalizer.finalize(t.Context(), token); !errors.Is(err, errNoAnswer) {
		t.Fatal(err)
	}
	adopted := pairAt("9", func(p *rotation.Pair) { p.Owner.UID, p.State.Owner, p.State.OwnerName = "uid-2", "uid-2", owner.Name })
	w.secrets[inPlace] = adopted
	w.finalizeOnce(t, token)
	if w.secrets[inPlace] != adopted || w.unprotected[inPlace] || !w.released {
		t.Errorf("the Secret is %+v, unprotected: %t", w.secrets[inPlace], w.unprotected[inPlace])
	}
}

// A process that was stopped comes back when another has released the resource. Meanwhile a backup tool has brought a copy of the
// Secret back: that was not retained, and must not pass for it.
func TestACopyIsNotLetGoOfForAResourceThatIsGone(t *testing.T) {
	w, token := newRetained(t)
	copied := w.secrets[inPlace]
	w.resource = nil
	w.finalizeOnce(t, token)
	if now := w.secrets[inPlace]; now != copied || now.State.Retained || !now.Controlled {
		t.Errorf("the copy is %+v", now)
	}
}

// A process whose write did not arrive finds that another one has let go of the pair, with something that it has not seen.
func TestWhatAnotherProcessHasLetGoOfStays(t *testing.T) {
	w, token := newRetained(t)
	newer := w.secrets[inPlace].Clone()
	w.diesAfter = updating
	if _, err := w.finalizer.finalize(t.Context(), token); !errors.Is(err, errNoAnswer) {
		t.Fatal(err)
	}
	newer.State.RefreshRequestedAt = "of late"
	newer = newer.AsRetained()
	newer.Version = "9"
	w.secrets[inPlace] = newer
	w.finalizeOnce(t, token)
	if now := w.secrets[inPlace]; now.State.RefreshRequestedAt != "of late" || now.State.Revision != newer.State.Revision || !w.released {
		t.Errorf("the state of another process was overwritten: %+v", now.State)
	}
}

// A process was stopped until another one had let its resource go. Somebody has brought a copy of the Secret back since.
func TestACopyFromABackupIsNotRetainedForAResourceThatIsGone(t *testing.T) {
	for name, now := range map[string]*v1alpha1.GitHubUserToken{"nobody": nil, "the next one": {ObjectMeta: metav1.ObjectMeta{UID: "uid-2"}}} {
		t.Run(name, func(t *testing.T) {
			w, token := newRetained(t)
			w.resource = now
			copied := w.secrets[inPlace]
			w.finalizeOnce(t, token)
			if w.secrets[inPlace] != copied || w.unprotected[inPlace] {
				t.Errorf("it was let go of: %+v", w.secrets[inPlace])
			}
		})
	}
}

// A process could not let go of a pair, and was stopped. Another one has, of what was stored since.
func TestAPairThatAnotherProcessHasLetGoOfIsLeftAsItIs(t *testing.T) {
	for _, refused := range []error{rotation.ErrDenied, rotation.ErrConflict} {
		w, token := newRetained(t)
		w.updateFails = refused
		wait, err := w.finalizer.finalize(t.Context(), token)
		if errors.Is(err, rotation.ErrConflict) != errors.Is(refused, rotation.ErrConflict) || w.released {
			t.Fatalf("again after %s, %v; released: %t", wait, err, w.released)
		}
		w.updateFails = nil
		w.secrets[inPlace] = pairAt("7", func(p *rotation.Pair) {
			p.State.OwnerName, p.State.Seeds = owner.Name, []rotation.SeedRecord{{Fingerprint: "since"}}
		}).AsRetained()
		w.clock.pass(wait)
		w.finalizeOnce(t, token)
		w.isLeftBehind(t)
		if len(w.secrets[inPlace].State.Seeds) != 1 {
			t.Errorf("after %v an older state was put over it: %+v", refused, w.secrets[inPlace].State)
		}
	}
}

// What admission has altered before is no reason to keep a resource: what waits is the step that was altered itself.
func TestAnEarlierAlterationDelaysNoDeletion(t *testing.T) {
	for _, policy := range []v1alpha1.DeletionPolicy{v1alpha1.DeletionPolicyDelete, v1alpha1.DeletionPolicyRetain} {
		t.Run(string(policy), func(t *testing.T) {
			w, token := newRetained(t)
			token.Spec.DeletionPolicy = policy
			w.finalizer.notes.fail(token, *words.AlteredByAdmission("Nothing was exchanged", rotation.ErrAltered), tryAgain)
			if again := w.finalizeOnce(t, token); again != 0 || !w.released {
				t.Errorf("again after %s, released: %t", again, w.released)
			}
		})
	}
}

// Whoever has mended the webhook need not wait.
func TestAHeldResourceIsReleasedAtOnceWhenSomebodyAsks(t *testing.T) {
	w, token := newRetained(t)
	w.alters = func(p *rotation.Pair, _ writing) { p.Orphan = false }
	if wait := w.finalizeOnce(t, token); wait <= 0 {
		t.Fatal("it is not held")
	}
	w.alters = nil
	token.Annotations = map[string]string{v1alpha1.AnnotationRefreshRequestedAt: "now"}
	w.finalizeOnce(t, token)
	w.isLeftBehind(t)
}

// A webhook may put back the finalizer of the resource itself.
func TestAResourceWhoseFinalizerIsPutBackSaysSo(t *testing.T) {
	w, token := newRetained(t)
	w.releaseFails = ErrFinalizerAltered
	if wait := w.finalizeOnce(t, token); wait <= 0 || len(w.reported) != 1 || !strings.Contains(w.reported[0].Message, "the finalizers of GitHubUserTokens") {
		t.Errorf("again after %s; said %+v", wait, w.reported)
	}
}

// A Secret that was let go of bears our finalizer when its resource was released by force in between. It must not be held
// by it when somebody deletes it.
func TestADeletedSecretThatWasLetGoOfIsReleased(t *testing.T) {
	left := func() *rotation.Pair {
		return pairAt("1", func(p *rotation.Pair) { p.State.OwnerName, p.Deleting = owner.Name, true }).AsRetained()
	}
	t.Run("when there is no resource", func(t *testing.T) {
		w := newWorld(t)
		w.hold(left())
		w.goneOnce(t, 0)
		if !slices.Contains(w.removed, inPlace) {
			t.Error("it is held")
		}
	})
	t.Run("when the next one of its name has another Secret", func(t *testing.T) {
		w := newWorld(t)
		w.hold(left())
		s := &scope.Scope{Token: deleted(""), Owner: rotation.Owner{Namespace: owner.Namespace, Name: owner.Name, UID: string(uid)}, Ref: rotation.Ref{Namespace: owner.Namespace, Name: "another"}}
		w.resource = s.Token
		if err := w.releaser.Release(t.Context(), s); err != nil || !slices.Contains(w.removed, inPlace) {
			t.Errorf("it is held: %v", err)
		}
	})
	t.Run("when the next one of its name has no use for it", func(t *testing.T) {
		w := newWorld(t)
		s := &scope.Scope{Token: deleted(""), Owner: owner, Ref: inPlace, Pair: left()}
		w.resource = s.Token
		w.secrets[inPlace] = s.Pair
		if err := w.releaser.ReleaseFormer(t.Context(), s); err != nil || !slices.Contains(w.removed, inPlace) {
			t.Errorf("it is held: %v", err)
		}
	})
}

// While a pair is being put back another manager, whose cache lags behind, begins a login under the same name. The backup is
// not let go with the Secret that is there now: the two become one first.
func TestABackupIsKeptWhenALoginHasTakenThePlaceOfThePair(t *testing.T) {
	w, token := newRetained(t)
	pair := w.secrets[inPlace]
	pair.RefreshToken = credential.NewRefreshToken("ghr_stored")
	pair.State.RefreshToken, pair.Ref, pair.UID = pair.RefreshToken.Fingerprint(), owner.BackupRef(), "backup"
	w.secrets = map[rotation.Ref]*rotation.Pair{pair.Ref: pair}
	w.beforeCreate = func() {
		w.secrets[inPlace] = &rotation.Pair{
			Ref: inPlace, Owner: owner, UID: "fence", Version: "1", Controlled: true, State: rotation.State{Owner: owner.UID, OwnerName: owner.Name},
			Intent: &rotation.Intent{ID: "1", Holder: rotation.Holder{Process: "another"}, Spends: "login"},
		}
	}
	if _, err := w.finalizer.finalize(t.Context(), token); !errors.Is(err, rotation.ErrExists) || w.released || len(w.removed) != 0 {
		t.Fatalf("%v; released: %t, removed %v", err, w.released, w.removed)
	}
	w.beforeCreate = nil
	w.finalizeOnce(t, token)
	if left := w.secrets[inPlace]; left == nil || !left.IsRetained() || left.RefreshToken != pair.RefreshToken || !slices.Equal(w.removed, []rotation.Ref{owner.BackupRef()}) || !w.released {
		t.Errorf("left is %+v, removed %v", w.secrets[inPlace], w.removed)
	}
}
