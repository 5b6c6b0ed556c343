package scopedtokens

import (
	"encoding/json"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// patched is a Secret after a merge patch of its annotations, with the version that the patch is made under.
func patched(known *corev1.Secret, patch client.Patch, object client.Object) (*corev1.Secret, error) {
	body, err := patch.Data(object)
	if err != nil {
		return nil, err
	}
	var sent struct {
		Metadata struct {
			ResourceVersion string             `json:"resourceVersion"`
			Annotations     map[string]*string `json:"annotations"`
			Finalizers      *[]string          `json:"finalizers"`
		} `json:"metadata"`
	}
	if err := json.Unmarshal(body, &sent); err != nil {
		return nil, err
	}
	changed := known.DeepCopy()
	changed.ResourceVersion = sent.Metadata.ResourceVersion
	for key, value := range sent.Metadata.Annotations {
		if value == nil {
			delete(changed.Annotations, key)
		} else {
			changed.Annotations[key] = *value
		}
	}
	if sent.Metadata.Finalizers != nil {
		changed.Finalizers = *sent.Metadata.Finalizers
	}
	return changed, nil
}
