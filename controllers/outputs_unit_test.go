package controllers

import (
	"encoding/base64"
	"errors"
	"reflect"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
)

func TestManagedFieldsTellWhetherTheDataOfAnOutputIsAsWritten(t *testing.T) {
	t.Parallel()
	entry := func(manager string, operation metav1.ManagedFieldsOperationType, fields string) metav1.ManagedFieldsEntry {
		return metav1.ManagedFieldsEntry{Manager: manager, Operation: operation, FieldsV1: metav1.NewFieldsV1(fields)}
	}
	const update, apply = metav1.ManagedFieldsOperationUpdate, metav1.ManagedFieldsOperationApply
	ours := entry(outputManager, update, `{"f:data":{".":{},"f:password":{},"f:username":{}},"f:metadata":{"f:labels":{".":{}}},"f:type":{}}`)
	cases := map[string]struct {
		entries []metav1.ManagedFieldsEntry
		want    bool
	}{
		"all keys are ours":                    {[]metav1.ManagedFieldsEntry{ours}, true},
		"others have written metadata only":    {[]metav1.ManagedFieldsEntry{entry("kubectl-label", update, `{"f:metadata":{"f:labels":{"f:x":{}}}}`), ours}, true},
		"somebody else owns a key":             {[]metav1.ManagedFieldsEntry{entry("kubectl-edit", update, `{"f:data":{"f:password":{}}}`), entry(outputManager, update, `{"f:data":{"f:username":{}}}`)}, false},
		"somebody has added a key":             {[]metav1.ManagedFieldsEntry{ours, entry("kubectl-edit", update, `{"f:data":{"f:added":{}}}`)}, false},
		"a key is gone":                        {[]metav1.ManagedFieldsEntry{entry(outputManager, update, `{"f:data":{".":{},"f:password":{}}}`)}, false},
		"somebody applies stringData":          {[]metav1.ManagedFieldsEntry{ours, entry("gitops", apply, `{"f:stringData":{"f:password":{}}}`)}, false},
		"our name, but another way of writing": {[]metav1.ManagedFieldsEntry{entry(outputManager, apply, `{"f:data":{"f:password":{},"f:username":{}}}`)}, false},
		"an entry that cannot be read":         {[]metav1.ManagedFieldsEntry{ours, entry("x", update, `no JSON`)}, false},
		"somebody has emptied the account":     {nil, false},
	}
	each(t, cases, func(t *testing.T, c struct {
		entries []metav1.ManagedFieldsEntry
		want    bool
	},
	) {
		object := &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{
			Labels: map[string]string{v1alpha1.LabelRole: v1alpha1.RoleOutput}, ManagedFields: c.entries,
		}}
		once, err := trimManagedFields(object.DeepCopy())
		if err != nil {
			t.Fatal(err)
		}
		twice, err := trimManagedFields(once.(*metav1.PartialObjectMetadata).DeepCopy())
		if err != nil || !reflect.DeepEqual(once, twice) {
			t.Errorf("to trim twice is not the same as to trim once (%v)", err)
		}
		if got := dataIsAsWritten(&once.(*metav1.PartialObjectMetadata).ObjectMeta, []string{"password", "username"}); got != c.want {
			t.Errorf("the data is said to be as written: %t, want %t", got, c.want)
		}
	})
}

func TestManagedFieldsOfOtherSecretsAreDropped(t *testing.T) {
	t.Parallel()
	pair := &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{
		Labels:        map[string]string{v1alpha1.LabelRole: v1alpha1.RolePair},
		ManagedFields: []metav1.ManagedFieldsEntry{{Manager: "x", FieldsV1: metav1.NewFieldsV1(`{"f:data":{}}`)}},
	}}
	trimmed, err := trimManagedFields(pair)
	if err != nil || len(trimmed.(*metav1.PartialObjectMetadata).ManagedFields) != 0 {
		t.Errorf("the pair keeps its managedFields (%v)", err)
	}
}

