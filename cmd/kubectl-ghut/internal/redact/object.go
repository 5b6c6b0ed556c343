package redact

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
)

// dropped are fields whose content is taken out wherever they stand: the data of Secrets, environments, and what lets somebody
// finish a login.
var dropped = map[string]bool{
	"data": true, "stringData": true, "binaryData": true, "env": true, "envFrom": true, "userCode": true, "authorizeURL": true, "loginURL": true,
	"managedFields": true, "command": true, "lifecycle": true, "httpHeaders": true, "exec": true, "attemptID": true, "requestID": true,
}

// Object is an object of Kubernetes as JSON, without whatever may be a secret.
func Object(object any) (any, error) {
	text, err := json.Marshal(object)
	if err != nil {
		return nil, fmt.Errorf("encode an object: %w", err)
	}
	var value any
	if err := json.Unmarshal(text, &value); err != nil {
		return nil, fmt.Errorf("decode an object: %w", err)
	}
	return clean("", value), nil
}

// clean takes out of a value, which stands under a key, what is not to be told.
func clean(key string, value any) any {
	switch value := value.(type) {
	case map[string]any:
		kept := make(map[string]any, len(value))
		for name, inner := range value {
			switch {
			case dropped[name]:
				kept[name] = Removed
			case key == "annotations":
				kept[Text(name)] = annotation(name, inner)
			default:
				kept[Text(name)] = clean(name, inner)
			}
		}
		return kept
	case []any:
		for i := range value {
			value[i] = clean(key, value[i])
		}
		return value
	case string:
		return Text(value)
	default:
		return value
	}
}

// annotation is the value of one. Only those of the operator are told; its JSON is looked through as such.
func annotation(name string, value any) any {
	prefix, _, _ := strings.Cut(name, "/")
	text, ok := value.(string)
	if prefix != v1alpha1.GroupVersion.Group && prefix+"/" != v1alpha1.AnnotationPrefixRestartedFor || !ok || name == v1alpha1.AnnotationWebLoginRequested {
		return Removed
	}
	var inner any
	if name != v1alpha1.AnnotationState && name != v1alpha1.AnnotationIntent && name != v1alpha1.AnnotationSource || json.Unmarshal([]byte(text), &inner) != nil {
		return Text(text)
	}
	return clean("", inner)
}
