package main

import (
	"context"
	"fmt"

	"github.com/githubusertoken/github-user-token-operator/hack/controlplane"
	"github.com/githubusertoken/github-user-token-operator/hack/demo/stage"
	"github.com/githubusertoken/github-user-token-operator/internal/credential"
)

// loginLink is a sample for which a person logs in at the login page.
const loginLink = samples + "/more/login_link.yaml"

// myTokens is the App by which people prove at the login page whose account is theirs.
var myTokens = stage.App{ClientID: "Iv23liLOGINPAGE", Secret: credential.NewClientSecret("89abcdef0123456789abcdef0123456789abcdef")}

// loginPage is the login page of the demo. A browser on this machine needs no name server for it.
type loginPage struct {
	address, url, caFile string
}

// reserveLoginPage chooses its address, which the App and the operator are to know before it is there.
func reserveLoginPage() (p *loginPage, release func(), err error) {
	address, release, err := controlplane.ReserveAddress()
	if err != nil {
		return nil, nil, err
	}
	return &loginPage{address: address, url: "https://" + address}, release, nil
}

// callbacks are the callback URLs that the Apps are to have: that of the page, and that of kubectl ghut login.
func (p *loginPage) callbacks() []string {
	return []string{p.url + "/callback", "http://127.0.0.1:8976/callback"}
}

// start starts it.
func (p *loginPage) start(ctx context.Context, s *stage.Stage) error {
	fmt.Fprintf(s.Log(), "Starting the login page as ServiceAccount %s/%s-login-page\n", stage.Namespace, stage.ServiceAccount)
	started, err := s.StartLoginPage(ctx, stage.LoginPageOptions{URL: p.url, Address: p.address, MyTokens: myTokens, MyTokensHost: s.GitHub.Host()})
	if err != nil {
		return err
	}
	p.caFile = started.CAFile
	return nil
}
