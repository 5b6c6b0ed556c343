package cluster

import (
	"context"
	"encoding/json"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/client-go/rest"
)

// plain are requests for what is no object: the version and logs. A clientset would make the plugin twice as large.
type plain struct{ client rest.Interface }

func newPlain(config *rest.Config, scheme *runtime.Scheme) (*plain, error) {
	config = rest.CopyConfig(config)
	config.GroupVersion, config.APIPath = &corev1.SchemeGroupVersion, "/api"
	config.NegotiatedSerializer = serializer.NewCodecFactory(scheme).WithoutConversion()
	client, err := rest.RESTClientFor(config)
	if err != nil {
		return nil, fmt.Errorf("make a client: %w", err)
	}
	return &plain{client}, nil
}

// Tail reads the last lines of the only container of a pod.
func (p *plain) Tail(ctx context.Context, namespace, pod string, lines int64) ([]byte, error) {
	text, err := p.client.Get().Namespace(namespace).Resource("pods").Name(pod).SubResource("log").
		Param("tailLines", fmt.Sprint(lines)).DoRaw(ctx)
	if apierrors.IsForbidden(err) {
		return nil, &ForbiddenError{Verb: "get", Resource: schema.GroupResource{Resource: "pods/log"}, Namespace: namespace, Name: pod, Said: err}
	}
	return text, err
}

// version is that of Kubernetes.
func (p *plain) version(ctx context.Context) (string, error) {
	text, err := p.client.Get().AbsPath("/version").DoRaw(ctx)
	var info struct {
		GitVersion string `json:"gitVersion"`
	}
	if err == nil {
		err = json.Unmarshal(text, &info)
	}
	if err != nil {
		return "", fmt.Errorf("ask for the version of Kubernetes: %w", err)
	}
	return info.GitVersion, nil
}
