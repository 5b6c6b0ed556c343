package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/hack/demo/stage"
	"github.com/githubusertoken/github-user-token-operator/internal/github"
)

// wanted is the number of rotations after which a demo that is to end has seen enough.
const wanted = 3

// spare is how long the rotations may take beyond what the lifetime accounts for.
const spare = time.Minute

type options struct {
	once     bool
	lifetime time.Duration
}

// run is the demo. It returns nil when everything that it was to see was seen.
func run(ctx context.Context, o options, out io.Writer) error {
	if o.lifetime < 4*time.Second || o.lifetime%time.Second != 0 {
		return errors.New("--lifetime must be a number of whole seconds, at least 4s")
	}
	s, err := stage.Start(ctx, stage.Options{Log: out})
	if err != nil {
		return err
	}
	defer func() {
		fmt.Fprintln(out, "Stopping")
		s.Stop()
	}()
	plugin, err := s.BuildPlugin(ctx, "demo")
	if err != nil {
		return err
	}
	page, release, err := reserveLoginPage()
	if err != nil {
		return err
	}
	defer release()
	w, err := startOperator(ctx, s, o.lifetime, page)
	if err != nil {
		return err
	}
	kubeconfig, err := makePerson(ctx, s)
	if err != nil {
		return err
	}
	changes := make(chan stage.Change, 100)
	reports := make(chan report, 100)
	err = s.Watch(ctx, stage.Watcher{
		Pair: func(change stage.Change) { send(ctx, changes, change) },
		Resource: func(name types.NamespacedName, token *v1alpha1.GitHubUserToken) {
			send(ctx, reports, report{name, token})
		},
	})
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "Applying the samples as the user %q: kubectl apply -k %s\n", person, samples)
	if _, err := s.Kubectl(ctx, "apply", "-k", samples, "--kubeconfig="+kubeconfig); err != nil {
		return err
	}
	if err := shareApp(ctx, s, w, kubeconfig); err != nil {
		return err
	}
	if !o.once {
		if err := page.start(ctx, s); err != nil {
			return err
		}
	}
	introduce(out, s, w, kubeconfig, plugin, page)
	if !o.once { // which would wait for a person
		if err := applyAtStandIn(ctx, s, "A resource for which a person logs in", deviceFlow, kubeconfig); err != nil {
			return err
		}
		if err := applyAtStandIn(ctx, s, "A resource for which a person logs in by a link", loginLink, kubeconfig); err != nil {
			return err
		}
		fmt.Fprintf(out, "A token that can read one repository, for an agent, in the Secret octobot-agent: kubectl -n team-a apply -f %s\n", scopedOutput)
		fmt.Fprintf(out, "Two authorizations in turn, so that no call fails, in the Secret octoturns-token: kubectl -n team-a apply -f %s\n", alternate)
		for _, sample := range []string{scopedOutput, alternate} {
			if _, err := s.Kubectl(ctx, "apply", "-n", "team-a", "-f", sample, "--kubeconfig="+kubeconfig); err != nil {
				return err
			}
		}
	}

	var enough <-chan time.Time
	if o.once {
		enough = time.After((wanted+1)*o.lifetime + spare)
	}
	broken := s.Broken(ctx)
	show := newShow(out, s.GitHub)
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case err := <-broken:
			return err
		case <-enough:
			return fmt.Errorf("there were no %d rotations within %s; the end of the operator's log:\n%s",
				wanted, (wanted+1)*o.lifetime+spare, s.Operator.LogTail())
		case r := <-reports:
			show.report(r)
		case change := <-changes:
			problem, err := show.change(ctx, change)
			if err != nil {
				return err
			}
			if o.once && problem != "" {
				return fmt.Errorf("%s: %s", change.Resource, problem)
			}
			if o.once && show.seen(w.shown, wanted) {
				return conclude(ctx, out, s.GitHub)
			}
		}
	}
}

func send[T any](ctx context.Context, to chan<- T, value T) {
	select {
	case to <- value:
	case <-ctx.Done():
	}
}

