package loginpage

import (
	"net/url"
	"regexp"
	"strings"

	"k8s.io/apimachinery/pkg/types"
)

// resourceName names a GitHubUserToken.
type resourceName struct{ namespace, name string }

func (n resourceName) key() types.NamespacedName {
	return types.NamespacedName{Namespace: n.namespace, Name: n.name}
}

var (
	namespaces = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)
	names      = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$`) // Kubernetes bounds the whole alone.
	uids       = regexp.MustCompile(`^[0-9a-f-]{8,64}$`)
)

const maxName = 253

// nameOf reads NAMESPACE/NAME.
func nameOf(text string) (resourceName, bool) {
	namespace, name, found := strings.Cut(text, "/")
	if !found || !namespaces.MatchString(namespace) || len(name) > maxName || !names.MatchString(name) {
		return resourceName{}, false
	}
	return resourceName{namespace, name}, true
}

// single is the value of a parameter that occurs once. One that occurs twice means something else to each who reads it.
func single(values url.Values, key string) (string, bool) {
	if len(values[key]) != 1 {
		return "", false
	}
	return values[key][0], true
}
