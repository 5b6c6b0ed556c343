package gitcredential

import (
	"strings"
	"testing"
	"time"
)

func TestGitCredentialReadsWhatGitAsks(t *testing.T) {
	request, err := Read(strings.NewReader("capability[]=authtype\nprotocol=https\nhost=github.com\nwwwauth[]=Basic realm=\"GitHub\"\npath=a/b.git\n\nhost=evil.example.com\n"))
	if err != nil || request != (Request{Protocol: "https", Host: "github.com", Path: "a/b.git"}) {
		t.Errorf("it reads %+v (%v)", request, err)
	}
	for _, bad := range []string{"nonsense\n", strings.Repeat("a=b\n", 300), "a=" + strings.Repeat("x", 70<<10) + "\n"} {
		if _, err := Read(strings.NewReader(bad)); err == nil {
			t.Errorf("it takes %.20q", bad)
		}
	}
}

func TestGitCredentialIsForItsHostAlone(t *testing.T) {
	for _, c := range []struct {
		request Request
		host    string
		want    bool
	}{
		{Request{Protocol: "https", Host: "github.com"}, "github.com", true},
		{Request{Protocol: "https", Host: "GitHub.com"}, "github.com", true},
		{Request{Protocol: "https", Host: "github.com", Username: User}, "github.com", true},
		{Request{Protocol: "https", Host: "github.com", Username: "hubot"}, "github.com", false},
		{Request{Protocol: "http", Host: "github.com"}, "github.com", false},
		{Request{Protocol: "https", Host: "github.com.evil.example"}, "github.com", false},
		{Request{Protocol: "https", Host: "gist.github.com"}, "github.com", false},
		{Request{Protocol: "https", Host: "github.example.com:8443"}, "github.example.com:8443", true},
		{Request{Protocol: "https", Host: "github.example.com"}, "github.example.com:8443", false},
		{Request{Protocol: "https"}, "", false},
	} {
		if got := c.request.IsFor(c.host); got != c.want {
			t.Errorf("a token of %s for %+v: %v, want %v", c.host, c.request, got, c.want)
		}
	}
}

func TestGitCredentialAnswersWithTheExpiry(t *testing.T) {
	var out strings.Builder
	if err := Write(&out, "ghu_x", time.Unix(1800000000, 0)); err != nil || out.String() != "username=x-access-token\npassword=ghu_x\npassword_expiry_utc=1800000000\n" {
		t.Errorf("it answers %q (%v)", out.String(), err)
	}
	out.Reset()
	if err := Write(&out, "ghu_x", time.Time{}); err != nil || strings.Contains(out.String(), "expiry") {
		t.Errorf("of a token that does not expire it says %q (%v)", out.String(), err)
	}
	if err := Write(&out, "ghu_x\nhost=evil", time.Time{}); err == nil {
		t.Error("a token with a line break is handed to git")
	}
}