func TestWhatTheAPIServerQuotesIsScrubbed(t *testing.T) {
	t.Parallel()
	const token = "ghu_abcdefghijklmnopqrstuvwxyz0123456789"
	data := map[string][]byte{".netrc": []byte("machine github.com\nlogin x\npassword " + token + "\n")}
	encoded := base64.StdEncoding.EncodeToString(data[".netrc"])
	each(t, map[string]string{
		"raw":               "policy says no to " + string(data[".netrc"]),
		"the token alone":   `policy says no to "` + token + `"`,
		"in base64":         "policy says no to " + encoded,
		"a part of base64":  "policy says no to " + encoded[len(encoded)/2-20:] + "...",
		"with a user in it": "policy says no to " + base64.StdEncoding.EncodeToString([]byte("x-access-token:"+token)),
	}, func(t *testing.T, text string) {
		err := scrubbed(apierrors.NewForbidden(schema.GroupResource{Resource: "secrets"}, "out", errors.New(text)), data)
		for _, part := range []string{token, token[4:24], encoded[len(encoded)-24:]} {
			if strings.Contains(err.Error(), part) {
				t.Error("a token, or a part of one, is left")
			}
		}
		if !strings.Contains(err.Error(), "policy says no") {
			t.Errorf("the words are gone as well: %v", err)
		}
		var kept *scrubbedError
		if !errors.As(err, &kept) || !kept.refused() {
			t.Error("it is not known any more that the API server has refused")
		}
	})
}

func TestOnlyOutputsOfTheResourceMayBeWritten(t *testing.T) {
	t.Parallel()
	token := &v1alpha1.GitHubUserToken{ObjectMeta: metav1.ObjectMeta{Name: "octocat", UID: "now"}}
	controlledBy := func(kind, name string) []metav1.OwnerReference {
		return []metav1.OwnerReference{{APIVersion: v1alpha1.GroupVersion.String(), Kind: kind, Name: name, UID: "then", Controller: new(true)}}
	}
	marks := func(change func(*metav1.ObjectMeta)) metav1.ObjectMeta {
		meta := metav1.ObjectMeta{
			Labels:      map[string]string{v1alpha1.LabelRole: v1alpha1.RoleOutput, v1alpha1.LabelOwner: "octocat"},
			Annotations: map[string]string{v1alpha1.AnnotationSource: "x"},
		}
		change(&meta)
		return meta
	}
	cases := map[string]struct {
		meta metav1.ObjectMeta
		want bool
	}{
		"a Secret without any mark":              {metav1.ObjectMeta{}, false},
		"one of a resource of this name":         {metav1.ObjectMeta{OwnerReferences: controlledBy("GitHubUserToken", "octocat")}, true},
		"one of another resource":                {marks(func(m *metav1.ObjectMeta) { m.OwnerReferences = controlledBy("GitHubUserToken", "hubot") }), false},
		"one of another controller":              {marks(func(m *metav1.ObjectMeta) { m.OwnerReferences = controlledBy("SealedSecret", "octocat") }), false},
		"restored without an owner":              {marks(func(*metav1.ObjectMeta) {}), true},
		"restored, of another resource":          {marks(func(m *metav1.ObjectMeta) { m.Labels[v1alpha1.LabelOwner] = "hubot" }), false},
		"a label alone":                          {marks(func(m *metav1.ObjectMeta) { m.Annotations = nil }), false},
		"the resource's pair":                    {marks(func(m *metav1.ObjectMeta) { m.Labels[v1alpha1.LabelRole] = v1alpha1.RolePair }), false},
		"the pair with the label of an output":   {marks(func(m *metav1.ObjectMeta) { m.Annotations[v1alpha1.AnnotationState] = "{}" }), false},
		"the pair with all its metadata changed": {marks(func(m *metav1.ObjectMeta) { m.Finalizers = []string{v1alpha1.Finalizer} }), false},
	}
	each(t, cases, func(t *testing.T, c struct {
		meta metav1.ObjectMeta
		want bool
	},
	) {
		if got := isOutputOf(token, &c.meta); got != c.want {
			t.Errorf("it may be written: %t, want %t", got, c.want)
		}
	})
	if isImmutable(apierrors.NewConflict(corev1.Resource("secrets"), "x", errors.New("immutable"))) {
		t.Error("a conflict is taken for an immutable Secret")
	}
}

// A Secret that goes while a write that found it in its way is under way must not be missed.
func TestABlockedOutputIsTriedAgainWhenItsSecretChangesMeanwhile(t *testing.T) {
	t.Parallel()
	for name, changes := range map[string]bool{"changed meanwhile": true, "unchanged": false} {
		outputs := newOutputMemories(&meter{})
		end := outputs.begin("uid")
		if changes {
			outputs.reconsider("uid")
		}
		outputs.failed("uid", "taken", 1, &outputTrouble{reason: v1alpha1.ReasonOutputNotOwned, stalled: true})
		end()
		if waits := outputs.waits("uid", "taken", 1); waits == changes {
			t.Errorf("%s: it waits: %t", name, waits)
		}
		if len(outputs.rounds) != 0 {
			t.Errorf("%s: a round is remembered after its end", name)
		}
	}
}
