// Command manager runs the operator.
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"time"

	"github.com/KimMachineGun/automemlimit/memlimit"
	"github.com/google/uuid"
	"k8s.io/apimachinery/pkg/runtime"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers"
	"github.com/githubusertoken/github-user-token-operator/internal/github"
	"github.com/githubusertoken/github-user-token-operator/internal/namespaces"
	"github.com/githubusertoken/github-user-token-operator/internal/outbox"
	"github.com/githubusertoken/github-user-token-operator/internal/ratelimit"
)

// version is set by the linker.
var version = "dev"

// flags are the command line.
type flags struct {
	metricsAddress      string
	metricsSecure       bool
	probeAddress        string
	pprofAddress        string
	leaderElect         bool
	leaderNamespace     string
	leaseDuration       time.Duration
	renewDeadline       time.Duration
	retryPeriod         time.Duration
	namespaces          string
	watchLabelSelector  string
	limitShare          string
	allowedHosts        string
	allowedAddresses    string
	githubCAFile        string
	proxyFromEnv        bool
	clusterNamespace    string
	outboxDir           string
	outboxAllowDisk     bool
	requestsPerHour     int
	unprovenPerHour     int
	concurrentExchanges int
	requireUser         bool
	loginPage           string
	metricsEach         bool
	metricsCertPath     string
	metricsCertName     string
	metricsCertKey      string
	enableHandoff       bool
	enableScoped        bool
	webhookAddress      string
	webhookSecretFile   string
	kubeAPIQPS          float64
	kubeAPIBurst        int
	shutdownTimeout     time.Duration
	zap                 zap.Options
}

