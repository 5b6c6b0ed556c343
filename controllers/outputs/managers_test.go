package outputs

import (
	"reflect"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/cache"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
)

func TestOutputManagedFieldsTellWhetherTheDataIsAsWritten(t *testing.T) {
	entry := func(manager string, operation metav1.ManagedFieldsOperationType, fields string) metav1.ManagedFieldsEntry {
		return metav1.ManagedFieldsEntry{Manager: manager, Operation: operation, FieldsV1: metav1.NewFieldsV1(fields)}
	}
	const update, apply = metav1.ManagedFieldsOperationUpdate, metav1.ManagedFieldsOperationApply
	ours := entry(fieldManager, update, `{"f:data":{".":{},"f:password":{},"f:username":{}},"f:metadata":{"f:labels":{".":{}}},"f:type":{}}`)
	status := ours
	status.Subresource = "status"
	for name, c := range map[string]struct {
		entries []metav1.ManagedFieldsEntry
		want    bool
	}{
		"all keys are ours":                    {[]metav1.ManagedFieldsEntry{ours}, true},
		"others have written metadata only":    {[]metav1.ManagedFieldsEntry{entry("kubectl-label", update, `{"f:metadata":{"f:labels":{"f:x":{}}}}`), ours}, true},
		"somebody else owns a key":             {[]metav1.ManagedFieldsEntry{entry("kubectl-edit", update, `{"f:data":{"f:password":{}}}`), entry(fieldManager, update, `{"f:data":{"f:username":{}}}`)}, false},
		"somebody has added a key":             {[]metav1.ManagedFieldsEntry{ours, entry("kubectl-edit", update, `{"f:data":{"f:added":{}}}`)}, false},
		"a key is gone":                        {[]metav1.ManagedFieldsEntry{entry(fieldManager, update, `{"f:data":{".":{},"f:password":{}}}`)}, false},
		"somebody applies stringData":          {[]metav1.ManagedFieldsEntry{ours, entry("gitops", apply, `{"f:stringData":{"f:password":{}}}`)}, false},
		"our name, but another way of writing": {[]metav1.ManagedFieldsEntry{entry(fieldManager, apply, `{"f:data":{"f:password":{},"f:username":{}}}`)}, false},
		"our name, by a subresource":           {[]metav1.ManagedFieldsEntry{status}, false},
		"an entry that cannot be read":         {[]metav1.ManagedFieldsEntry{ours, entry("x", update, `no JSON`)}, false},
		"somebody has emptied the account":     {nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			object := &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{
				Labels: map[string]string{v1alpha1.LabelRole: v1alpha1.RoleOutput}, ManagedFields: c.entries,
			}}
			once, err := TrimManagedFields(cache.DeletedFinalStateUnknown{Obj: object.DeepCopy()})
			if err != nil {
				t.Fatal(err)
			}
			twice, err := TrimManagedFields(once.(*metav1.PartialObjectMetadata).DeepCopy())
			if err != nil || !reflect.DeepEqual(once, twice) {
				t.Errorf("to trim twice is not the same as to trim once (%v)", err)
			}
			if got := dataIsAsWritten(&once.(*metav1.PartialObjectMetadata).ObjectMeta, []string{"password", "username"}); got != c.want {
				t.Errorf("the data is said to be as written: %t, want %t", got, c.want)
			}
		})
	}
}

func TestOutputManagedFieldsOfOtherSecretsAreDropped(t *testing.T) {
	pair := &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{
		Labels:        map[string]string{v1alpha1.LabelRole: v1alpha1.RolePair},
		ManagedFields: []metav1.ManagedFieldsEntry{{Manager: "x", FieldsV1: metav1.NewFieldsV1(`{"f:data":{}}`)}},
	}}
	trimmed, err := TrimManagedFields(pair)
	if err != nil || len(trimmed.(*metav1.PartialObjectMetadata).ManagedFields) != 0 {
		t.Errorf("the pair keeps its managedFields (%v)", err)
	}
}
