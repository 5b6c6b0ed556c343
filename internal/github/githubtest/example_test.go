package githubtest_test

import (
	"fmt"
	"net/http"
	"net/url"

	"github.com/githubusertoken/github-user-token-operator/internal/github/githubtest"
)

func Example() {
	gh := githubtest.New(githubtest.Options{
		Apps: []githubtest.App{{ClientID: "Iv23liExample", Secrets: []string{"s3cret"}}},
	})
	defer gh.Close()
	client := &http.Client{Transport: gh.RoundTripper()}
	seed := gh.Mint("Iv23liExample", "octocat")
	refresh := func() {
		response, err := client.PostForm("https://github.com/login/oauth/access_token", url.Values{
			"grant_type": {"refresh_token"}, "refresh_token": {seed.RefreshToken},
			"client_id": {"Iv23liExample"}, "client_secret": {"s3cret"},
		})
		if err != nil {
			fmt.Println(err)
			return
		}
		defer response.Body.Close()
		fmt.Println(response.Status)
	}

	gh.Inject(githubtest.BadGateway().AfterCommit().ForRefreshToken(seed.RefreshToken))
	refresh()
	fmt.Println("old token alive:", gh.Alive(seed.AccessToken))
	lost, _ := gh.Successor(seed.RefreshToken)
	fmt.Println("lost token alive:", gh.Alive(lost.AccessToken))

	refresh()
	fmt.Println("double spends:", len(gh.DoubleSpends()))
	// Output:
	// 502 Bad Gateway
	// old token alive: false
	// lost token alive: true
	// 200 OK
	// double spends: 1
}
