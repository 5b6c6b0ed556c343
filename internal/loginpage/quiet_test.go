package loginpage

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
)

// No ticket, code, state or cookie stands in a log or a metric, on the whole way and on those that go wrong.
func TestLoginPageTellsNoSecret(t *testing.T) {
	w := newWorld(t)
	v := w.visitor()
	secrets := map[string]bool{ticketA: true, ticketB: true, aState: true, aCode: true}
	see := func() {
		for _, value := range v.cookies {
			for _, part := range strings.FieldsFunc(value, func(r rune) bool { return r == '/' || r == '.' }) {
				if len(part) > 15 && part != aUID {
					secrets[part] = true
				}
			}
		}
	}
	v.open()
	see()
	v.press(linkPath)
	see()
	w.operatorAnswers()
	v.get(pathGo)
	v.get(pathCallback + "?code=" + aCode + "&state=" + ticketB)
	v.comeBack()
	see()
	v.get(pathConfirm)
	form := v.form(pathConfirm)
	for key := range form {
		secrets[form.Get(key)] = true
	}
	w.away = func(verb string, object client.Object) error {
		if verb == "create" {
			return apierrors.NewInternalError(fmt.Errorf("%s %s %v", aCode, aState, object))
		}
		return nil
	}
	v.send(http.MethodPost, pathConfirm, form)
	w.away = nil
	v.get(pathConfirm)
	v.press(pathConfirm)
	w.edit(func(token *v1alpha1.GitHubUserToken) {
		token.Status.WebLogin.AuthorizeURL = "https://evil.example/?state=" + aState
	})
	v.get(pathGo)
	w.away = func(string, client.Object) error { panic(aCode + aState) }
	v.get(pathGo)
	v.stoppedWith(whyInternal)

	registry := prometheus.NewRegistry()
	registry.MustRegister(w.page.Metrics())
	families, err := registry.Gather()
	if err != nil || len(families) != 1 {
		t.Fatal(err)
	}
	counted := 0
	for _, metric := range families[0].Metric {
		counted += int(metric.GetCounter().GetValue())
	}
	if counted < 10 {
		t.Errorf("it has counted %d answers", counted)
	}
	told := w.logs.String() + families[0].String()
	for _, part := range []string{"A login was begun", "A login was confirmed", "panicked", "team-a"} {
		if !strings.Contains(told, part) {
			t.Errorf("the log does not say %q: %s", part, told)
		}
	}
	if len(secrets) < 9 {
		t.Errorf("only %d secrets were seen", len(secrets))
	}
	for secret := range secrets {
		if strings.Contains(told, secret) {
			t.Error("a log or a metric has a secret")
		}
	}
}

// The values of labels are ours: nothing that somebody sends makes another series.
func TestLoginPageMetricsAreBounded(t *testing.T) {
	w := newWorld(t)
	v := w.visitor()
	for i := range 50 {
		for _, path := range []string{"/%d", "/stopped/x%d", "/login/x%d/y?ticket=z", "/callback?code=%d&error=%d", "/go?%d"} {
			v.get(strings.ReplaceAll(path, "%d", fmt.Sprint(i)))
		}
	}
	registry := prometheus.NewRegistry()
	registry.MustRegister(w.page.Metrics())
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	if n := len(families[0].Metric); n > 10 {
		t.Errorf("there are %d series", n)
	}
}

func TestLoginPageSecretsAreNotPrinted(t *testing.T) {
	secret := hide("CANARY")
	s := session{ticket: secret, browser: secret}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		for _, value := range []any{secret, &secret, s, &s, answered{state: secret}, []hidden{secret}, requestView{}} {
			if text := fmt.Sprintf(verb, value); strings.Contains(text, "CANARY") || strings.Contains(text, "43414e415259") {
				t.Errorf("%s prints it", verb)
			}
		}
	}
	if secret.MarshalLog() == "CANARY" {
		t.Error("it is logged")
	}
}