// newFlags defines the command line in a set of flags.
func newFlags(set *flag.FlagSet) *flags {
	f := &flags{}
	set.StringVar(&f.metricsAddress, "metrics-bind-address", "0", "Address of the metrics endpoint, for example :8443. 0 turns it off.")
	set.BoolVar(&f.metricsSecure, "metrics-secure", true, "Serve metrics over HTTPS, to clients that the API server authorizes.")
	set.StringVar(&f.metricsCertPath, "metrics-cert-path", "", "Directory with the certificate of the metrics endpoint, followed while it changes. Empty: one that nobody can verify is made at each start.")
	set.StringVar(&f.metricsCertName, "metrics-cert-name", "tls.crt", "File with the certificate in --metrics-cert-path.")
	set.StringVar(&f.metricsCertKey, "metrics-cert-key", "tls.key", "File with its key in --metrics-cert-path.")
	set.BoolVar(&f.metricsEach, "metrics-per-resource", true, "Have series for each resource. Otherwise the metrics tell only how many there are of what kind.")
	set.StringVar(&f.probeAddress, "health-probe-bind-address", ":8081", "Address of /healthz and /readyz. 0 turns it off.")
	set.StringVar(&f.pprofAddress, "pprof-bind-address", "0", "Address of Go's profiles under /debug/pprof/, without TLS or login: keep it on loopback, for example 127.0.0.1:6060. 0 turns it off.")
	set.BoolVar(&f.leaderElect, "leader-elect", false, "Elect a leader, so that of several replicas one works.")
	set.StringVar(&f.leaderNamespace, "leader-election-namespace", "", "Namespace of the leader lease. By default the one that the operator runs in.")
	set.DurationVar(&f.leaseDuration, "leader-elect-lease-duration", 15*time.Second, "How long a leader that is not heard of keeps its lease.")
	set.DurationVar(&f.renewDeadline, "leader-elect-renew-deadline", 10*time.Second, "How long the leader tries to renew its lease before it ends. Less than the lease's duration.")
	set.DurationVar(&f.retryPeriod, "leader-elect-retry-period", 2*time.Second, "Time between two tries to get or renew the lease.")
	set.StringVar(&f.namespaces, "namespaces", "", "Comma-separated namespaces to watch. Empty means all.")
	set.StringVar(&f.watchLabelSelector, "watch-label-selector", "", "Label selector of the GitHubUserTokens and Apps to serve, such as sharding.fluxcd.io/key=shard1. The others are known, and left to other deployments. Empty means all.")
	set.StringVar(&f.limitShare, "github-limit-share", "1", "Part of each of GitHub's limits that this deployment may use, such as 1/3 or 25%, where several share a cluster.")
	set.StringVar(&f.clusterNamespace, "cluster-resource-namespace", "", "Namespace of the client secrets of ClusterGitHubApps. By default the one that the operator runs in. With --namespaces there are no ClusterGitHubApps.")
	set.StringVar(&f.allowedHosts, "allowed-hosts", strings.Join(github.DefaultAllowedHosts, ","), "Comma-separated hosts that spec.app.host may name: HOST, HOST:PORT or *.DOMAIN.")
	set.StringVar(&f.allowedAddresses, "allowed-addresses", "", "Comma-separated networks (CIDR) to connect to although they are loopback, link-local or the like.")
	set.StringVar(&f.githubCAFile, "github-ca-file", "", "PEM file with certificates to trust for GitHub hosts, beside the system's.")
	set.BoolVar(&f.proxyFromEnv, "proxy-from-environment", false, "Use HTTPS_PROXY and NO_PROXY for connections to GitHub hosts.")
	set.StringVar(&f.outboxDir, "outbox-dir", "/var/run/github-user-token-operator/outbox", "Directory, memory-backed and this replica's own, for received pairs until they are stored.")
	set.BoolVar(&f.outboxAllowDisk, "outbox-allow-disk", false, "Accept an outbox that is not memory-backed. Tokens are then written to a disk.")
	set.IntVar(&f.requestsPerHour, "token-requests-per-hour", 2000, "Token requests per hour and App, GitHub's documented limit by default. 0 means no limit.")
	set.IntVar(&f.unprovenPerHour, "unproven-app-requests-per-hour", ratelimit.DefaultUnprovenPerHour, "Token requests per hour of all Apps of a host together that GitHub has not answered with success since the start. Polls of the codes that GitHub has given out for them come on top, 740 at most.")
	set.IntVar(&f.concurrentExchanges, "max-concurrent-exchanges", 256, "Exchanges under way at once.")
	set.BoolVar(&f.requireUser, "require-user", false, "Let nobody log in, and exchange nothing, for a resource whose spec.user names no account.")
	set.StringVar(&f.loginPage, "login-page-url", "", "Base URL of the login page (https), below which logins by the web flow may have their callback, beside http://127.0.0.1:PORT/. Empty: there is none.")
	set.BoolVar(&f.enableHandoff, "enable-handoff", false, "Allow spec.handoff: tell pods of new tokens and restart workloads. Needs config/components/handoff.")
	set.BoolVar(&f.enableScoped, "enable-scoped-outputs", false, "Allow scopedOutputs, for which GitHub makes tokens that can do less than the user's.")
	set.StringVar(&f.webhookAddress, "webhook-receiver-bind-address", "0", "Address of the receiver for GitHub's webhook github_app_authorization, for example :8090. 0 turns it off.")
	set.StringVar(&f.webhookSecretFile, "webhook-secret-file", "", "File with the webhook's secret. Without it only the addresses of GitHubApps and ClusterGitHubApps are served.")
	set.Float64Var(&f.kubeAPIQPS, "kube-api-qps", -1, "Requests per second to the API server, on average. Negative means no limit: commits must not queue behind fences, and the API server shares itself out fairly.")
	set.IntVar(&f.kubeAPIBurst, "kube-api-burst", 200, "Requests to the API server at once, when --kube-api-qps sets a limit.")
	set.DurationVar(&f.shutdownTimeout, "shutdown-timeout", time.Minute, "How long to wait at shutdown for exchanges under way and for their pairs to be stored.")
	f.zap.BindFlags(set)
	return f
}

