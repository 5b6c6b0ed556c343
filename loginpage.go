package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/KimMachineGun/automemlimit/memlimit"
	"k8s.io/apimachinery/pkg/runtime"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/certwatcher"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/boundedreply"
	"github.com/githubusertoken/github-user-token-operator/internal/endpoint"
	"github.com/githubusertoken/github-user-token-operator/internal/exposition"
	"github.com/githubusertoken/github-user-token-operator/internal/loginpage"
)

// loginPageCommand is the argument by which this program is the login page and not the operator: a process of its own, with a
// ServiceAccount of its own that may do what the page does and nothing else.
const loginPageCommand = "login-page"

// pageLimits are those of a browser's requests.
var pageLimits = endpoint.Limits{Request: 10 * time.Second, Reply: 30 * time.Second, Headers: 16 << 10}

// maxPageConnections is how many connections the page takes at once. Some are held while a person waits.
const maxPageConnections = 512

// maxPageReply is how much is read of one answer of the API server: one resource may have a megabyte and more, and of lists less is asked for then.
const maxPageReply = 4 << 20

// pageFlags are the command line of the login page.
type pageFlags struct {
	flags
	baseURL       string
	listenAddress string
	certPath      string
	perClient     float64
	inAll         float64

	visitsApp, visitsNamespace string
	visitsPerClient, visits    int
}

// newPageFlags defines it in a set of flags. Those that the operator has as well mean the same.
func newPageFlags(set *flag.FlagSet) *pageFlags {
	f := &pageFlags{}
	set.StringVar(&f.baseURL, "base-url", "", "Where browsers reach the page: https://HOST or https://HOST/PATH, as the operator has it for --login-page-url. No other host is ever believed.")
	set.StringVar(&f.listenAddress, "listen-address", ":8443", "Address of the page.")
	set.StringVar(&f.certPath, "tls-cert-path", "", "Directory with tls.crt and tls.key, followed while they change. Empty: plain HTTP, for a proxy in front that ends TLS.")
	set.Float64Var(&f.perClient, "requests-per-second-per-client", 5, "Requests a second that are answered, on average, of one client address (of IPv6, a /64). Behind a proxy all clients have the address of that.")
	set.Float64Var(&f.inAll, "requests-per-second", 50, "Requests a second that are answered in all, on average.")
	set.StringVar(&f.visitsApp, "my-tokens-app", "", "KIND/NAME of the App by which people prove whose account is theirs, to see and end their tokens: ClusterGitHubApp/NAME, offered to this page's namespace alone. Empty: the page does not offer that.")
	set.StringVar(&f.visitsNamespace, "my-tokens-namespace", "", "Namespace in which people prove that. By default this pod's, which is the operator's.")
	set.IntVar(&f.visitsPerClient, "my-tokens-visits-per-client", 0, "How many people can prove at once who they are, of one client address. Behind a proxy all clients have the address of that. 0: 4, or with plain HTTP, where there is a proxy, as many as in all.")
	set.IntVar(&f.visits, "my-tokens-visits", 40, "How many people can prove at once who they are, in all.")
	set.StringVar(&f.metricsAddress, "metrics-bind-address", "0", "Address of the metrics endpoint, for example :8080. 0 turns it off.")
	set.BoolVar(&f.metricsSecure, "metrics-secure", true, "Serve metrics over HTTPS, to clients that the API server authorizes.")
	set.StringVar(&f.metricsCertPath, "metrics-cert-path", "", "Directory with the certificate of the metrics endpoint, followed while it changes. Empty: one that nobody can verify is made at each start.")
	set.StringVar(&f.metricsCertName, "metrics-cert-name", "tls.crt", "File with the certificate in --metrics-cert-path.")
	set.StringVar(&f.metricsCertKey, "metrics-cert-key", "tls.key", "File with its key in --metrics-cert-path.")
	set.StringVar(&f.probeAddress, "health-probe-bind-address", ":8081", "Address of /healthz and /readyz. 0 turns it off.")
	set.DurationVar(&f.shutdownTimeout, "shutdown-timeout", 10*time.Second, "How long to wait at shutdown for requests under way.")
	f.zap.BindFlags(set)
	return f
}

// mainLoginPage is main of the login page.
func mainLoginPage(arguments []string) {
	set := flag.NewFlagSet(loginPageCommand, flag.ExitOnError)
	f := newPageFlags(set)
	_ = set.Parse(arguments) // It ends the process at an error.
	ctrl.SetLogger(zap.New(zap.UseFlagOptions(&f.zap)))
	if err := runLoginPage(ctrl.SetupSignalHandler(), f); err != nil {
		ctrl.Log.Error(err, "The login page ends")
		os.Exit(1)
	}
}

