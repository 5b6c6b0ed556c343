package commands

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/cmd/kubectl-ghut/internal/cluster"
	"github.com/githubusertoken/github-user-token-operator/cmd/kubectl-ghut/internal/login"
	"github.com/githubusertoken/github-user-token-operator/cmd/kubectl-ghut/internal/qr"
	"github.com/githubusertoken/github-user-token-operator/cmd/kubectl-ghut/internal/standing"
)

// lookEvery is how often a command that waits looks at the resource, and silentAfter after how long it says that nothing happens.
const (
	lookEvery   = time.Second
	silentAfter = 30 * time.Second
)

type loginOptions struct {
	create          bool
	new             login.New
	web, device     bool
	link            bool
	again           bool
	port            int
	noBrowser, noQR bool
	timeout         time.Duration
}

func newLogin(e *environment) *cobra.Command {
	var o loginOptions
	cmd := oneName(e, &cobra.Command{
		Use:   "login NAME",
		Short: "Log in to GitHub for a resource, which has a token then",
		Long: `Log in to GitHub for a resource, which has a token then.

By the device flow the command shows a code, opens the page of GitHub where it is entered, and waits until you have done so. If
the codes of before have ended, it asks the operator for another.

By the web flow (--web, or where the resource has no other method) it opens a page of GitHub that comes back to this machine, to
http://127.0.0.1:8976/callback, or with port 8977 or 8978 if that is taken: what is to work must be among the callback URLs of the
App. The operator redeems what comes back.

No token and no client secret comes to this machine.

With --link nobody is logged in here: the command prints a link of the operator's login page, to be sent to whoever owns the account.

With --create the resource is made first:

  kubectl ghut login octocat --create --app Iv23liEXAMPLE --account octocat`,
		RunE: func(cmd *cobra.Command, args []string) error {
			return e.begin(cmd.Context(), args[0], func(ctx context.Context, t *task) error {
				return t.within(ctx, o.timeout, func(ctx context.Context) error { return t.login(ctx, o) })
			})
		},
	})
	flags := cmd.Flags()
	flags.BoolVar(&o.create, "create", false, "make the resource if there is none")
	flags.StringVar(&o.new.App, "app", "", "with --create: the App, by its client ID, githubapp/NAME or clustergithubapp/NAME")
	flags.StringVar(&o.new.Host, "host", "", "with --create and a client ID: the host of the App (default github.com); with the web flow: that of an App that you may not read")
	flags.StringVar(&o.new.ClientSecret, "client-secret", "", "with --create and a client ID: the name of the Secret with the App's client secret")
	flags.StringVar(&o.new.Account, "account", "", "with --create: the login of the account, so that no other is taken")
	flags.StringVar(&o.new.Secret, "secret", "", "with --create: the name of the Secret for the token (default NAME)")
	flags.BoolVar(&o.web, "web", false, "log in by the web flow")
	flags.BoolVar(&o.device, "device", false, "log in by the device flow")
	flags.BoolVar(&o.link, "link", false, "log nobody in, but print a link of the operator's login page, for the account of spec.user")
	flags.BoolVar(&o.again, "again", false, "with the web flow: log in although somebody is logged in")
	flags.IntVar(&o.port, "port", 0, "with the web flow: the port on which the browser comes back, and no other")
	flags.BoolVar(&o.noBrowser, "no-browser", false, "open no browser")
	flags.BoolVar(&o.noQR, "no-qr", false, "draw no QR code")
	flags.DurationVar(&o.timeout, "timeout", 20*time.Minute, "how long to wait for you")
	return cmd
}

func (t *task) login(ctx context.Context, o loginOptions) error {
	if o.web && o.device || o.link && o.device {
		return errors.New("either --device, or --web or --link")
	}
	t.stands = "Nobody was logged in. To begin anew, give the same command again."
	if err := t.readToLogIn(ctx, o); err != nil {
		return err
	}
	err := t.withWhatIsLeft(t.loginBy(ctx, methodOf(t.token, o), o))
	if err != nil && t.made {
		t.stands += "\n" + t.whatIsLeft() // Of a command that is ended early that is what is told.
	}
	return err
}

func (t *task) loginBy(ctx context.Context, method v1alpha1.LoginMethod, o loginOptions) error {
	switch {
	case !t.token.Spec.HasLoginMethod(method):
		return &exitError{2, errors.New(noMethod(t.token, method))}
	case o.link:
		return t.offerLink(ctx)
	case method == v1alpha1.LoginMethodWebFlow:
		return t.loginByWeb(ctx, o)
	default:
		return t.loginByDevice(ctx, o)
	}
}

// methodOf is by which method to log in: the one that was asked for, or else the device flow where the resource has it.
func methodOf(token *v1alpha1.GitHubUserToken, o loginOptions) v1alpha1.LoginMethod {
	device, web := v1alpha1.LoginMethodDeviceFlow, v1alpha1.LoginMethodWebFlow
	if o.web || o.link || !o.device && !token.Spec.HasLoginMethod(device) && token.Spec.HasLoginMethod(web) {
		return web
	}
	return device
}

// readToLogIn reads the resource, and makes it first if that is wanted.
func (t *task) readToLogIn(ctx context.Context, o loginOptions) error {
	if !o.create {
		if o.new != (login.New{Host: o.new.Host}) {
			return errors.New("--app, --client-secret, --account and --secret go with --create")
		}
		return t.read(ctx)
	}
	o.new.Namespace, o.new.Name, o.new.Method = t.Namespace, t.name, v1alpha1.LoginMethodDeviceFlow
	if o.web || o.link {
		o.new.Method = v1alpha1.LoginMethodWebFlow
	}
	return t.makeResource(ctx, o.new)
}