func main() {
	if len(os.Args) > 1 {
		switch os.Args[1] {
		case loginPageCommand:
			mainLoginPage(os.Args[2:])
			return
		case tokenServerCommand:
			mainTokenServer(os.Args[2:])
			return
		}
	}
	f := newFlags(flag.CommandLine)
	flag.Parse()
	ctrl.SetLogger(zap.New(zap.UseFlagOptions(&f.zap)))
	if err := run(ctrl.SetupSignalHandler(), f); err != nil {
		ctrl.Log.Error(err, "The operator ends")
		os.Exit(1)
	}
}

// run is the operator from start to end. Whatever ends the manager (a signal, a lost lease), exchanges under
// way are waited for: controller-runtime does not do that when the lease is lost, so it is done here.
func run(ctx context.Context, f *flags) error {
	log := ctrl.Log.WithName("setup")
	log.Info("Starting", "version", version)
	if err := metrics.Registry.Register(buildInfo("")); err != nil {
		return fmt.Errorf("register the metrics: %w", err)
	}
	kept, err := outbox.Open(f.outboxDir, outbox.Options{AllowDisk: f.outboxAllowDisk, Slots: f.concurrentExchanges})
	if err != nil {
		return fmt.Errorf("open the outbox: %w", err)
	}
	defer func() { _ = kept.Close() }()
	limitMemory(log, memlimit.FromCgroup, kept.Memory())
	go releaseAtRest(ctx, keepRoom(log))
	watched := namespaces.New(list(f.namespaces), ctrl.Log.WithName("namespaces"))
	served, err := controllers.ParseShard(f.watchLabelSelector, f.limitShare, len(list(f.namespaces)))
	if err != nil {
		return err
	}
	if selector := served.Selector; selector.String() != "" {
		log.Info("Serving a part of the resources", "selector", selector.String(), "lease", selector.LeaseName(leaseName), "limitShare", f.limitShare)
	}
	mgr, err := newManager(f, watched, served)
	if err != nil {
		return err
	}
	gitHub, err := newGitHub(f, mgr)
	if err != nil {
		return err
	}
	reconciler, err := controllers.New(mgr, controllers.Options{
		GitHub: gitHub, Outbox: kept, Holder: kept.Holder(), NewID: uuid.NewString,
		Watched: watched, Shard: served, ClusterApps: f.namespaces == "", ClusterResourceNamespace: cmp.Or(f.clusterNamespace, ownNamespace()), TokenRequestsPerHour: f.requestsPerHour, UnprovenRequestsPerHour: f.unprovenPerHour,
		MaxConcurrentExchanges: f.concurrentExchanges, RequireUser: f.requireUser, LoginPage: f.loginPage, EnableHandoff: f.enableHandoff, EnableScopedOutputs: f.enableScoped, AggregateMetrics: !f.metricsEach,
	})
	if err != nil {
		return err
	}
	ready := readiness{}
	if err := ready.wantCaches(mgr); err != nil {
		return err
	}
	ready.wantOnce("namespaces", watched.Ready)
	ready.wantOnce("outbox", func(*http.Request) error { return kept.Ready() })
	if f.webhookAddress != "0" {
		receiver, err := reconciler.ReceiveWebhooks(mgr, f.webhookAddress, f.webhookSecretFile)
		if err != nil {
			return fmt.Errorf("--webhook-receiver-bind-address: %w", err)
		}
		ready.wantOnce("webhooks", receiver.Ready)
	}
	if err := addServers(mgr, f, ready, reconciler.WriteResourceMetrics); err != nil {
		return err
	}
	records, err := kept.List()
	if err != nil {
		// Those that could be read are replayed; a damaged one must not keep the operator from starting.
		log.Error(err, "Not all pairs in the outbox could be read; see githubusertoken_outbox_corrupt_records")
	}
	reconciler.Replay(log, records)

	ended := mgr.Start(ctx)
	drain, cancel := context.WithTimeout(context.Background(), f.shutdownTimeout)
	defer cancel()
	if err := reconciler.Runner.Drain(drain); err != nil {
		return errors.Join(ended, fmt.Errorf("%d exchanges are still under way after %s; their pairs are in the outbox: %w",
			reconciler.Runner.Count(), f.shutdownTimeout, err))
	}
	return ended
}

