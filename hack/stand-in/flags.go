package main

import (
	"flag"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/githubusertoken/github-user-token-operator/internal/github/githubtest"
)

// flags are the command line, parsed.
type flags struct {
	listen, admin    string
	caFile, infoFile string
	names            []string
	quiet            bool
	drain            time.Duration
	options          githubtest.Options
}

func parseFlags(args []string, out io.Writer) (flags, error) {
	f := flags{options: githubtest.Options{}}
	set := flag.NewFlagSet("stand-in", flag.ContinueOnError)
	set.SetOutput(out)
	set.StringVar(&f.listen, "listen", "127.0.0.1:8443", "`address` of the TLS site; port 0 takes a free one")
	set.StringVar(&f.admin, "admin", "127.0.0.1:8444", "`address` of the admin side, without TLS or login: keep it on loopback")
	set.StringVar(&f.caFile, "ca-file", "", "`path` to write the certificate authority to")
	set.StringVar(&f.infoFile, "info-file", "", "`path` to write the addresses to as JSON, once all are served")
	set.BoolVar(&f.quiet, "quiet", false, "print no line for each refresh token presented")
	set.DurationVar(&f.drain, "drain", 5*time.Second, "how long requests under way may take at the end")
	set.Func("name", "DNS `name` or IP address that the certificate is good for; may be repeated (default: any that is asked for)",
		func(text string) error {
			f.names = append(f.names, strings.Split(text, ",")...)
			return nil
		})
	access := set.Duration("access-token-lifetime", githubtest.DefaultAccessTokenLifetime, "lifetime of access tokens")
	refresh := set.Duration("refresh-token-lifetime", githubtest.DefaultRefreshTokenLifetime, "lifetime of refresh tokens")
	maxTokens := set.Int("max-tokens", githubtest.DefaultMaxTokens, "tokens a user may have of an App; negative: no limit")
	maxCreations := set.Int("max-creations", githubtest.DefaultMaxCreations,
		"tokens that can be created in an hour for a user and App before the person is asked again; negative: no limit")
	codeEntries := set.Int("device-code-entries", githubtest.DefaultDeviceCodeEntries,
		"user codes that may be entered in an hour for an App; negative: no limit")
	rateLimit := set.Int("rate-limit", 0, "token requests an hour for an App; GitHub has 2000, 0 is no limit")
	deviceInterval := set.Duration("device-interval", githubtest.DefaultDeviceInterval, "shortest time between two polls of the device flow")
	deviceLifetime := set.Duration("device-code-lifetime", githubtest.DefaultDeviceCodeLifetime, "lifetime of user codes")
	set.DurationVar(&f.options.FreshTokenRefusedFor, "fresh-token-refused-for", 0, "how long a new access token gets 401")
	set.Func("app", "an `App`: client_id=ID[,client_secret=SECRET]…[,name=NAME][,callback=URL][,webhook=URL][,webhook_secret=SECRET]"+
		"[,device_flow][,oauth_app][,no_expiry][,auto_approve][,strings]; may be repeated",
		func(text string) error {
			app, err := parseApp(text)
			for _, other := range f.options.Apps {
				if other.ClientID == app.ClientID {
					return fmt.Errorf("the client id %s is taken", app.ClientID)
				}
			}
			f.options.Apps = append(f.options.Apps, app)
			return err
		})
	set.Func("user", "an `account`: LOGIN[=ID]; may be repeated", func(text string) error {
		user, err := parseUser(text)
		for _, other := range f.options.Users {
			if strings.EqualFold(other.Login, user.Login) {
				return fmt.Errorf("the login %s is taken", user.Login)
			}
		}
		f.options.Users = append(f.options.Users, user)
		return err
	})
	if err := set.Parse(args); err != nil {
		return f, err
	}
	if set.NArg() > 0 {
		return f, fmt.Errorf("unexpected argument %q", set.Arg(0))
	}
	if len(f.options.Apps) == 0 {
		return f, fmt.Errorf("name at least one App: --app client_id=Iv23liDemo,client_secret=demo,device_flow")
	}
	for i := range f.options.Apps {
		app := &f.options.Apps[i]
		app.AccessTokenLifetime, app.RefreshTokenLifetime = *access, *refresh
		app.DeviceInterval, app.DeviceCodeLifetime = *deviceInterval, *deviceLifetime
		app.MaxTokens, app.RateLimit.Limit = *maxTokens, *rateLimit
		app.MaxCreations, app.DeviceCodeEntries = *maxCreations, *codeEntries
	}
	return f, nil
}

func parseApp(text string) (githubtest.App, error) {
	var app githubtest.App
	for part := range strings.SplitSeq(text, ",") {
		key, value, _ := strings.Cut(part, "=")
		switch key {
		case "client_id":
			app.ClientID = value
		case "client_secret":
			app.Secrets = append(app.Secrets, value)
		case "name":
			app.Name = value
		case "callback":
			app.CallbackURLs = append(app.CallbackURLs, value)
		case "webhook":
			app.WebhookURL = value
		case "webhook_secret":
			app.WebhookSecret = value
		case "device_flow":
			app.DeviceFlow = true
		case "oauth_app":
			app.Kind = githubtest.OAuthApp
		case "no_expiry":
			app.NoExpiry = true
		case "auto_approve":
			app.AutoApprove = true
		case "strings":
			app.NumbersAsStrings = true
		default:
			return app, fmt.Errorf("an App has no %q", key)
		}
	}
	if app.ClientID == "" {
		return app, fmt.Errorf("an App needs client_id=ID")
	}
	return app, nil
}

func parseUser(text string) (githubtest.User, error) {
	login, number, numbered := strings.Cut(text, "=")
	user := githubtest.User{Login: login}
	if login == "" {
		return user, fmt.Errorf("an account needs a login")
	}
	if numbered {
		id, err := strconv.ParseInt(number, 10, 64)
		if err != nil || id <= 0 {
			return user, fmt.Errorf("the number of %s is no positive integer", login)
		}
		user.ID = id
	}
	return user, nil
}
