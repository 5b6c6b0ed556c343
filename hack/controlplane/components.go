package controlplane

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/githubusertoken/github-user-token-operator/hack/controlplane/binaries"
)

// serviceCIDR is the range of Service addresses; its first is that of the API server.
const (
	serviceCIDR       = "10.96.0.0/16"
	apiServiceAddress = "10.96.0.1"
)

// configure makes all certificates and works out how each component is called.
func (cp *ControlPlane) configure() error {
	if err := cp.makeCertificates(); err != nil {
		return err
	}
	for _, address := range []string{loopback, loopback, cp.options.BindAddress, loopback} {
		reserved, err := reservePort(address)
		if err != nil {
			return err
		}
		cp.ports = append(cp.ports, reserved)
	}
	etcd, peer, api, manager := cp.ports[0], cp.ports[1], cp.ports[2], cp.ports[3]
	cp.host = api.url(cp.localAddress())

	if err := cp.writeKubeconfigs(); err != nil {
		return err
	}
	if policy := cp.options.AuditPolicy; policy != "" {
		if err := cp.dir.write("audit-policy.yaml", []byte(policy)); err != nil {
			return err
		}
	}

	var err error
	if cp.Etcd, err = cp.process(binaries.Etcd, cp.etcdArgs(etcd, peer), etcd.url(loopback)+"/health", "etcd-ca.crt"); err != nil {
		return err
	}
	if cp.APIServer, err = cp.process(binaries.KubeAPIServer, cp.apiServerArgs(etcd, api), cp.host+"/readyz", "ca.crt"); err != nil {
		return err
	}
	cp.ControllerManager, err = cp.process(binaries.KubeControllerManager, cp.controllerManagerArgs(manager), manager.url(loopback)+"/healthz", "ca.crt")
	return err
}

// localAddress is where this process reaches the API server.
func (cp *ControlPlane) localAddress() string {
	if ip := net.ParseIP(cp.options.BindAddress); ip != nil && ip.IsUnspecified() {
		return loopback
	}
	return cp.options.BindAddress
}

// makeCertificates makes two authorities: etcd's knows the API server only, so
// that no certificate that the cluster signs opens its database.
func (cp *ControlPlane) makeCertificates() error {
	var err error
	if cp.authority, err = newAuthority("kubernetes"); err != nil {
		return err
	}
	etcdAuthority, err := newAuthority("etcd")
	if err != nil {
		return err
	}
	if err := cp.dir.write("etcd-ca.crt", etcdAuthority.pem); err != nil {
		return err
	}
	if err := cp.dir.write("ca.crt", cp.authority.pem); err != nil {
		return err
	}
	authorityKey, err := encodeKey(cp.authority.key)
	if err != nil {
		return err
	}
	if err := cp.dir.write("ca.key", authorityKey); err != nil { // with which kube-controller-manager signs requests
		return err
	}
	if err := cp.makeServiceAccountKey(); err != nil {
		return err
	}

	local := []string{"localhost", loopback}
	apiServer := append([]string{
		"kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local",
		apiServiceAddress, cp.options.AdvertiseAddress, cp.localAddress(),
	}, local...)
	for name, made := range map[string]struct {
		by *authority
		of identity
	}{
		"etcd":                 {etcdAuthority, identity{user: "etcd", hosts: local}},
		"apiserver-to-etcd":    {etcdAuthority, identity{user: "kube-apiserver"}},
		"apiserver":            {cp.authority, identity{user: "kube-apiserver", hosts: append(apiServer, cp.options.ExtraSANs...)}},
		"apiserver-to-kubelet": {cp.authority, identity{user: "kube-apiserver-kubelet-client", groups: []string{administrators}}},
		"controller-manager":   {cp.authority, identity{user: "system:kube-controller-manager", hosts: local}},
	} {
		issued, err := made.by.issue(made.of)
		if err != nil {
			return err
		}
		if err := cp.dir.writePair(name, issued); err != nil {
			return err
		}
	}
	return nil
}

func (cp *ControlPlane) makeServiceAccountKey() error {
	key, err := newKey()
	if err != nil {
		return err
	}
	private, err := encodeKey(key)
	if err != nil {
		return err
	}
	public, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return fmt.Errorf("encode the service accounts' public key: %w", err)
	}
	if err := cp.dir.write("service-accounts.key", private); err != nil {
		return err
	}
	return cp.dir.write("service-accounts.pub", encode("PUBLIC KEY", public))
}

func (cp *ControlPlane) etcdArgs(client, peer port) []string {
	return []string{
		"--data-dir=" + cp.dir.path("etcd"),
		"--unsafe-no-fsync", // the data need not outlive the machine
		"--log-level=warn",
		"--quota-backend-bytes=8589934592",
		"--listen-client-urls=" + client.url(loopback),
		"--advertise-client-urls=" + client.url(loopback),
		"--listen-peer-urls=" + peer.url(loopback),
		"--initial-advertise-peer-urls=" + peer.url(loopback),
		"--initial-cluster=default=" + peer.url(loopback),
		"--client-cert-auth",
		"--trusted-ca-file=" + cp.dir.path("etcd-ca.crt"),
		"--cert-file=" + cp.dir.path("etcd.crt"),
		"--key-file=" + cp.dir.path("etcd.key"),
		"--peer-client-cert-auth",
		"--peer-trusted-ca-file=" + cp.dir.path("etcd-ca.crt"),
		"--peer-cert-file=" + cp.dir.path("etcd.crt"),
		"--peer-key-file=" + cp.dir.path("etcd.key"),
	}
}

