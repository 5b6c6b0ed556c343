package gitcredential

import (
	"strings"
	"testing"
	"time"
)

func TestGitCredentialRequestIsRead(t *testing.T) {
	for name, test := range map[string]struct {
		text string
		want Request
	}{
		"of git before 2.46": {"protocol=https\nhost=github.com\npath=octocat/app\nwwwauth[]=Basic realm=\"GitHub\"\n\nprotocol=http\n",
			Request{Protocol: "https", Host: "github.com"}},
		"of a git that keeps a state": {"capability[]=authtype\ncapability[]=state\nprotocol=https\nhost=github.com\nstate[]=other:1\nstate[]=ghut-token:ab12\n\n",
			Request{Protocol: "https", Host: "github.com", CanKeep: true, Refused: "ab12"}},
		"with lines of Windows":       {"protocol=https\r\nhost=github.com\r\nusername=octocat\r\n\r\n", Request{Protocol: "https", Host: "github.com", Username: "octocat"}},
		"with a state that is not it": {"protocol=https\nhost=github.com\nstate[]=ghut-token:a b\n", Request{Protocol: "https", Host: "github.com"}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Read(strings.NewReader(test.text))
			if err != nil || got != test.want {
				t.Errorf("got %+v, %v", got, err)
			}
		})
	}
	for name, text := range map[string]string{
		"no pair": "protocol\n", "a line without end": "a=" + strings.Repeat("b", mostLine), "lines without end": strings.Repeat("a=b\n", mostLines+1),
	} {
		if _, err := Read(strings.NewReader(text)); err == nil {
			t.Errorf("%s: it is taken", name)
		}
	}
}

func TestGitCredentialIsForTheHostOfTheAppAlone(t *testing.T) {
	for _, test := range []struct {
		request Request
		want    bool
	}{
		{Request{Protocol: "https", Host: "github.com"}, true},
		{Request{Protocol: "https", Host: "GitHub.com:443"}, true},
		{Request{Protocol: "https", Host: "github.com", Username: User}, true},
		{Request{Protocol: "https", Host: "github.com", Username: "Octocat"}, true},
		{Request{Protocol: "https", Host: "github.com", Username: "monalisa"}, false},
		{Request{Protocol: "http", Host: "github.com"}, false},
		{Request{Protocol: "https", Host: "github.com:8443"}, false},
		{Request{Protocol: "https", Host: "gist.github.com"}, false},
		{Request{Protocol: "https", Host: "github.com.example.com"}, false},
		{Request{Protocol: "https", Host: "gİthub.com"}, false}, // Another host, whose name becomes GitHub's in lower case.
		{Request{Protocol: "https"}, false},
	} {
		if got := test.request.IsFor("github.com", "octocat"); got != test.want {
			t.Errorf("%+v: %t", test.request, got)
		}
	}
	if (Request{Protocol: "https"}).IsFor("", "") {
		t.Error("a request for no host is answered")
	}
}

func TestGitCredentialAnswers(t *testing.T) {
	answer := Answer{Token: "ghu_a", Fingerprint: "ab12", Expires: time.Unix(1800000000, 0), MayAskAgain: true}
	for name, test := range map[string]struct {
		request Request
		edit    func(*Answer)
		want    string
	}{
		"to git before 2.46": {Request{}, func(*Answer) {}, "username=x-access-token\npassword=ghu_a\npassword_expiry_utc=1800000000\n"},
		"to a git that keeps a state": {Request{CanKeep: true}, func(*Answer) {},
			"capability[]=state\nstate[]=ghut-token:ab12\ncontinue=1\nusername=x-access-token\npassword=ghu_a\npassword_expiry_utc=1800000000\n"},
		"for the last time": {Request{CanKeep: true}, func(a *Answer) { a.MayAskAgain, a.Expires = false, time.Time{} },
			"capability[]=state\nstate[]=ghut-token:ab12\nusername=x-access-token\npassword=ghu_a\n"},
		"for a user": {Request{Username: "octocat"}, func(a *Answer) { a.Expires = time.Time{} }, "username=octocat\npassword=ghu_a\n"},
	} {
		t.Run(name, func(t *testing.T) {
			given := answer
			test.edit(&given)
			var text strings.Builder
			if err := test.request.Write(&text, given); err != nil || text.String() != test.want {
				t.Errorf("git reads %q, %v", text.String(), err)
			}
		})
	}
	for _, bad := range []Answer{{Token: "a\nhost=evil", Fingerprint: "f"}, {Token: "a", Fingerprint: "f\nquit=1"}, {Fingerprint: "f"}} {
		var text strings.Builder
		if err := (Request{CanKeep: true}).Write(&text, bad); err == nil || text.Len() > 0 {
			t.Error("what would be another line is handed to git")
		}
	}
}