// runLoginPage is the login page from start to end.
func runLoginPage(ctx context.Context, f *pageFlags) error {
	setup := ctrl.Log.WithName("setup")
	setup.Info("Starting the login page", "version", version, "baseURL", f.baseURL)
	if err := metrics.Registry.Register(buildInfo(loginPageCommand)); err != nil {
		return fmt.Errorf("register the metrics: %w", err)
	}
	limitMemory(setup, memlimit.FromCgroup, 0)
	mgr, err := newPageManager(f)
	if err != nil {
		return err
	}
	live, err := client.New(mgr.GetConfig(), client.Options{HTTPClient: mgr.GetHTTPClient(), Scheme: mgr.GetScheme(), Mapper: mgr.GetRESTMapper()})
	if err != nil {
		return fmt.Errorf("set up the client of the API server: %w", err)
	}
	cluster := loginpage.NewCluster(live)
	visits, err := visitsOf(f, ownNamespace())
	if err != nil {
		return err
	}
	page, err := loginpage.New(loginpage.Options{
		BaseURL: f.baseURL, Cluster: cluster, Log: ctrl.Log.WithName("page"), PerClient: f.perClient, InAll: f.inAll, Visits: visits,
	})
	if err != nil {
		return fmt.Errorf("--base-url: %w", err)
	}
	if visits != nil {
		if err := mgr.Add(manager.RunnableFunc(page.Sweep)); err != nil {
			return fmt.Errorf("have visits swept: %w", err)
		}
	}
	if err := metrics.Registry.Register(page.Metrics()); err != nil {
		return fmt.Errorf("register the metrics: %w", err)
	}
	ready := readiness{}
	ready.wantOnce("cluster", func(r *http.Request) error { return cluster.Ready(r.Context()) })
	if err := addPage(mgr, f, page, ready); err != nil {
		return err
	}
	if err := addServers(mgr, &f.flags, ready, func(*exposition.Writer) {}); err != nil {
		return err
	}
	return mgr.Start(ctx)
}

// newPageManager makes a manager that watches nothing: all is read when somebody asks.
func newPageManager(f *pageFlags) (manager.Manager, error) {
	scheme := runtime.NewScheme()
	utilruntime.Must(clientgoscheme.AddToScheme(scheme))
	utilruntime.Must(v1alpha1.AddToScheme(scheme))
	config, err := ctrl.GetConfig()
	if err != nil {
		return nil, fmt.Errorf("find the API server: %w", err)
	}
	config.QPS = -1 // The page has limits of its own.
	config.Wrap(func(inner http.RoundTripper) http.RoundTripper { return boundedreply.Transport(inner, maxPageReply) })
	config.UserAgent = "github-user-token-login-page/" + version
	mgr, err := ctrl.NewManager(config, ctrl.Options{
		Scheme: scheme, Metrics: metricsserver.Options{BindAddress: "0"}, HealthProbeBindAddress: "0", // See serve.go.
		GracefulShutdownTimeout: &f.shutdownTimeout,
	})
	if err != nil {
		return nil, fmt.Errorf("set up the manager: %w", err)
	}
	return mgr, nil
}

// addPage adds the page's server to the manager.
func addPage(mgr manager.Manager, f *pageFlags, page http.Handler, ready readiness) error {
	bounded, err := endpoint.Listen(f.listenAddress, maxPageConnections)
	if err != nil {
		return fmt.Errorf("--listen-address: %w", err)
	}
	var listener net.Listener = bounded
	if f.certPath != "" {
		watcher, err := certwatcher.New(filepath.Join(f.certPath, "tls.crt"), filepath.Join(f.certPath, "tls.key"))
		if err != nil {
			return fmt.Errorf("--tls-cert-path: %w", err)
		}
		if err := mgr.Add(watcher); err != nil {
			return fmt.Errorf("have the certificate of the page followed: %w", err)
		}
		if listener, err = encrypted(listener, watcher.GetCertificate); err != nil {
			return err
		}
	}
	server := endpoint.NewServer(page, pageLimits)
	server.ErrorLog = log.New(io.Discard, "", 0) // Clients that break off are none of ours, and what they send is not logged.
	serving := newServer("login page", listener, server)
	serving.ShutdownTimeout = &f.shutdownTimeout
	if err := mgr.Add(serving); err != nil {
		return fmt.Errorf("add the server of the page: %w", err)
	}
	ready.wantOnce("page", bounded.Ready)
	return nil
}