// startOperator starts the stand-in, with all that the samples speak of, and the operator.
func startOperator(ctx context.Context, s *stage.Stage, lifetime time.Duration, page *loginPage) (*world, error) {
	w, err := readSamples(ctx, s)
	if err != nil {
		return nil, err
	}
	w.apps = append(w.apps, myTokens)
	for i := range w.apps {
		w.apps[i].Callbacks = page.callbacks()
	}
	fmt.Fprintf(s.Log(), "Starting the stand-in for GitHub; access tokens live for %s\n", lifetime)
	err = s.StartGitHub(ctx, stage.GitHubOptions{Apps: w.apps, Users: w.users, AccessTokenLifetime: lifetime})
	if err != nil {
		return nil, err
	}
	for _, l := range w.logins {
		if err := s.GitHub.Adopt(ctx, l.clientID, l.user, l.token); err != nil {
			return nil, err
		}
	}
	arguments, err := s.ReceiveWebhooks(ctx, w.apps)
	if err != nil {
		return nil, err
	}
	// By its own address the stand-in is an Enterprise Server with a private certificate authority.
	hosts := append(slices.Clone(github.DefaultAllowedHosts), s.GitHub.Host())
	arguments = append(arguments, "--allowed-hosts="+strings.Join(hosts, ","), "--login-page-url="+page.url, "--enable-scoped-outputs")
	fmt.Fprintf(s.Log(), "Starting the operator as ServiceAccount %s/%s\n", stage.Namespace, stage.ServiceAccount)
	return w, s.StartOperator(ctx, arguments...)
}

// introduce says where to look.
func introduce(out io.Writer, s *stage.Stage, w *world, kubeconfig, plugin string, page *loginPage) {
	first := w.logins[0]
	fmt.Fprintf(out, `
The operator runs. In another terminal, as a user with the role "edit" in every namespace:

  export KUBECONFIG=%s
`, kubeconfig)
	if _, err := exec.LookPath("kubectl"); err != nil {
		fmt.Fprintf(out, "  export PATH=$PATH:%s\n", filepath.Dir(s.Plane.Kubectl(context.Background()).Path))
	}
	fmt.Fprintf(out, "  export PATH=%s:$PATH    # kubectl ghut\n", plugin)
	fmt.Fprintf(out, `
  kubectl ghut status -A                              # and kubectl ghut help
  kubectl ghut status octocat -n team-a
  kubectl ghut login monalisa -n team-a --no-browser  # a person is wanted there
  kubectl ghut login mona -n team-a --web             # or by the link that is told below
  kubectl ghut check -n team-a
  kubectl -n team-a get ghut octocat --watch
  kubectl -n team-a describe ghut octocat
  kubectl -n team-a annotate ghut octocat githubusertoken.dev/refresh-requested-at="$(date)" --overwrite
  kubectl -n team-a delete secret octocat-token       # and see it come back
  kubectl -n team-b get ghut octocat -o wide          # by an App whose client secret the team does not have
  kubectl explain githubusertoken.spec

Tokens are named by the first digits of their SHA-256, and never shown.
A refresh token can be spent once. After a revocation, or after kubectl delete -k and apply -k of %s, log in anew:

  curl -sX POST '%s/mint?app=%s&user=%s&only=refresh_token' |
    kubectl -n team-a create secret generic octocat-seed --from-file=refresh_token=/dev/stdin --dry-run=client -o yaml |
    kubectl apply --server-side --force-conflicts -f -

The operator takes the stand-in for github.com as well, and octocat's App is there. The Apps of monalisa and mona, for whom a person is
wanted, are at its own address, which a browser on this machine reaches; its certificate is signed by %s:
  where a code is entered                %s
  where an authorization is revoked      %s

The stand-in as an Enterprise Server     spec.app.host: %s
The stand-in's admin side                %s
The administrator's kubeconfig           %s
  with it, the App of team-b             kubectl get clustergithubapp platform -o wide
The operator's log                       %s

`, samples, s.GitHub.Admin(), first.clientID, first.user,
		s.GitHub.CAFile(), s.GitHub.Page(), "https://"+s.GitHub.Host()+"/settings/apps/authorizations",
		s.GitHub.Host(), s.GitHub.Admin(), s.Plane.AdminKubeconfig(), s.Operator.LogPath())
	if page.caFile != "" {
		fmt.Fprintf(out, "The login page, with links that are told below, is signed by %s\n", page.caFile)
		fmt.Fprintf(out, "My tokens, where people see and revoke what they have logged in there for   %s/tokens\n\n", page.url)
	}
}

// conclude is the last look before a demo that is to end says that all is well.
func conclude(ctx context.Context, out io.Writer, gh *stage.GitHub) error {
	ledger, err := gh.Ledger(ctx)
	if err != nil {
		return err
	}
	if n := len(ledger.DoubleSpends); n > 0 {
		return fmt.Errorf("the stand-in saw %d refresh tokens that had been spent before", n)
	}
	if n := len(ledger.Violations); n > 0 {
		return fmt.Errorf("the stand-in holds %d things against the operator, the first: %s", n, ledger.Violations[0].Rule)
	}
	fmt.Fprintf(out, "\n%d rotations of each seen. Each left the previous pair dead and the new one alive; no refresh token was presented twice.\n", wanted)
	return nil
}
