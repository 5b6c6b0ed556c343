package managers

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
)

func TestOutputManagedFieldsTellWhetherTheDataIsAsWritten(t *testing.T) {
	entry := func(manager string, operation metav1.ManagedFieldsOperationType, fields string) metav1.ManagedFieldsEntry {
		return metav1.ManagedFieldsEntry{Manager: manager, Operation: operation, FieldsV1: metav1.NewFieldsV1(fields)}
	}
	const update, apply = metav1.ManagedFieldsOperationUpdate, metav1.ManagedFieldsOperationApply
	ours := entry(Name, update, `{"f:data":{".":{},"f:password":{},"f:username":{}},"f:metadata":{"f:labels":{".":{}}},"f:type":{}}`)
	status := ours
	status.Subresource = "status"
	for name, c := range map[string]struct {
		entries []metav1.ManagedFieldsEntry
		want    bool
	}{
		"all keys are ours":                    {[]metav1.ManagedFieldsEntry{ours}, true},
		"others have written metadata only":    {[]metav1.ManagedFieldsEntry{entry("kubectl-label", update, `{"f:metadata":{"f:labels":{"f:x":{}}}}`), ours}, true},
		"somebody else owns a key":             {[]metav1.ManagedFieldsEntry{entry("kubectl-edit", update, `{"f:data":{"f:password":{}}}`), entry(Name, update, `{"f:data":{"f:username":{}}}`)}, false},
		"somebody has added a key":             {[]metav1.ManagedFieldsEntry{ours, entry("kubectl-edit", update, `{"f:data":{"f:added":{}}}`)}, false},
		"a key is gone":                        {[]metav1.ManagedFieldsEntry{entry(Name, update, `{"f:data":{".":{},"f:password":{}}}`)}, false},
		"somebody applies stringData":          {[]metav1.ManagedFieldsEntry{ours, entry("gitops", apply, `{"f:stringData":{"f:password":{}}}`)}, false},
		"our name, but another way of writing": {[]metav1.ManagedFieldsEntry{entry(Name, apply, `{"f:data":{"f:password":{},"f:username":{}}}`)}, false},
		"our name, by a subresource":           {[]metav1.ManagedFieldsEntry{status}, false},
		"an entry that cannot be read":         {[]metav1.ManagedFieldsEntry{ours, entry("x", update, `no JSON`)}, false},
		"somebody has emptied the account":     {nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			once := &metav1.ObjectMeta{Labels: map[string]string{v1alpha1.LabelRole: v1alpha1.RoleOutput}, ManagedFields: c.entries}
			Trim(once)
			twice := once.DeepCopy()
			if Trim(twice); !reflect.DeepEqual(once, twice) {
				t.Error("to trim twice is not the same as to trim once")
			}
			if got := Vouch(once, []string{"password", "username"}); got != c.want {
				t.Errorf("the data is said to be as written: %t, want %t", got, c.want)
			}
		})
	}
}

func TestOutputManagedFieldsOfOtherSecretsAreDropped(t *testing.T) {
	pair := &metav1.ObjectMeta{
		Labels:        map[string]string{v1alpha1.LabelRole: v1alpha1.RolePair},
		ManagedFields: []metav1.ManagedFieldsEntry{{Manager: "x", FieldsV1: metav1.NewFieldsV1(`{"f:data":{}}`)}},
	}
	if Trim(pair); len(pair.ManagedFields) != 0 {
		t.Error("the pair keeps its managedFields")
	}
}

func TestOutputManagedFieldsThatAreTooLargeCountAsAnEdit(t *testing.T) {
	var keys []string
	for i := range 1000 {
		keys = append(keys, fmt.Sprintf(`"f:key-%d":{}`, i))
	}
	forged := metav1.ManagedFieldsEntry{
		Manager: Name, Operation: metav1.ManagedFieldsOperationUpdate,
		FieldsV1: metav1.NewFieldsV1(`{"f:data":{"f:password":{},` + strings.Join(keys, ",") + `}}`),
	}
	for name, entries := range map[string][]metav1.ManagedFieldsEntry{
		"in one entry": {forged}, "in many": slices.Repeat([]metav1.ManagedFieldsEntry{{Manager: "x", FieldsV1: metav1.NewFieldsV1(`{"f:data":{}}`)}}, 1000),
	} {
		t.Run(name, func(t *testing.T) {
			output := &metav1.ObjectMeta{Labels: map[string]string{v1alpha1.LabelRole: v1alpha1.RoleOutput}, ManagedFields: entries}
			for range 2 {
				Trim(output)
				if text, err := json.Marshal(output.ManagedFields); err != nil || len(text) > 100 || Vouch(output, []string{"password"}) {
					t.Errorf("%d bytes are kept, %v", len(text), err)
				}
			}
		})
	}
}