func (cp *ControlPlane) apiServerArgs(etcd, secure port) []string {
	args := []string{
		"--etcd-servers=" + etcd.url(loopback),
		"--etcd-cafile=" + cp.dir.path("etcd-ca.crt"),
		"--etcd-certfile=" + cp.dir.path("apiserver-to-etcd.crt"),
		"--etcd-keyfile=" + cp.dir.path("apiserver-to-etcd.key"),
		"--bind-address=" + cp.options.BindAddress,
		"--advertise-address=" + cp.options.AdvertiseAddress,
		"--secure-port=" + secure.String(),
		"--tls-cert-file=" + cp.dir.path("apiserver.crt"),
		"--tls-private-key-file=" + cp.dir.path("apiserver.key"),
		"--client-ca-file=" + cp.dir.path("ca.crt"),
		"--kubelet-certificate-authority=" + cp.dir.path("ca.crt"),
		"--kubelet-client-certificate=" + cp.dir.path("apiserver-to-kubelet.crt"),
		"--kubelet-client-key=" + cp.dir.path("apiserver-to-kubelet.key"),
		"--service-account-issuer=https://kubernetes.default.svc.cluster.local",
		"--service-account-key-file=" + cp.dir.path("service-accounts.pub"),
		"--service-account-signing-key-file=" + cp.dir.path("service-accounts.key"),
		"--service-cluster-ip-range=" + serviceCIDR,
		"--authorization-mode=Node,RBAC",
		"--enable-admission-plugins=NodeRestriction",
		"--allow-privileged=true",
		"--endpoint-reconciler-type=none",              // the others refuse loopback addresses
		"--shutdown-watch-termination-grace-period=1s", // or a stop waits a minute for watches
	}
	if cp.options.AuditPolicy != "" {
		args = append(args,
			"--audit-policy-file="+cp.dir.path("audit-policy.yaml"),
			"--audit-log-path="+cp.AuditLogPath(),
		)
	}
	return append(args, cp.options.ExtraAPIServerArgs...)
}

func (cp *ControlPlane) controllerManagerArgs(secure port) []string {
	return []string{
		"--kubeconfig=" + cp.dir.path("controller-manager.kubeconfig"),
		"--authentication-kubeconfig=" + cp.dir.path("controller-manager.kubeconfig"),
		"--authorization-kubeconfig=" + cp.dir.path("controller-manager.kubeconfig"),
		"--bind-address=" + loopback,
		"--secure-port=" + secure.String(),
		"--tls-cert-file=" + cp.dir.path("controller-manager.crt"),
		"--tls-private-key-file=" + cp.dir.path("controller-manager.key"),
		"--client-ca-file=" + cp.dir.path("ca.crt"),
		"--root-ca-file=" + cp.dir.path("ca.crt"),
		"--cluster-signing-cert-file=" + cp.dir.path("ca.crt"),
		"--cluster-signing-key-file=" + cp.dir.path("ca.key"),
		"--service-account-private-key-file=" + cp.dir.path("service-accounts.key"),
		"--use-service-account-credentials=true",
		"--leader-elect=false", // there is no other
		"--kube-api-qps=1000",  // or its start takes seconds longer
		"--kube-api-burst=1000",
	}
}

// process describes a component that is ready once url answers with status 200.
func (cp *ControlPlane) process(name binaries.Name, args []string, url, authorityFile string) (*Process, error) {
	client, err := cp.probeClient(authorityFile)
	if err != nil {
		return nil, err
	}
	return &Process{
		name:    name,
		path:    cp.programs[name],
		args:    args,
		dir:     string(cp.dir),
		logPath: cp.dir.path(string(name) + ".log"),
		ready:   func(ctx context.Context) error { return probe(ctx, client, url) },
	}, nil
}

// probeClient authenticates with the API server's own client certificates,
// which all of the components accept.
func (cp *ControlPlane) probeClient(authorityFile string) (*http.Client, error) {
	name := "apiserver-to-kubelet"
	if authorityFile == "etcd-ca.crt" {
		name = "apiserver-to-etcd"
	}
	certificate, err := tls.LoadX509KeyPair(cp.dir.path(name+".crt"), cp.dir.path(name+".key"))
	if err != nil {
		return nil, fmt.Errorf("read a client certificate: %w", err)
	}
	authority, err := os.ReadFile(cp.dir.path(authorityFile))
	if err != nil {
		return nil, fmt.Errorf("read an authority: %w", err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(authority)
	return &http.Client{
		Timeout: 5 * time.Second,
		Transport: &http.Transport{
			DisableKeepAlives: true, // each probe asks the process of the moment
			TLSClientConfig: &tls.Config{
				MinVersion:   tls.VersionTLS12,
				RootCAs:      roots,
				Certificates: []tls.Certificate{certificate},
			},
		},
	}, nil
}

func probe(ctx context.Context, client *http.Client, url string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode == http.StatusOK {
		return nil
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, 4096))
	if err != nil {
		return err
	}
	return fmt.Errorf("%s: %s: %s", url, response.Status, strings.TrimSpace(string(body)))
}
