package controlplane

import (
	"context"
	"fmt"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// administrators is the group that may do everything, by Kubernetes' own rule.
const administrators = "system:masters"

// tokenLifetime of service account tokens outlasts any test or demonstration.
const tokenLifetime = 7 * 24 * time.Hour

// writeKubeconfigs makes the administrator's and kube-controller-manager's.
func (cp *ControlPlane) writeKubeconfigs() error {
	admin, err := cp.UserConfig("admin", administrators)
	if err != nil {
		return err
	}
	cp.admin = admin
	if err := cp.WriteKubeconfig(cp.AdminKubeconfig(), admin); err != nil {
		return err
	}
	manager, err := cp.UserConfig("system:kube-controller-manager")
	if err != nil {
		return err
	}
	return cp.WriteKubeconfig(cp.dir.path("controller-manager.kubeconfig"), manager)
}

// AdminConfig is how to reach the API server as an administrator, without a
// limit on the client's side. The caller may change what it gets.
func (cp *ControlPlane) AdminConfig() *rest.Config { return rest.CopyConfig(cp.admin) }

// AdminKubeconfig is the path of a kubeconfig for AdminConfig. It goes away
// with the control plane.
func (cp *ControlPlane) AdminKubeconfig() string { return cp.dir.path("admin.kubeconfig") }

// UserConfig is how to reach the API server as any user, such as
// system:node:NAME in the group system:nodes, by a client certificate.
func (cp *ControlPlane) UserConfig(user string, groups ...string) (*rest.Config, error) {
	issued, err := cp.authority.issue(identity{user: user, groups: groups})
	if err != nil {
		return nil, err
	}
	return &rest.Config{
		Host: cp.host,
		QPS:  -1,
		TLSClientConfig: rest.TLSClientConfig{
			CAData:   cp.authority.pem,
			CertData: issued.certificate,
			KeyData:  issued.key,
		},
	}, nil
}

// IssueServingCertificate makes a certificate, and its key, both in PEM, for a server that the API
// server trusts at the given names and addresses, such as a kubelet.
func (cp *ControlPlane) IssueServingCertificate(user string, hosts ...string) (certificate, key []byte, err error) {
	issued, err := cp.authority.issue(identity{user: user, hosts: hosts})
	if err != nil {
		return nil, nil, err
	}
	return issued.certificate, issued.key, nil
}

// AuthorityPath is the file with the certificate of the authority that signed all of the cluster's
// certificates. It goes away with the control plane.
func (cp *ControlPlane) AuthorityPath() string { return cp.dir.path("ca.crt") }

// ServiceAccountConfig is how to reach the API server as a service account,
// with a token like those that pods get, and so with the rights that RBAC gives
// it and no others. The account must exist. The token lasts for a week.
func (cp *ControlPlane) ServiceAccountConfig(ctx context.Context, namespace, name string) (*rest.Config, error) {
	client, err := kubernetes.NewForConfig(cp.AdminConfig())
	if err != nil {
		return nil, fmt.Errorf("make a client: %w", err)
	}
	seconds := int64(tokenLifetime.Seconds())
	request, err := client.CoreV1().ServiceAccounts(namespace).CreateToken(ctx, name, &authenticationv1.TokenRequest{
		Spec: authenticationv1.TokenRequestSpec{ExpirationSeconds: &seconds},
	}, metav1.CreateOptions{})
	if err != nil {
		return nil, fmt.Errorf("request a token for the service account %s/%s: %w", namespace, name, err)
	}
	return &rest.Config{
		Host:            cp.host,
		QPS:             -1,
		BearerToken:     request.Status.Token,
		TLSClientConfig: rest.TLSClientConfig{CAData: cp.authority.pem},
	}, nil
}

// WriteKubeconfig writes a kubeconfig that says the same as config, readable by
// its owner only. Folders that are missing are made.
func (cp *ControlPlane) WriteKubeconfig(path string, config *rest.Config) error {
	const name = "control-plane"
	kubeconfig := clientcmdapi.Config{
		CurrentContext: name,
		Clusters: map[string]*clientcmdapi.Cluster{
			name: {Server: config.Host, CertificateAuthorityData: config.CAData},
		},
		AuthInfos: map[string]*clientcmdapi.AuthInfo{
			name: {
				ClientCertificateData: config.CertData,
				ClientKeyData:         config.KeyData,
				Token:                 config.BearerToken,
			},
		},
		Contexts: map[string]*clientcmdapi.Context{
			name: {Cluster: name, AuthInfo: name},
		},
	}
	if err := clientcmd.WriteToFile(kubeconfig, path); err != nil {
		return fmt.Errorf("write the kubeconfig %s: %w", path, err)
	}
	return nil
}
