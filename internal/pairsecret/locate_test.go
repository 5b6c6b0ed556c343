package pairsecret

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/fair"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// crowded is an API server with many Secrets that are labelled as one resource's pair. Every hundredth is one.
type crowded struct {
	client.Reader
	secrets, lists int
}

func (c *crowded) List(_ context.Context, list client.ObjectList, options ...client.ListOption) error {
	c.lists++
	asked := (&client.ListOptions{}).ApplyOptions(options)
	if asked.Limit <= 0 || asked.Limit > 5 {
		return fmt.Errorf("%d at once", asked.Limit)
	}
	from, _ := strconv.Atoi(asked.Continue)
	found := list.(*metav1.PartialObjectMetadataList)
	for i := from; i < min(c.secrets, from+int(asked.Limit)); i++ {
		meta := metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Namespace: "team-a", Name: strconv.Itoa(i)}}
		if i%100 == 0 {
			meta.OwnerReferences = []metav1.OwnerReference{ownerReference(rotation.Owner{Name: "octocat", UID: "u"})}
		}
		found.Items = append(found.Items, meta)
	}
	if next := from + len(found.Items); next < c.secrets {
		found.Continue = strconv.Itoa(next)
	}
	return nil
}

// slow is an API server with one page for each resource, and every page takes its time. It counts those that are read at once.
type slow struct {
	client.Reader

	mu       sync.Mutex
	at, most int
}

func (s *slow) List(context.Context, client.ObjectList, ...client.ListOption) error {
	s.mu.Lock()
	s.at++
	s.most = max(s.most, s.at)
	s.mu.Unlock()
	time.Sleep(100 * time.Millisecond)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.at--
	return nil
}

// Many exchanges and reconciles look for Secrets at once, and each page may be large.
func TestLocateReadsAFewPagesAtOnceInTheWholeProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := &slow{}
		store := &Store{Live: api, Lists: fair.NewSemaphore(ListsAtOnce)}
		for range 100 {
			go func() {
				_, _ = store.Locate(t.Context(), rotation.Owner{Namespace: "hostile", Name: "octocat", UID: "u"})
			}()
		}
		synctest.Wait()
		began := time.Now()
		if _, err := store.Locate(t.Context(), rotation.Owner{Namespace: "victim", Name: "octocat", UID: "u"}); err != nil {
			t.Error(err)
		}
		if took := time.Since(began); took > 200*time.Millisecond {
			t.Errorf("another namespace waited %s for its page", took)
		}
		time.Sleep(10 * time.Second)
		api.mu.Lock()
		defer api.mu.Unlock()
		if api.most > ListsAtOnce || api.at != 0 {
			t.Errorf("%d pages were read at once", api.most)
		}
	})
}

func TestLocateTakesInAFewSecretsAtATime(t *testing.T) {
	api := &crowded{secrets: 1000}
	refs, err := (&Store{Live: api}).Locate(t.Context(), rotation.Owner{Namespace: "team-a", Name: "octocat", UID: "u"})
	if err != nil || len(refs) != 10 || refs[9] != (rotation.Ref{Namespace: "team-a", Name: "900"}) || api.lists != 200 {
		t.Errorf("found %v in %d lists, %v", refs, api.lists, err)
	}
}

// selected is an API server that keeps what it was asked for.
type selected struct {
	client.Reader
	by labels.Selector
}

func (s *selected) List(_ context.Context, _ client.ObjectList, options ...client.ListOption) error {
	s.by = (&client.ListOptions{}).ApplyOptions(options).LabelSelector
	return nil
}

// A pair that is looked for under the name of its resource alone may stand in a backup: its Secret is just being replaced.
func TestLocateFindsBackupsOfEveryResourceOfAName(t *testing.T) {
	for uid, backups := range map[string]bool{"u": false, "": true} {
		api := &selected{}
		if _, err := (&Store{Live: api}).Locate(t.Context(), rotation.Owner{Namespace: "team-a", Name: "octocat", UID: uid}); err != nil {
			t.Fatal(err)
		}
		for role, found := range map[string]bool{v1alpha1.RolePair: true, v1alpha1.RoleBackup: backups, v1alpha1.RoleLogin: false, v1alpha1.RoleOutput: false} {
			for name, isIts := range map[string]bool{"octocat": true, "hubot": false} {
				set := labels.Set{v1alpha1.LabelRole: role, v1alpha1.LabelOwner: v1alpha1.OwnerLabel(name)}
				if matches := api.by.Matches(set); matches != (found && isIts) {
					t.Errorf("with the UID %q the %s of %s is found: %t", uid, role, name, matches)
				}
			}
		}
	}
}
