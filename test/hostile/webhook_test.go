package hostile

import (
	"bytes"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	admissionv1 "k8s.io/api/admission/v1"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
)

// webhook is an admission webhook that does harm to what the operator writes in one namespace.
type webhook struct {
	w         *world
	namespace string
	kinds     []string

	mu     sync.Mutex
	random *rand.Rand
	// deaf says that it lets all through, as it does before it begins and after its end.
	deaf bool
	done map[string]int
}

// webhookTimeout is how long the API server waits for it.
const webhookTimeout = 3

// register serves the webhook and has the API server ask it about each write of the operator.
func (w *world) register(namespace string, kinds []string) *webhook {
	w.t.Helper()
	h := &webhook{w: w, namespace: namespace, kinds: kinds, random: rand.New(rand.NewPCG(settings.seed, 1)), done: map[string]int{}}
	certificate, key, err := the.stage.Plane.IssueServingCertificate("admission-webhook", "127.0.0.1")
	w.must(err)
	pair, err := tls.X509KeyPair(certificate, key)
	w.must(err)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	w.must(err)
	server := &http.Server{
		Handler: h, TLSConfig: &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12},
		ReadHeaderTimeout: time.Minute, ErrorLog: log.New(io.Discard, "", 0),
	}
	go func() { _ = server.ServeTLS(listener, "", "") }() // always ErrServerClosed
	w.t.Cleanup(func() { _ = server.Close() })
	authority, err := os.ReadFile(the.stage.Plane.AuthorityPath())
	w.must(err)

	url := "https://" + listener.Addr().String() + "/"
	seconds, fail, none := int32(webhookTimeout), admissionregistrationv1.Fail, admissionregistrationv1.SideEffectClassNone
	w.create(&admissionregistrationv1.MutatingWebhookConfiguration{
		ObjectMeta: metav1.ObjectMeta{Name: namespace},
		Webhooks: []admissionregistrationv1.MutatingWebhook{{
			Name:         "hostile.example.dev",
			ClientConfig: admissionregistrationv1.WebhookClientConfig{URL: &url, CABundle: authority},
			Rules: []admissionregistrationv1.RuleWithOperations{{
				Operations: []admissionregistrationv1.OperationType{admissionregistrationv1.Create, admissionregistrationv1.Update, admissionregistrationv1.Delete},
				Rule:       admissionregistrationv1.Rule{APIGroups: []string{"", v1alpha1.GroupVersion.Group}, APIVersions: []string{"*"}, Resources: []string{"secrets", "githubusertokens", "githubusertokens/status"}},
			}},
			NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{corev1.LabelMetadataName: namespace}},
			MatchConditions: []admissionregistrationv1.MatchCondition{{
				Name: "the-operator", Expression: fmt.Sprintf("request.userInfo.username == %q", theOperator),
			}},
			FailurePolicy: &fail, SideEffects: &none, AdmissionReviewVersions: []string{"v1"}, TimeoutSeconds: &seconds,
		}},
	})
	w.t.Cleanup(h.unregister)
	return h
}

// unregister has the API server ask it no more. What it is still asked it lets through.
func (h *webhook) unregister() {
	h.mu.Lock()
	h.deaf = true
	h.mu.Unlock()
	_ = the.admin.Delete(h.w.ctx, &admissionregistrationv1.MutatingWebhookConfiguration{ObjectMeta: metav1.ObjectMeta{Name: h.namespace}})
}

// seen is how many requests it has met.
func (h *webhook) seen() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	n := 0
	for _, count := range h.done {
		n += count
	}
	return n
}

func (h *webhook) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var review admissionv1.AdmissionReview
	if json.NewDecoder(io.LimitReader(r.Body, 8<<20)).Decode(&review) != nil || review.Request == nil {
		http.Error(w, "no review", http.StatusBadRequest)
		return
	}
	review.Response = h.answer(review.Request)
	review.Response.UID = review.Request.UID
	review.Request = nil
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(review) // the API server may have gone
}

