package managers

import (
	"encoding/json"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
)

// Name is the field manager of outputs.
//
// Caches hold no Secret's data, so an edit of an output's data that leaves its metadata alone cannot be seen
// there, and after a restart nobody remembers which version the operator wrote. But the API server keeps
// account of who wrote which key: while this manager owns every key and nobody else any, the data is as it
// was written. That is in the metadata, it survives a restart, and it costs no read.
const Name = "github-user-token-operator"

// Trim is for the cache of Secrets' metadata. It drops managedFields, but for the part of an output's that tells who wrote
// its data. To apply it twice changes nothing.
func Trim(meta *metav1.ObjectMeta) {
	if meta.Labels[v1alpha1.LabelRole] != v1alpha1.RoleOutput {
		meta.ManagedFields = nil
		return
	}
	meta.ManagedFields = OfData(meta.ManagedFields)
}

// maxManagers is how large the entries may be that are kept, in bytes.
const maxManagers = 4 << 10

// OfData are the entries that own data, reduced to it. An entry that cannot be read is kept as one of
// nobody's, so that it counts as an edit; so does one in the place of all when they are too large.
func OfData(entries []metav1.ManagedFieldsEntry) []metav1.ManagedFieldsEntry {
	kept, size := ownersOfData(entries), 0
	for _, entry := range kept {
		size += len(entry.Manager) + len(entry.FieldsV1.GetRawBytes())
	}
	if size > maxManagers {
		return []metav1.ManagedFieldsEntry{{FieldsV1: metav1.NewFieldsV1(`{"f:data":{}}`)}}
	}
	return kept
}

func ownersOfData(entries []metav1.ManagedFieldsEntry) []metav1.ManagedFieldsEntry {
	var kept []metav1.ManagedFieldsEntry
	for _, entry := range entries {
		if entry.FieldsV1 == nil {
			continue
		}
		var fields map[string]json.RawMessage
		if err := json.Unmarshal(entry.FieldsV1.GetRawBytes(), &fields); err != nil {
			fields = map[string]json.RawMessage{"f:data": json.RawMessage("{}")}
			entry.Manager = ""
		}
		owned := map[string]json.RawMessage{}
		for _, part := range []string{"f:data", "f:stringData"} {
			if value, ok := fields[part]; ok {
				owned[part] = value
			}
		}
		if len(owned) == 0 {
			continue
		}
		raw, err := json.Marshal(owned)
		if err != nil {
			raw = nil
		}
		kept = append(kept, metav1.ManagedFieldsEntry{
			Manager: entry.Manager, Operation: entry.Operation, Subresource: entry.Subresource,
			FieldsV1: metav1.NewFieldsV1(string(raw)),
		})
	}
	return kept
}

// Vouch reports whether the managedFields prove that the operator wrote every key of the data, and
// nobody has changed, added or removed one since. keys are sorted.
func Vouch(meta *metav1.ObjectMeta, keys []string) bool {
	if len(meta.ManagedFields) != 1 {
		return false
	}
	entry := meta.ManagedFields[0]
	if entry.Manager != Name || entry.Operation != metav1.ManagedFieldsOperationUpdate || entry.Subresource != "" || entry.FieldsV1 == nil {
		return false
	}
	var fields map[string]map[string]json.RawMessage
	if err := json.Unmarshal(entry.FieldsV1.GetRawBytes(), &fields); err != nil || len(fields) != 1 {
		return false
	}
	var owned []string
	for field := range fields["f:data"] {
		if key, ok := strings.CutPrefix(field, "f:"); ok {
			owned = append(owned, key)
		}
	}
	slices.Sort(owned)
	return slices.Equal(owned, keys)
}
