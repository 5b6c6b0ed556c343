package upgrade

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/hack/demo/stage"
	"github.com/githubusertoken/github-user-token-operator/internal/credential"
)

// served starts the token server, as somebody does who has upgraded, and has it give out the token of each resource, whatever its shape.
func (w *world) served(all map[client.ObjectKey]*before) {
	w.t.Helper()
	server, err := the.stage.StartTokenServer(w.ctx)
	w.must(err)
	authority, err := os.ReadFile(server.CAFile)
	w.must(err)
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(authority)
	through := &http.Client{Timeout: time.Minute, Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}}}

	const pods = "agents"
	meta := metav1.ObjectMeta{Namespace: pods, Name: "runner"}
	w.must(the.admin.Create(w.ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: pods}}))
	w.must(the.admin.Create(w.ctx, &corev1.ServiceAccount{ObjectMeta: meta}))
	pod := &corev1.Pod{ObjectMeta: meta, Spec: corev1.PodSpec{ServiceAccountName: meta.Name, Containers: []corev1.Container{{Name: "agent", Image: "agent"}}}}
	w.must(the.admin.Create(w.ctx, pod))
	w.must(the.admin.Create(w.ctx, &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "agents-have-tokens"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "github-user-token-operator-token-reader"},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: pods, Name: meta.Name}},
	}))
	core, err := kubernetes.NewForConfig(the.stage.Plane.AdminConfig())
	w.must(err)
	shown, err := core.CoreV1().ServiceAccounts(pods).CreateToken(w.ctx, meta.Name, &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{
		Audiences: []string{stage.Audience}, BoundObjectRef: &authenticationv1.BoundObjectReference{APIVersion: "v1", Kind: "Pod", Name: pod.Name, UID: pod.UID},
	}}, metav1.CreateOptions{})
	w.must(err)
	for key := range all {
		w.eventually("the token server gives out the token of "+key.String(), func() (bool, string) {
			request, err := http.NewRequestWithContext(w.ctx, http.MethodGet, fmt.Sprintf("%s/v1/namespaces/%s/githubusertokens/%s/token", server.URL, key.Namespace, key.Name), http.NoBody)
			w.must(err)
			request.Header.Set("Authorization", "Bearer "+shown.Status.Token)
			response, err := through.Do(request)
			if err != nil {
				return false, err.Error()
			}
			defer func() { _ = response.Body.Close() }()
			var body struct{ Fingerprint, Message string }
			w.must(json.NewDecoder(response.Body).Decode(&body))
			stored := credential.NewAccessToken(string(w.pair(key).Data[v1alpha1.KeyAccessToken])).Fingerprint()
			return response.StatusCode == http.StatusOK && body.Fingerprint == string(stored), fmt.Sprint(response.StatusCode, body)
		})
	}
}
