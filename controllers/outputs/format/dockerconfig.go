package format

import (
	"encoding/base64"
	"encoding/json"
	"errors"

	corev1 "k8s.io/api/core/v1"
)

// dockerConfigJSON is what the kubelet reads for imagePullSecrets.
var dockerConfigJSON = descriptor{
	secretType: corev1.SecretTypeDockerConfigJson, username: true, registry: true,
	values: []value{{key: corev1.DockerConfigJsonKey, render: dockerConfig}},
}

func dockerConfig(s settings, token string) ([]byte, error) {
	config := map[string]any{"auths": map[string]any{s.Registry: map[string]string{
		"username": s.Username,
		"password": token,
		"auth":     base64.StdEncoding.EncodeToString([]byte(s.Username + ":" + token)),
	}}}
	text, err := json.Marshal(config)
	if err != nil {
		return nil, errors.New("the Docker configuration cannot be written as JSON")
	}
	return text, nil
}
