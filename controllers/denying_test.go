package controllers

import (
	"crypto/tls"
	"encoding/json"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	admissionv1 "k8s.io/api/admission/v1"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/handoff"
)

// deny has an admission webhook refuse each update of these objects of the namespace by the operator with a code, until it
// is released.
func (w *world) deny(code int32, group, resource string) (release func()) {
	w.t.Helper()
	certificate, key, err := plane.IssueServingCertificate("admission-webhook", "127.0.0.1")
	w.must(err)
	pair, err := tls.X509KeyPair(certificate, key)
	w.must(err)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	w.must(err)
	server := &http.Server{
		Handler: denying(code), TLSConfig: &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12},
		ReadHeaderTimeout: time.Minute, ErrorLog: log.New(io.Discard, "", 0),
	}
	go func() { _ = server.ServeTLS(listener, "", "") }() // always ErrServerClosed
	authority, err := os.ReadFile(plane.AuthorityPath())
	w.must(err)
	url := "https://" + listener.Addr().String() + "/"
	fail, none := admissionregistrationv1.Fail, admissionregistrationv1.SideEffectClassNone
	configuration := &admissionregistrationv1.ValidatingWebhookConfiguration{
		ObjectMeta: metav1.ObjectMeta{Name: "deny-" + w.namespace},
		Webhooks: []admissionregistrationv1.ValidatingWebhook{{
			Name:         "deny.example.dev",
			ClientConfig: admissionregistrationv1.WebhookClientConfig{URL: &url, CABundle: authority},
			Rules: []admissionregistrationv1.RuleWithOperations{{
				Operations: []admissionregistrationv1.OperationType{admissionregistrationv1.Update},
				Rule:       admissionregistrationv1.Rule{APIGroups: []string{group}, APIVersions: []string{"*"}, Resources: []string{resource}},
			}},
			NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{corev1.LabelMetadataName: w.namespace}},
			FailurePolicy:     &fail, SideEffects: &none, AdmissionReviewVersions: []string{"v1"},
		}},
	}
	w.create(configuration)
	w.t.Cleanup(func() {
		w.remove(configuration)
		_ = server.Close()
	})
	return func() {
		w.t.Helper()
		w.remove(configuration)
	}
}

// denying is an admission webhook that refuses everything with a code.
type denying int32

func (d denying) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var review admissionv1.AdmissionReview
	if json.NewDecoder(io.LimitReader(r.Body, 8<<20)).Decode(&review) != nil || review.Request == nil {
		http.Error(w, "no review", http.StatusBadRequest)
		return
	}
	reason := map[denying]metav1.StatusReason{http.StatusNotFound: metav1.StatusReasonNotFound, http.StatusConflict: metav1.StatusReasonConflict}[d]
	review.Response = &admissionv1.AdmissionResponse{UID: review.Request.UID, Result: &metav1.Status{Code: int32(d), Reason: reason, Message: "no such thing"}}
	review.Request = nil
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(review) // the API server may have gone
}

// isDenied waits until a write is refused.
func (w *world) isDenied(object client.Object) {
	w.t.Helper()
	probe := client.RawPatch(types.MergePatchType, []byte(`{"metadata":{"labels":{"probe":"x"}}}`))
	w.eventually("writes to be refused", func() (bool, string) {
		return admin.Patch(w.ctx, object, probe, client.DryRunAll) != nil, "they are not"
	})
}

// With whatever code a webhook refuses a fence: it is said that it does, and not that somebody else is at work.
func TestAdmissionRefusalThatPassesForARaceIsToldAsOne(t *testing.T) {
	t.Parallel()
	each(t, map[string]int32{"404": http.StatusNotFound, "409": http.StatusConflict}, func(t *testing.T, code int32) {
		w := newWorld(t, worldOptions{})
		spent := refresh(w.start("octocat"))
		release := w.deny(code, "", "secrets")
		w.isDenied(w.secretNamed("octocat-token"))
		w.request("octocat", "1")
		found := w.condition("octocat", v1alpha1.ConditionReconciling, metav1.ConditionTrue, v1alpha1.ReasonAPIServerUnavailable)
		for _, want := range []string{`admission webhook "deny.example.dev" denied the request: no such thing`, notSo} {
			if !strings.Contains(found.Message, want) {
				t.Errorf("the condition does not say %q: %s", want, found.Message)
			}
		}
		if w.gh.ExchangesOf(spent) != 0 {
			t.Error("the token was sent")
		}
		release() // The request is honoured at the next try.
		w.refreshed("octocat", 2)
		w.ready("octocat")
		w.presented(2)
	})
}

// A webhook that is down with failurePolicy Fail, or that has enough for now, refuses a fence without saying that it forbids it. What
// it says is quoted all the same.
func TestAdmissionFailureAtAFenceIsQuoted(t *testing.T) {
	t.Parallel()
	each(t, map[string]int32{"500": http.StatusInternalServerError, "429": http.StatusTooManyRequests}, func(t *testing.T, code int32) {
		w := newWorld(t, worldOptions{})
		spent := refresh(w.start("octocat"))
		release := w.deny(code, "", "secrets")
		w.isDenied(w.secretNamed("octocat-token"))
		w.request("octocat", "1")
		found := w.condition("octocat", v1alpha1.ConditionReconciling, metav1.ConditionTrue, v1alpha1.ReasonAPIServerUnavailable)
		if want := "no such thing"; !strings.Contains(found.Message, want) {
			t.Errorf("the condition does not say %q: %s", want, found.Message)
		}
		if w.gh.ExchangesOf(spent) != 0 {
			t.Error("the token was sent")
		}
		release()
		w.refreshed("octocat", 2)
		w.ready("octocat")
		w.presented(2)
	})
}

// A workload is there, whatever a webhook says: it is told as one that could not be restarted, and is when it can be.
func TestAdmissionWorkloadThatAWebhookDeniesIsNotSaidToBeMissing(t *testing.T) {
	t.Parallel()
	w := withHandoff(t)
	w.permitHandoff()
	references := w.workloads("web")
	w.seed("octocat", "octocat")
	token := w.resource("octocat")
	token.Spec.Handoff = &v1alpha1.Handoff{Restart: references[:1]}
	w.create(token)
	w.ready("octocat")
	release := w.deny(http.StatusNotFound, "apps", "*")
	deployment := &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: references[0].Name}}
	resource, _ := handoff.ResourceOf(references[0].Kind)
	deployment.SetGroupVersionKind(resource.GroupVersion().WithKind(references[0].Kind))
	w.isDenied(deployment)
	w.request("octocat", "1")
	found := w.condition("octocat", v1alpha1.ConditionReconciling, metav1.ConditionTrue, v1alpha1.ReasonHandoffIncomplete)
	if !strings.Contains(found.Message, `admission webhook "deny.example.dev" denied the request`) {
		t.Errorf("the condition does not say what is wrong: %s", found.Message)
	}
	if notes := w.eventsOf("octocat", handoff.EventTargetMissing); len(notes) != 0 {
		t.Errorf("it is said to be missing: %v", notes)
	}
	release()
	w.handedOver("octocat")
	if told, _ := w.restarted(references[0]); len(told) == 0 {
		t.Error("it was not restarted")
	}
}
