package bench

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	ctrllog "sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/hack/controlplane"
	"github.com/githubusertoken/github-user-token-operator/hack/demo/stage"
	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/test/suite"
)

const (
	clientID     = "Iv23liBENCH"
	clientSecret = "5ca1ab1e0ddba115ca1ab1e0ddba115ca1ab1e0d"
	// theOperator and thePlain are who they are to the API server.
	theOperator = "system:serviceaccount:" + stage.Namespace + ":" + stage.ServiceAccount
	thePlain    = "system:serviceaccount:default:plain"
)

// the is what all tests of this package share.
var the struct {
	stage *stage.Stage
	admin client.Client
	// plain is how the plain client reaches the API server: with the operator's rights.
	plain *rest.Config
	audit *follower
	// fresh is a resource that nobody has looked at yet, and left one as the operator has left it.
	fresh, left template
	// debug is where the operator serves profiles.
	debug string
}

func TestMain(m *testing.M) { suite.Main(m, run) }

func run(m *testing.M) (int, error) {
	if err := suite.Parallel(1); err != nil { // What is measured wants the machine to itself.
		return 1, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Hour)
	defer cancel()
	ctrllog.SetLogger(logr.Discard())
	if settings.profile != "" {
		if err := os.MkdirAll(settings.profile, 0o700); err != nil {
			return 1, err
		}
	}
	var err error
	the.stage, err = stage.Start(ctx, stage.Options{
		Log: os.Stderr, AuditPolicy: strings.Replace(suite.AuditPolicy, v1alpha1.GroupVersion.Group+"}", v1alpha1.GroupVersion.Group+"}\n  - {group: "+bareGroup+"}", 1), APIServerArgs: []string{"--audit-log-maxsize=100000"},
		OperatorEnv: []string{"GOMEMLIMIT=" + settings.memory},
	})
	if err != nil {
		return 1, err
	}
	defer the.stage.Stop()
	if err := prepare(ctx); err != nil {
		return 1, err
	}
	code := m.Run()
	return code, results.write()
}

// prepare sets up everything but resources. The operator is stopped when it returns.
func prepare(ctx context.Context) error {
	err := the.stage.StartGitHub(ctx, stage.GitHubOptions{
		Apps:                append(recoveryAppsOf(), stage.App{ClientID: clientID, Secret: credential.NewClientSecret(clientSecret)}),
		AccessTokenLifetime: lifetime, Quiet: true,
	})
	if err != nil {
		return err
	}
	scheme, err := stage.Scheme()
	if err != nil {
		return err
	}
	if the.admin, err = client.New(the.stage.Plane.AdminConfig(), client.Options{Scheme: scheme}); err != nil {
		return fmt.Errorf("make a client: %w", err)
	}
	if err := preparePlain(ctx); err != nil {
		return err
	}
	if the.audit, err = follow(the.stage.Plane.AuditLogPath()); err != nil {
		return err
	}
	address, release, err := controlplane.ReserveAddress()
	if err != nil {
		return err
	}
	defer release()
	the.debug = address
	return makeTemplates(ctx, func() error { return useOperator(ctx, 0) })
}

// useOperator starts an operator with a limit of token requests an hour for each App; 0 is none. Apps have it from the start, as those
// of an operator that has run for a while. It is the one that is started and stopped from then on.
func useOperator(ctx context.Context, perHour int) error {
	return the.stage.StartOperator(ctx,
		// A start need not wait for the former one's lease.
		"--leader-elect=false",
		"--metrics-secure=false",
		"--allowed-hosts="+the.stage.GitHub.Host(),
		fmt.Sprintf("--token-requests-per-hour=%d", perHour),
		fmt.Sprintf("--unproven-app-requests-per-hour=%d", max(1, perHour)),
		"--pprof-bind-address="+the.debug,
	)
}

// preparePlain gives the plain client the operator's rights.
func preparePlain(ctx context.Context) error {
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "plain"}}
	objects := []client.Object{account}
	for _, role := range []string{stage.ServiceAccount, stage.ServiceAccount + "-cluster-apps", "bench-bare"} {
		objects = append(objects, &rbacv1.ClusterRoleBinding{
			ObjectMeta: metav1.ObjectMeta{Name: "plain-" + role},
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role},
			Subjects:   []rbacv1.Subject{{Kind: "ServiceAccount", Namespace: account.Namespace, Name: account.Name}},
		})
	}
	objects = append(objects, bareType(), &rbacv1.ClusterRole{
		ObjectMeta: metav1.ObjectMeta{Name: "bench-bare"},
		Rules:      []rbacv1.PolicyRule{{APIGroups: []string{bareGroup}, Resources: []string{"*"}, Verbs: []string{"*"}}},
	})
	for _, object := range objects {
		if err := the.admin.Create(ctx, object); err != nil {
			return fmt.Errorf("make %s: %w", object.GetName(), err)
		}
	}
	var err error
	the.plain, err = the.stage.Plane.ServiceAccountConfig(ctx, account.Namespace, account.Name)
	return err
}
