// Command stand-in runs the stand-in for GitHub that the demo and the end-to-end tests use: the TLS site with GitHub's
// endpoints and pages, and on a port of its own the admin side that mints tokens, revokes them and injects faults.
//
//	go run ./hack/stand-in --listen 127.0.0.1:8443 --admin 127.0.0.1:8444 --ca-file ca.pem \
//		--app client_id=Iv23liDemo,client_secret=demo,device_flow --user octocat=583231
//	curl -X POST 'http://127.0.0.1:8444/mint?app=Iv23liDemo&user=octocat'
//
// It prints one line for each refresh token presented, by fingerprint; no token is ever printed.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/githubusertoken/github-user-token-operator/internal/github/githubtest"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "stand-in: %v\n", err)
		os.Exit(1)
	}
}

// addresses is what --info-file holds.
type addresses struct {
	// URL of the TLS site.
	URL string `json:"url"`
	// Host of the site with its port: spec.app.host.
	Host string `json:"host"`
	// Page where a person enters a user code.
	Page string `json:"page"`
	// Admin is the URL of the admin side.
	Admin string `json:"admin"`
	// CAFile is the path of the certificate authority to trust.
	CAFile string `json:"caFile"`
}

// run serves until ctx ends.
func run(ctx context.Context, args []string, out io.Writer) error {
	f, err := parseFlags(args, out)
	if err != nil {
		return err
	}
	options := f.options
	if !f.quiet {
		options.OnPresentation = func(p githubtest.Presentation) { _, _ = fmt.Fprintln(out, line(p)) }
	}
	github := githubtest.New(options)
	defer github.Close()

	site, err := github.Start(githubtest.Listen{Address: f.listen, Names: f.names})
	if err != nil {
		return err
	}
	defer site.Close()
	adminListener, err := net.Listen("tcp", f.admin)
	if err != nil {
		return fmt.Errorf("listen for the admin side: %w", err)
	}
	admin := &http.Server{Handler: github.Admin(), ReadHeaderTimeout: time.Minute}
	adminDone := make(chan error, 1)
	go func() { adminDone <- admin.Serve(adminListener) }()
	defer func() { _ = admin.Close() }()

	where := addresses{
		URL: site.URL, Host: site.Host, Page: site.URL + "/login/device",
		Admin: "http://" + adminListener.Addr().String(), CAFile: f.caFile,
	}
	if f.caFile != "" {
		if err := site.CA.WriteFile(f.caFile); err != nil {
			return err
		}
	}
	_, _ = fmt.Fprintf(out, "site   %s\npage   %s\nadmin  %s\nCA     %s\n", where.URL, where.Page, where.Admin, f.caFile)
	if err := writeInfo(f.infoFile, where); err != nil {
		return err
	}

	select {
	case <-ctx.Done():
	case err := <-adminDone:
		return fmt.Errorf("serve the admin side: %w", err)
	}
	drain, cancel := context.WithTimeout(context.Background(), f.drain)
	defer cancel()
	if err := site.Shutdown(drain); err != nil {
		_, _ = fmt.Fprintln(out, "stopped with requests under way")
	}
	return nil
}

// writeInfo writes the addresses in one step, so that whoever waits for the file never reads half of it.
func writeInfo(path string, where addresses) error {
	if path == "" {
		return nil
	}
	content, err := json.MarshalIndent(where, "", "  ")
	if err != nil {
		return fmt.Errorf("encode the addresses: %w", err)
	}
	if err := os.WriteFile(path+".new", append(content, '\n'), 0o600); err != nil {
		return fmt.Errorf("write the addresses: %w", err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		return fmt.Errorf("write the addresses: %w", err)
	}
	return nil
}

// line tells of one refresh token presented.
func line(p githubtest.Presentation) string {
	text := fmt.Sprintf("%s  %s  %s  %s", p.At.Format("15:04:05.000"), nonEmpty(p.User), short(p.Fingerprint), p.Outcome)
	if p.NewRefresh != "" {
		text += fmt.Sprintf("  refresh %s  access %s", short(p.NewRefresh), short(p.NewAccess))
	}
	if p.Fault != "" {
		text += "  fault: " + p.Fault
	}
	if p.AfterSuccess {
		text += "  SPENT BEFORE"
	}
	return text
}

func short(fingerprint string) string { return fingerprint[:min(8, len(fingerprint))] }

func nonEmpty(login string) string {
	if login == "" {
		return "-"
	}
	return login
}
