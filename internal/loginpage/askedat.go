package loginpage

import (
	"encoding/json"
	"time"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
)

// askedAt is when the annotation that asks for a login was written last, by what the API server keeps of it: an annotation has no time
// of its own, and the clock of whoever writes one is not believed. Zero when that is not known.
func askedAt(token *v1alpha1.GitHubUserToken) time.Time {
	var latest time.Time
	for _, entry := range token.ManagedFields {
		if entry.Time == nil || entry.FieldsV1 == nil || !entry.Time.After(latest) {
			continue
		}
		var fields struct {
			Metadata struct {
				Annotations map[string]json.RawMessage `json:"f:annotations"`
			} `json:"f:metadata"`
		}
		if json.Unmarshal(entry.FieldsV1.GetRawBytes(), &fields) != nil {
			continue
		}
		if _, has := fields.Metadata.Annotations["f:"+v1alpha1.AnnotationWebLoginRequested]; has {
			latest = entry.Time.Time
		}
	}
	return latest
}
