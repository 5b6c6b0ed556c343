package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/KimMachineGun/automemlimit/memlimit"
	"github.com/go-logr/logr"
	"go.uber.org/zap/zapcore"
	"k8s.io/apimachinery/pkg/runtime"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	authenticationv1 "k8s.io/client-go/kubernetes/typed/authentication/v1"
	authorizationv1 "k8s.io/client-go/kubernetes/typed/authorization/v1"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/certwatcher"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/endpoint"
	"github.com/githubusertoken/github-user-token-operator/internal/exposition"
	"github.com/githubusertoken/github-user-token-operator/internal/tokenserver"
	"github.com/githubusertoken/github-user-token-operator/internal/tokenserver/callers"
	"github.com/githubusertoken/github-user-token-operator/internal/tokenserver/reading"
)

// tokenServerCommand is the argument by which this program is the token server and not the operator: a process of its own, with a
// ServiceAccount of its own that may do what the server does and nothing else.
const tokenServerCommand = "token-server"

// tokenLimits are those of a request for a token: the ServiceAccount token in it has one or two kilobytes. Those of one that waits are its own; see
// endpoint.Hold.
var tokenLimits = endpoint.Limits{Request: 10 * time.Second, Reply: 30 * time.Second, Headers: 8 << 10}

// maxTokenConnections is how many connections the token server takes at once, beside those of whoever waits and may.
const maxTokenConnections = 512

// tokenServerFlags are the command line of the token server.
type tokenServerFlags struct {
	flags
	audience      string
	listenAddress string
	certPath      string
	plainHTTP     bool
}

// newTokenServerFlags defines it in a set of flags. Those that the operator has as well mean the same.
func newTokenServerFlags(set *flag.FlagSet) *tokenServerFlags {
	f := &tokenServerFlags{}
	set.StringVar(&f.audience, "audience", "", "Audience of the tokens that callers show, which is this install's alone. Needed.")
	set.StringVar(&f.listenAddress, "listen-address", ":8443", "Address of the server.")
	set.StringVar(&f.certPath, "tls-cert-path", "", "Directory with tls.crt and tls.key, followed while they change. Needed.")
	set.BoolVar(&f.plainHTTP, "plain-http-on-loopback", false, "Serve plain HTTP, without a certificate, if the address is one of this machine alone. For development.")
	set.StringVar(&f.metricsAddress, "metrics-bind-address", "0", "Address of the metrics endpoint, for example :8080. 0 turns it off.")
	set.BoolVar(&f.metricsSecure, "metrics-secure", true, "Serve metrics over HTTPS, to clients that the API server authorizes.")
	set.StringVar(&f.metricsCertPath, "metrics-cert-path", "", "Directory with the certificate of the metrics endpoint, followed while it changes. Empty: one that nobody can verify is made at each start.")
	set.StringVar(&f.metricsCertName, "metrics-cert-name", "tls.crt", "File with the certificate in --metrics-cert-path.")
	set.StringVar(&f.metricsCertKey, "metrics-cert-key", "tls.key", "File with its key in --metrics-cert-path.")
	set.StringVar(&f.probeAddress, "health-probe-bind-address", ":8081", "Address of /healthz and /readyz. 0 turns it off.")
	set.DurationVar(&f.shutdownTimeout, "shutdown-timeout", 10*time.Second, "How long to wait at shutdown for requests under way. Those that wait for a token are told to ask again.")
	f.zap.BindFlags(set)
	return f
}

// mainTokenServer is main of the token server.
func mainTokenServer(arguments []string) {
	set := flag.NewFlagSet(tokenServerCommand, flag.ExitOnError)
	f := newTokenServerFlags(set)
	_ = set.Parse(arguments) // It ends the process at an error.
	ctrl.SetLogger(zap.New(zap.UseFlagOptions(&f.zap)))
	if err := runTokenServer(ctrl.SetupSignalHandler(), f); err != nil {
		ctrl.Log.Error(err, "The token server ends")
		os.Exit(1)
	}
}

// runTokenServer is the token server from start to end.
func runTokenServer(ctx context.Context, f *tokenServerFlags) error {
	setup := ctrl.Log.WithName("setup")
	setup.Info("Starting the token server", "version", version, "audience", f.audience)
	if err := metrics.Registry.Register(buildInfo(tokenServerCommand)); err != nil {
		return fmt.Errorf("register the metrics: %w", err)
	}
	limitMemory(setup, memlimit.FromCgroup, 0)
	mgr, err := newTokenServerManager(f)
	if err != nil {
		return err
	}
	if err := checkAudience(f.audience, mgr.GetConfig()); err != nil {
		return fmt.Errorf("--audience: %w", err)
	}
	live, err := client.NewWithWatch(mgr.GetConfig(), client.Options{HTTPClient: mgr.GetHTTPClient(), Scheme: mgr.GetScheme(), Mapper: mgr.GetRESTMapper()})
	if err != nil {
		return fmt.Errorf("set up the client of the API server: %w", err)
	}
	who, err := newCallers(mgr, f.audience)
	if err != nil {
		return err
	}
	reader := reading.NewReader(live)
	changes := reading.NewChanges(ctrl.Log.WithName("changes"), reading.Watcher(live))
	if err := mgr.Add(changes); err != nil {
		return fmt.Errorf("have changes of resources told of: %w", err)
	}
	server := tokenserver.New(tokenserver.Options{
		Callers: who, Reads: reading.NewShared(reader.Read), Changes: changes, Events: mgr.GetEventRecorder("github-user-token-token-server"),
		Log: ctrl.Log.WithName("token-server"), Audit: auditLog(f.zap),
	})
	for _, collector := range server.Metrics() {
		if err := metrics.Registry.Register(collector); err != nil {
			return fmt.Errorf("register the metrics: %w", err)
		}
	}
	ready := readiness{}
	ready.wantOnce("reviews", func(r *http.Request) error { return who.Ready(r.Context()) })
	ready.wantOnce("resources", func(r *http.Request) error { return reader.Ready(r.Context()) })
	if err := addTokenServer(mgr, f, server, ready); err != nil {
		return err
	}
	if err := addServers(mgr, &f.flags, ready, func(*exposition.Writer) {}); err != nil {
		return err
	}
	return mgr.Start(ctx)
}

