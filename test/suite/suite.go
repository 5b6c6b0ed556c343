// Package suite is what the tests on a real control plane have in common.
package suite

import (
	"flag"
	"fmt"
	"strconv"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
)

// Parallel says how many tests run at once, unless the command line says it. It is for tests that wait far more than
// they compute, and is called in TestMain.
func Parallel(tests int) error {
	const name = "test.parallel"
	flag.Parse()
	asked := false
	flag.Visit(func(f *flag.Flag) { asked = asked || f.Name == name })
	if asked {
		return nil
	}
	return flag.Set(name, strconv.Itoa(tests))
}

// Resource is a GitHubUserToken as in the samples: the Secrets that it names are called after it, and the App's after
// nobody.
func Resource(namespace, name, host, clientID string) *v1alpha1.GitHubUserToken {
	return &v1alpha1.GitHubUserToken{
		TypeMeta:   metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: "GitHubUserToken"},
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec: v1alpha1.GitHubUserTokenSpec{
			App: v1alpha1.App{
				Host: host, ClientID: clientID,
				ClientSecretRef: &v1alpha1.ClientSecretReference{Name: "github-app"},
			},
			RefreshTokenRef: &v1alpha1.RefreshTokenReference{Name: name + "-seed"},
			Secret:          v1alpha1.SecretTemplate{Name: name + "-token"},
		},
	}
}

// DeviceLogin is a login by the device flow.
func DeviceLogin() *v1alpha1.Login {
	return &v1alpha1.Login{Methods: []v1alpha1.LoginMethod{v1alpha1.LoginMethodDeviceFlow}}
}

// Describe is the conditions of a resource in one line.
func Describe(token *v1alpha1.GitHubUserToken) string {
	var conditions []string
	for _, c := range token.Status.Conditions {
		conditions = append(conditions, fmt.Sprintf("%s=%s (%s: %s)", c.Type, c.Status, c.Reason, c.Message))
	}
	return strings.Join(conditions, "; ")
}