// leaseName is that of the lease of a deployment that serves everything.
const leaseName = "github-user-token-operator"

// ownNamespace is the namespace of the pod that this process runs in; empty outside of a cluster.
func ownNamespace() string {
	content, err := os.ReadFile("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(content))
}

func newManager(f *flags, watched *namespaces.Watched, served controllers.Shard) (manager.Manager, error) {
	scheme := runtime.NewScheme()
	utilruntime.Must(clientgoscheme.AddToScheme(scheme))
	utilruntime.Must(v1alpha1.AddToScheme(scheme))
	config, err := ctrl.GetConfig()
	if err != nil {
		return nil, fmt.Errorf("find the API server: %w", err)
	}
	config.QPS, config.Burst = float32(f.kubeAPIQPS), f.kubeAPIBurst
	config.UserAgent = "github-user-token-operator/" + version
	config.Wrap(watched.Transport)
	noWait := time.Duration(0)
	mgr, err := ctrl.NewManager(config, ctrl.Options{
		Scheme:                  scheme,
		NewCache:                controllers.NewCache,
		Cache:                   controllers.CacheOptions(watched, served.Selector.Keys()...),
		Metrics:                 metricsserver.Options{BindAddress: "0"}, // See serve.go.
		HealthProbeBindAddress:  "0",
		PprofBindAddress:        f.pprofAddress,
		LeaderElection:          f.leaderElect,
		LeaderElectionID:        served.Selector.LeaseName(leaseName),
		LeaderElectionNamespace: f.leaderNamespace,
		LeaseDuration:           &f.leaseDuration,
		RenewDeadline:           &f.renewDeadline,
		RetryPeriod:             &f.retryPeriod,
		// The lease is not released early: the next leader must not begin while exchanges are under way here.
		LeaderElectionReleaseOnCancel: false,
		// Reconciles do not wait for anything; what has to be waited for is waited for in run.
		GracefulShutdownTimeout: &noWait,
	})
	if err != nil {
		return nil, fmt.Errorf("set up the manager: %w", err)
	}
	return mgr, nil
}

func newGitHub(f *flags, mgr manager.Manager) (*github.Client, error) {
	options := github.Options{
		AllowedHosts: list(f.allowedHosts), ProxyFromEnvironment: f.proxyFromEnv,
		UserAgent: "github-user-token-operator/" + version,
		OnClock:   controllers.WatchClock(ctrl.Log.WithName("clock")),
		OnCall:    controllers.CountCall,
	}
	for _, text := range list(f.allowedAddresses) {
		network, err := netip.ParsePrefix(text)
		if err != nil {
			return nil, fmt.Errorf("--allowed-addresses: %q is no network such as 127.0.0.0/8: %w", text, err)
		}
		options.AllowedAddresses = append(options.AllowedAddresses, network)
	}
	if f.githubCAFile != "" {
		authorities, err := followCAFile(f.githubCAFile, mgr)
		if err != nil {
			return nil, fmt.Errorf("--github-ca-file: %w", err)
		}
		options.Authorities = authorities
	}
	client, err := github.New(options)
	if err != nil {
		return nil, fmt.Errorf("set up the GitHub client: %w", err)
	}
	return client, nil
}

// list splits a comma-separated flag.
func list(text string) []string {
	var items []string
	for item := range strings.SplitSeq(text, ",") {
		if item = strings.TrimSpace(item); item != "" {
			items = append(items, item)
		}
	}
	return items
}