// newCallers makes what asks the API server who calls.
func newCallers(mgr manager.Manager, audience string) (*callers.Callers, error) {
	tokens, err := authenticationv1.NewForConfigAndClient(mgr.GetConfig(), mgr.GetHTTPClient())
	if err != nil {
		return nil, fmt.Errorf("set up the reviews of tokens: %w", err)
	}
	access, err := authorizationv1.NewForConfigAndClient(mgr.GetConfig(), mgr.GetHTTPClient())
	if err != nil {
		return nil, fmt.Errorf("set up the reviews of access: %w", err)
	}
	return callers.New(callers.Options{Tokens: tokens.TokenReviews(), Access: access.SubjectAccessReviews(), Audience: audience}), nil
}

// auditLog is where it is written which tokens are given out: each of them, whatever level the flags set, and however many there are. The other
// log drops lines that are alike when there are more than a hundred in a second.
func auditLog(options zap.Options) logr.Logger {
	return zap.New(zap.UseFlagOptions(&options), zap.Level(zapcore.Level(-2))).WithName("audit")
}

// checkAudience refuses none, and that of the API server: its tokens lie in nearly every pod, and are good for more than this. Which that is
// the server's own token tells.
func checkAudience(audience string, config *rest.Config) error {
	if audience == "" {
		return errors.New("say what callers' tokens must be for, such as github-user-token.example.com: a name that nothing else in the cluster uses")
	}
	own := config.BearerToken
	if content, err := os.ReadFile(config.BearerTokenFile); err == nil {
		own = string(content)
	}
	if slices.Contains(callers.Audiences(own), audience) {
		return fmt.Errorf("%q is an audience of the API server: choose a name that nothing else in the cluster uses", audience)
	}
	return nil
}

// newTokenServerManager makes a manager that has no cache: all is read when somebody asks.
func newTokenServerManager(f *tokenServerFlags) (manager.Manager, error) {
	scheme := runtime.NewScheme()
	utilruntime.Must(clientgoscheme.AddToScheme(scheme))
	utilruntime.Must(v1alpha1.AddToScheme(scheme))
	config, err := ctrl.GetConfig()
	if err != nil {
		return nil, fmt.Errorf("find the API server: %w", err)
	}
	config.QPS = -1 // The server has limits of its own.
	config.Wrap(reading.Bounded)
	config.UserAgent = "github-user-token-token-server/" + version
	mgr, err := ctrl.NewManager(config, ctrl.Options{
		Scheme: scheme, Metrics: metricsserver.Options{BindAddress: "0"}, HealthProbeBindAddress: "0", // See serve.go.
		GracefulShutdownTimeout: &f.shutdownTimeout,
	})
	if err != nil {
		return nil, fmt.Errorf("set up the manager: %w", err)
	}
	return mgr, nil
}

// addTokenServer adds the server itself to the manager.
func addTokenServer(mgr manager.Manager, f *tokenServerFlags, handler *tokenserver.Server, ready readiness) error {
	if err := f.checkEncryption(); err != nil {
		return err
	}
	bounded, err := endpoint.Listen(f.listenAddress, maxTokenConnections)
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
			return fmt.Errorf("have the certificate of the token server followed: %w", err)
		}
		if listener, err = encrypted(listener, watcher.GetCertificate); err != nil {
			return err
		}
	}
	server := endpoint.NewServer(handler, tokenLimits)
	server.ErrorLog = log.New(io.Discard, "", 0) // Clients that break off are none of ours, and what they send is not logged.
	server.RegisterOnShutdown(handler.Stop)
	serving := newServer("token server", listener, server)
	serving.ShutdownTimeout = &f.shutdownTimeout
	if err := mgr.Add(serving); err != nil {
		return fmt.Errorf("add the token server: %w", err)
	}
	ready.wantOnce("server", bounded.Ready)
	return nil
}

// checkEncryption refuses to give out tokens for others to read.
func (f *tokenServerFlags) checkEncryption() error {
	if f.certPath != "" {
		return nil
	}
	if !f.plainHTTP {
		return errors.New("--tls-cert-path: tokens are given out over TLS alone: name the directory of its certificate")
	}
	address, err := netip.ParseAddrPort(f.listenAddress)
	if err != nil || !address.Addr().IsLoopback() {
		return fmt.Errorf("--plain-http-on-loopback: --listen-address %q is no address of this machine alone, such as 127.0.0.1:8080", f.listenAddress)
	}
	return nil
}