// answer draws what is done to a request. Half of them go through, so that there is always a way on.
func (h *webhook) answer(request *admissionv1.AdmissionRequest) *admissionv1.AdmissionResponse {
	h.mu.Lock()
	kind := "let through"
	if !h.deaf && h.random.IntN(2) == 0 {
		kind = h.kinds[h.random.IntN(len(h.kinds))]
	}
	r := rand.New(rand.NewPCG(h.random.Uint64(), 0))
	h.mu.Unlock()

	response := &admissionv1.AdmissionResponse{Allowed: true}
	if !harms[kind](h, r, request, response) {
		kind = "let through"
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.done[kind]++
	return response
}

// harm does something to a request, and reports whether it could.
type harm func(*webhook, *rand.Rand, *admissionv1.AdmissionRequest, *admissionv1.AdmissionResponse) bool

// harms are all kinds of it.
var harms = map[string]harm{
	"let through": func(*webhook, *rand.Rand, *admissionv1.AdmissionRequest, *admissionv1.AdmissionResponse) bool {
		return true
	},
	"denied":              denied(400, 401, 403, 405, 409, 410, 413, 415, 422, 429, 500, 501, 503, 504),
	"denied as not found": denied(404),
	"delayed":             delayed(webhookTimeout * time.Second / 2),
	"not answered":        delayed((webhookTimeout + 1) * time.Second),
	"duplicated":          (*webhook).duplicated,
	"intent stripped":     stripped("/metadata/annotations/githubusertoken.dev~1intent"),
	"state stripped":      stripped("/metadata/annotations/githubusertoken.dev~1state"),
	"labels stripped":     stripped("/metadata/labels"),
	"owner stripped":      stripped("/metadata/ownerReferences"),
	"finalizers stripped": stripped("/metadata/finalizers"),
	"data stripped":       ofNewTokens(stripped("/data")),
	"access token changed": ofNewTokens(changed("/data/access_token", func(r *rand.Rand) any {
		return []byte(junk(r, "ghu_", 36))
	})),
	"refresh token changed":  ofNewTokens(changed("/data/refresh_token", func(r *rand.Rand) any { return []byte(junkRefresh(r)) })),
	"refresh token stripped": ofNewTokens(stripped("/data/refresh_token")),
	"state garbled":          changed("/metadata/annotations/githubusertoken.dev~1state", func(*rand.Rand) any { return "garbled" }),
	"made immutable":         added("/immutable", true),
	"status stripped":        stripped("/status"),
}

// ofNewTokens does harm only to a write that brings tokens. A webhook that changes those which stand there, whenever it is
// asked about anything, destroys the only copy, and nobody can do anything about it.
func ofNewTokens(to harm) harm {
	return func(h *webhook, r *rand.Rand, request *admissionv1.AdmissionRequest, response *admissionv1.AdmissionResponse) bool {
		var secret, former corev1.Secret
		if request.Kind.Kind != "Secret" || json.Unmarshal(request.Object.Raw, &secret) != nil {
			return false
		}
		if len(request.OldObject.Raw) > 0 && json.Unmarshal(request.OldObject.Raw, &former) != nil {
			return false
		}
		brings := !bytes.Equal(secret.Data[v1alpha1.KeyAccessToken], former.Data[v1alpha1.KeyAccessToken]) &&
			!bytes.Equal(secret.Data[v1alpha1.KeyRefreshToken], former.Data[v1alpha1.KeyRefreshToken])
		return brings && to(h, r, request, response)
	}
}

func denied(codes ...int32) harm {
	return func(_ *webhook, r *rand.Rand, _ *admissionv1.AdmissionRequest, response *admissionv1.AdmissionResponse) bool {
		response.Allowed = false
		response.Result = &metav1.Status{Code: codes[r.IntN(len(codes))], Message: "the policy says no"}
		return true
	}
}

func delayed(by time.Duration) harm {
	return func(h *webhook, _ *rand.Rand, _ *admissionv1.AdmissionRequest, _ *admissionv1.AdmissionResponse) bool {
		timer := time.NewTimer(by)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-h.w.ctx.Done():
		}
		return true
	}
}

// duplicated makes a second Secret with all that the first one has.
func (h *webhook) duplicated(r *rand.Rand, request *admissionv1.AdmissionRequest, _ *admissionv1.AdmissionResponse) bool {
	var secret corev1.Secret
	if request.Kind.Kind != "Secret" || json.Unmarshal(request.Object.Raw, &secret) != nil || secret.Name == "" {
		return false
	}
	secret.ObjectMeta = metav1.ObjectMeta{
		Namespace: secret.Namespace, Name: fmt.Sprintf("%s-copy-%d", secret.Name, r.IntN(3)),
		Labels: secret.Labels, Annotations: secret.Annotations, OwnerReferences: secret.OwnerReferences, Finalizers: secret.Finalizers,
	}
	return the.admin.Create(h.w.ctx, &secret) == nil
}

func stripped(path string) harm {
	return edited(path, func(*rand.Rand) map[string]any { return map[string]any{"op": "remove", "path": path} })
}

func changed(path string, value func(*rand.Rand) any) harm {
	return edited(path, func(r *rand.Rand) map[string]any {
		return map[string]any{"op": "replace", "path": path, "value": value(r)}
	})
}

func added(path string, value any) harm {
	return func(h *webhook, r *rand.Rand, request *admissionv1.AdmissionRequest, response *admissionv1.AdmissionResponse) bool {
		if request.Kind.Kind != "Secret" {
			return false
		}
		return edited("", func(*rand.Rand) map[string]any {
			return map[string]any{"op": "add", "path": path, "value": value}
		})(h, r, request, response)
	}
}

// edited changes the object by a JSON patch, if it has what stands at the path.
func edited(path string, operation func(*rand.Rand) map[string]any) harm {
	return func(_ *webhook, r *rand.Rand, request *admissionv1.AdmissionRequest, response *admissionv1.AdmissionResponse) bool {
		var object any
		if json.Unmarshal(request.Object.Raw, &object) != nil || !has(object, path) {
			return false
		}
		patch, err := json.Marshal([]any{operation(r)})
		if err != nil {
			return false
		}
		kind := admissionv1.PatchTypeJSONPatch
		response.Patch, response.PatchType = patch, &kind
		return true
	}
}

// has reports whether something stands at a JSON pointer.
func has(object any, path string) bool {
	for part := range strings.SplitSeq(strings.TrimPrefix(path, "/"), "/") {
		if part == "" {
			continue
		}
		fields, ok := object.(map[string]any)
		if !ok {
			return false
		}
		if object, ok = fields[strings.ReplaceAll(part, "~1", "/")]; !ok {
			return false
		}
	}
	return object != nil
}

// kinds of harm that are to be done.
func (w *world) kinds() []string {
	w.t.Helper()
	var kinds []string
	list, but := strings.CutPrefix(settings.harms, "all but ")
	asked := strings.Split(list, ",")
	for _, kind := range asked {
		if harms[kind] == nil && list != "all" {
			w.t.Fatalf("there is no harm %q", kind)
		}
	}
	for kind := range harms {
		if kind != "let through" && (list == "all" || slices.Contains(asked, kind) != but) {
			kinds = append(kinds, kind)
		}
	}
	slices.Sort(kinds)
	return kinds
}
