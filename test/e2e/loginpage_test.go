//go:build e2e

package e2e

import (
	"context"
	"net"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/githubusertoken/github-user-token-operator/test/e2e/cluster"
)

const (
	pageName = "github-user-token-operator-login-page"
	// pageCertificate is the Secret that config/components/login-page wants.
	pageCertificate = "login-page-certificate"
)

// startLoginPage installs the login page with a certificate, and serves the address of its Service.
func startLoginPage(t *testing.T) *cluster.Service {
	t.Helper()
	certificate, key, err := running.ControlPlane.IssueServingCertificate("login-page", loginPageHost)
	if err != nil {
		t.Fatal(err)
	}
	create(t, &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: operatorNamespace, Name: pageCertificate}, Type: corev1.SecretTypeTLS,
		Data: map[string][]byte{"tls.crt": certificate, "tls.key": key},
	})
	if err := running.ControlPlane.Apply(t.Context(), "config/login-page"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			return // Its logs are wanted.
		}
		_, err := kubectl(context.Background(), "delete", "-k", "config/login-page", "--timeout=3m")
		if err == nil {
			_, err = kubectl(context.Background(), "-n", operatorNamespace, "delete", "secret", pageCertificate)
		}
		if err != nil {
			t.Error(err)
		}
	})
	run(t, "-n", operatorNamespace, "rollout", "status", "deployment/"+pageName, "--timeout=3m")
	service, err := running.ServeService(net.JoinHostPort(loginPageAddress, "443"), operatorNamespace, pageName)
	if err != nil {
		t.Fatal(err)
	}
	return service
}
