package main

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"
	"time"

	"github.com/githubusertoken/github-user-token-operator/client"
	"github.com/githubusertoken/github-user-token-operator/client/internal/hostname"
)

// namespaceFile is where a pod finds its namespace, if its ServiceAccount is mounted.
const namespaceFile = "/var/run/secrets/kubernetes.io/serviceaccount/namespace"

// flags are those of all commands; each uses some.
type flags struct {
	set     *flag.FlagSet
	options client.Options
	host    string
	show    bool
	names   string
	grace   time.Duration
}

// newFlags declares the flags. Each has an environment variable after its name.
func (t *tool) newFlags(command string, out io.Writer) *flags {
	f := &flags{set: flag.NewFlagSet("ghut-token "+command, flag.ContinueOnError)}
	f.set.SetOutput(out)
	f.set.StringVar(&f.options.Server, "server", "", "address of the token `server`: https://HOST[:PORT]")
	f.set.StringVar(&f.options.Namespace, "namespace", "", "`namespace` of the GitHubUserToken; by default the pod's")
	f.set.StringVar(&f.options.Name, "name", "", "`name` of the GitHubUserToken")
	f.set.StringVar(&f.options.Output, "output", "", "`name` of a scoped output, for its token in place of the whole one")
	f.set.StringVar(&f.options.TokenFile, "token-file", client.DefaultTokenFile, "`file` with the projected ServiceAccount token")
	f.set.StringVar(&f.options.CAFile, "ca-file", "", "`file` with the authority of the server's certificate; by default those of the system")
	f.set.DurationVar(&f.options.Patience, "timeout", client.DefaultPatience, "for how long a server that is away is tried again")
	f.set.StringVar(&f.host, "host", "", "App's `host`, such as github.com: a token for another one is refused, and git's questions for other hosts are not passed on")
	f.set.BoolVar(&f.show, "show", false, "print the token to a terminal too")
	f.set.StringVar(&f.names, "env", "GITHUB_TOKEN,GH_TOKEN", "environment `variables` that the command finds the token in")
	f.set.DurationVar(&f.grace, "grace", 10*time.Second, "how long the command has to end after SIGTERM before it is killed")
	return f
}

// variableOf is the environment variable of a flag.
func variableOf(flag string) string {
	return "GHUT_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

var variablePattern = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// parse reads the arguments, then the environment for what they do not say.
func (t *tool) parse(command string, args []string) (*flags, error) {
	f := t.newFlags(command, t.err)
	if err := f.set.Parse(args); err != nil {
		return nil, err
	}
	given := map[string]bool{}
	f.set.Visit(func(one *flag.Flag) { given[one.Name] = true })
	var failed error
	f.set.VisitAll(func(one *flag.Flag) {
		value, ok := t.lookup(variableOf(one.Name))
		if given[one.Name] || !ok || value == "" || one.Name == "show" { // What shows a token is asked for where it is shown.
			return
		}
		if err := f.set.Set(one.Name, value); err != nil {
			failed = cmp.Or(failed, fmt.Errorf("%s=%q cannot be understood", variableOf(one.Name), value))
		}
	})
	if failed != nil {
		return nil, failed
	}
	if f.options.Namespace == "" {
		if content, err := os.ReadFile(namespaceFile); err == nil {
			f.options.Namespace = strings.TrimSpace(string(content))
		}
	}
	f.options.UserAgent = "ghut-token/" + version
	return f, nil
}

// newClient is a client of the server that the flags name.
func (f *flags) newClient() (*client.Client, error) {
	for _, needed := range []struct{ name, value string }{
		{"server", f.options.Server}, {"namespace", f.options.Namespace}, {"name", f.options.Name},
	} {
		if needed.value == "" {
			return nil, fmt.Errorf("it is not known which token is wanted, and from where: set --%s or %s", needed.name, variableOf(needed.name))
		}
	}
	return client.New(f.options)
}

// variables are the names for the token.
func (f *flags) variables() ([]string, error) {
	var names []string
	for name := range strings.SplitSeq(f.names, ",") {
		if name = strings.TrimSpace(name); !variablePattern.MatchString(name) {
			return nil, fmt.Errorf("%q is no name of an environment variable: set --env", name)
		}
		names = append(names, name)
	}
	return names, nil
}

// check refuses a token for another host than the one that was named.
func (f *flags) check(token *client.Token) error {
	if f.host != "" && !hostname.Equal(f.host, token.Host) {
		return fmt.Errorf("the token is for %s, and --host says %s", token.Host, f.host)
	}
	return nil
}

var errNoArguments = errors.New("there are arguments that it does not know; ghut-token help tells more")