// noMethod says how a resource lets nobody log in by a method, and what to do about it.
func noMethod(token *v1alpha1.GitHubUserToken, method v1alpha1.LoginMethod) string {
	methods, spec, also := []v1alpha1.LoginMethod{method}, map[string]any{}, ""
	for _, other := range []v1alpha1.LoginMethod{v1alpha1.LoginMethodDeviceFlow, v1alpha1.LoginMethodWebFlow} {
		if other != method && token.Spec.HasLoginMethod(other) {
			methods = append(methods, other)
		}
	}
	wanted := map[string]any{"methods": methods}
	if old := token.Spec.DeviceFlow; old != nil { //nolint:staticcheck // It is served, and beside it there may be no spec.login.
		spec["deviceFlow"] = nil
		if len(old.Scopes) > 0 {
			wanted["scopes"] = old.Scopes
		}
	}
	if app := &token.Spec.App; method == v1alpha1.LoginMethodWebFlow && app.Ref == nil && app.ClientSecretRef == nil {
		spec["app"] = map[string]any{"clientSecretRef": map[string]any{"name": "SECRET"}}
		also = ", with the name of the Secret that has the App's client secret for SECRET"
	}
	spec["login"] = wanted
	change, _ := json.Marshal(map[string]any{"spec": spec}) // It never fails.
	text := fmt.Sprintf("%s lets nobody log in by the %s. To allow it: kubectl -n %s patch ghut %s --type merge -p '%s'%s",
		token.Name, map[v1alpha1.LoginMethod]string{v1alpha1.LoginMethodDeviceFlow: "device flow", v1alpha1.LoginMethodWebFlow: "web flow"}[method],
		token.Namespace, token.Name, change, also)
	if ref := token.Spec.RefreshTokenRef; ref != nil {
		text += fmt.Sprintf("; or put a refresh token into the Secret %s", ref.Name)
	}
	return text
}

func (t *task) loginByDevice(ctx context.Context, o loginOptions) error {
	flow := &login.Device{}
	begun, hinted := t.now(), false
	t.stands = "No code was shown yet, and nobody was logged in. To go on: " + t.command("login")
	for {
		step, text := flow.Next(t.token, t.now())
		switch step {
		case login.Show:
			t.showCode(ctx, o)
			hinted = true
		case login.Ask:
			if err := t.askForRefresh(ctx); err != nil {
				return err
			}
			t.say("No code is offered. Asked the operator for one.")
			t.stands = "The operator was asked for a code, which was not shown yet. To go on: " + t.command("login")
		case login.Done:
			t.print("%s", text)
			return nil
		case login.Fail:
			return t.failed(text)
		}
		if aside := flow.Aside(t.token); aside != "" {
			t.say("%s", aside)
			hinted = true
		}
		if !hinted && t.now().Sub(begun) > silentAfter {
			t.say("Nothing has happened yet. Is the operator at work? kubectl ghut check")
			hinted = true
		}
		if err := t.lookAgain(ctx); err != nil {
			return err
		}
	}
}

// lookAgain reads the resource anew after a moment. One that was replaced meanwhile is another resource. An API server that does not
// answer for a while ends no command: it is asked until the command has had its time.
func (t *task) lookAgain(ctx context.Context) error {
	for told := false; ; {
		if err := t.sleep(ctx, lookEvery); err != nil {
			return err
		}
		next, err := t.Token(ctx, t.name)
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx) // Which tells more than that a deadline was exceeded.
		case err == nil && next.UID != t.token.UID:
			return fmt.Errorf("%s was deleted and made anew meanwhile", t.name)
		case err == nil:
			t.token = next
			return nil
		case cluster.IsFinal(err):
			return err
		case !told:
			t.say("The API server does not answer, and is asked again: %v", err)
			told = true
		}
	}
}

// failed is an error for the state of the resource, whose exit code is that of the state and never 0.
func (t *task) failed(text string) error {
	return &exitError{failCode(t.token, t.now()), errors.New(text)}
}

func failCode(token *v1alpha1.GitHubUserToken, now time.Time) int {
	return max(1, standing.StateOf(token, now).ExitCode())
}

// showCode shows the code, on standard error whatever is piped where, and brings the page.
func (t *task) showCode(ctx context.Context, o loginOptions) {
	code := t.token.Status.Authorization
	until := code.ExpirationTime.UTC().Format("15:04:05Z")
	t.say("\nOpen %s%s,\nand enter the code\n\n    %s\n", code.VerificationURI, t.signedIn(), code.UserCode)
	t.say("It is good until %s. Enter only a code that you have asked for yourself.", until)
	t.stands = fmt.Sprintf("The code %s is good until %s: whoever enters it logs in, also without this command. To go on waiting: %s",
		code.UserCode, until, t.command("login"))
	if !o.noQR && t.errIsTerminal() {
		if drawn, err := qr.Draw(code.VerificationURI); err == nil {
			t.say("%s", drawn)
		}
	}
	if !o.noBrowser {
		if err := t.openBrowser(ctx, code.VerificationURI); err != nil {
			t.say("No browser was opened: %v.", err)
		}
	}
	t.say("Waiting for you …")
}

// signedIn says as whom to be signed in to GitHub, where spec.user says so.
func (t *task) signedIn() string {
	if wanted := login.Wanted(t.token); wanted != "" {
		return ", signed in as " + wanted
	}
	return ""
}
