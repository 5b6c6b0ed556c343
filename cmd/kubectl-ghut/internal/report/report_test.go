package report

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/cmd/kubectl-ghut/internal/check"
	"github.com/githubusertoken/github-user-token-operator/cmd/kubectl-ghut/internal/cluster"
	"github.com/githubusertoken/github-user-token-operator/cmd/kubectl-ghut/internal/installation"
)

var now = time.Date(2027, 2, 3, 12, 0, 0, 0, time.UTC)

// canaries are secrets of each shape. The last is one that looks like nothing, and stands where only secrets do.
var canaries = []string{
	"ghu_" + strings.Repeat("aB3dE5gH7", 4), "ghr_" + strings.Repeat("Zy9Xw7Vu5", 8), "gho_16C7e42F292c6912E7710c838347Ae178B4a",
	"ghu_eyJhbGciOiJSUzI1NiJ9." + strings.Repeat("pQ4rS6", 20) + "." + strings.Repeat("tU8vW0-", 12),
	"0123456789abcdef0123456789abcdef01234567", "github_pat_" + strings.Repeat("11ABCDEFG0", 6),
	base64.StdEncoding.EncodeToString([]byte("ghu_" + strings.Repeat("aB3dE5gH7", 4))),
}

const plain = "correct-horse"

// fill plants a text in every string of a value, in keys of maps as well.
func fill(v reflect.Value, text string, depth int) {
	if depth > 12 {
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		if v.CanSet() && v.IsNil() {
			v.Set(reflect.New(v.Type().Elem()))
		}
		if !v.IsNil() {
			fill(v.Elem(), text, depth+1)
		}
	case reflect.Struct:
		switch v.Interface().(type) {
		case metav1.Time, metav1.MicroTime, time.Time, metav1.TypeMeta, metav1.FieldsV1:
			return
		}
		for _, field := range v.Fields() {
			if field.CanSet() {
				fill(field, text, depth+1)
			}
		}
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			v.SetBytes([]byte(text))
			return
		}
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(v.Index(0), text, depth+1)
	case reflect.Map:
		if v.Type().Key().Kind() != reflect.String {
			return
		}
		v.Set(reflect.MakeMap(v.Type()))
		value := reflect.New(v.Type().Elem()).Elem()
		fill(value, text, depth+1)
		v.SetMapIndex(reflect.ValueOf(text).Convert(v.Type().Key()), value)
	case reflect.String:
		v.SetString(text)
	}
}

// planted is an object with a canary in every field, but for what the fake API server needs to know it by.
func planted[T client.Object](object T, text string, n int) T {
	fill(reflect.ValueOf(object), text, 0)
	object.SetName(fmt.Sprintf("object-%d", n))
	object.SetNamespace("team-a")
	object.SetGenerateName("")
	object.SetResourceVersion("")
	object.SetDeletionTimestamp(nil)
	object.SetFinalizers(nil)
	object.SetManagedFields(nil)
	annotations := map[string]string{
		text: text, "kubectl.kubernetes.io/last-applied-configuration": `{"spec":"` + plain + text + `"}`, "mine": plain,
		v1alpha1.AnnotationRefreshRequestedAt: text, v1alpha1.AnnotationHoldUntil: text, v1alpha1.AnnotationSource: text,
		v1alpha1.AnnotationState:                          `{"owner":"` + text + `","` + text + `":["` + text + `"],"accessToken":"` + strings.Repeat("0a", 16) + `"}`,
		v1alpha1.AnnotationIntent:                         text,
		v1alpha1.AnnotationPrefixRestartedFor + "octocat": text,
	}
	object.SetAnnotations(annotations)
	return object
}

// standIn is a cluster with these objects.
func standIn(t *testing.T, log string, funcs interceptor.Funcs, objects ...client.Object) *cluster.Cluster {
	t.Helper()
	scheme, err := cluster.Scheme()
	if err != nil {
		t.Fatal(err)
	}
	inner := fake.NewClientBuilder().WithScheme(scheme).WithObjects(objects...).WithInterceptorFuncs(funcs).Build()
	return &cluster.Cluster{
		Client: cluster.Explaining(inner), Logs: tailed(log), Namespace: "team-a",
		Version: func(context.Context) (string, error) { return "v1.37.1", nil },
	}
}

type tailed string

func (l tailed) Tail(context.Context, string, string, int64) ([]byte, error) { return []byte(l), nil }

// unpack reads an archive.
func unpack(t *testing.T, archive io.Reader) map[string]string {
	t.Helper()
	zipped, err := gzip.NewReader(archive)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for read := tar.NewReader(zipped); ; {
		header, err := read.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(read)
		if err != nil {
			t.Fatal(err)
		}
		files[strings.TrimPrefix(header.Name, "ghut-report/")] = header.Name + string(text)
	}
}

func TestReportHoldsNoSecretWhereverOneCouldStand(t *testing.T) {
	var objects []client.Object
	for i, canary := range canaries {
		objects = append(objects,
			planted(&v1alpha1.GitHubUserToken{}, canary, i), planted(&v1alpha1.GitHubApp{}, canary, i), planted(&v1alpha1.ClusterGitHubApp{}, canary, i),
			planted(&corev1.Event{}, canary, i), planted(&corev1.Pod{}, canary, i), planted(&coordinationv1.Lease{}, canary, i))
		objects[len(objects)-4].SetNamespace("")
		event := objects[len(objects)-3].(*corev1.Event)
		event.InvolvedObject.APIVersion = v1alpha1.GroupVersion.String()
		secret := planted(&corev1.Secret{}, canary, i)
		secret.StringData = nil
		secret.Data = map[string][]byte{v1alpha1.KeyAccessToken: []byte(canary), v1alpha1.KeyRefreshToken: []byte(plain)}
		secret.Labels = map[string]string{v1alpha1.LabelRole: v1alpha1.RolePair, "a": canary}
		deployment := planted(&appsv1.Deployment{}, canary, i)
		deployment.Labels = installation.Selector
		deployment.Spec.Template.Spec.Containers = []corev1.Container{{Name: "manager", Image: "r/o:v1", Args: []string{"--x=" + canary}, Env: []corev1.EnvVar{{Name: "PASSWORD", Value: plain}}}}
		pod := planted(&corev1.Pod{}, canary, 100+i)
		pod.Labels = installation.Selector
		objects = append(objects, secret, deployment, pod)
	}
	log := "a log\n"
	for _, canary := range canaries {
		log += `{"error":"a webhook said ` + canary + `"} https://user:` + plain + `@example.com/?code=abcdef12&client_secret=abc Authorization: Bearer abcdefgh enter WDJB-MJHT` + "\n"
	}
	c := standIn(t, log, interceptor.Funcs{}, objects...)
	var archive bytes.Buffer
	missing, err := Collect(t.Context(), c, Options{Options: check.Options{Now: now, Plugin: "dev"}, Lines: 10}, &archive)
	if err != nil {
		t.Fatal(err)
	}
	if len(missing) > 0 {
		t.Errorf("missing: %v", missing)
	}
	files := unpack(t, &archive)
	for _, name := range []string{"README.txt", "check.json", "githubusertokens.json", "githubapps.json", "clustergithubapps.json", "status.json", "secrets.json", "events.json", "operator.json", "leases-team-a.json", "log-team-a-object-100.txt"} {
		if !strings.Contains(files[name], "object-0") && name != "README.txt" && name != "check.json" && !strings.HasPrefix(name, "log-") || files[name] == "" {
			t.Errorf("%s is not in it, or tells of nothing", name)
		}
	}
	if !strings.Contains(files["secrets.json"], strings.Repeat("0a", 16)) {
		t.Error("fingerprints are taken out")
	}
	for name, text := range files {
		for i, canary := range canaries {
			for _, form := range []string{canary, canary[len(canary)-24:], base64.StdEncoding.EncodeToString([]byte(canary))} {
				if strings.Contains(text, form) {
					t.Errorf("%s holds the canary %d", name, i)
				}
			}
		}
		for _, secret := range []string{plain, "abcdef12", "Bearer abcdefgh", "WDJB-MJHT"} {
			if strings.Contains(text, secret) {
				t.Errorf("%s holds %q", name, secret)
			}
		}
	}
}

func TestReportNamesWhatIsMissing(t *testing.T) {
	refuse := errors.New("the API server is tired")
	c := standIn(t, "", interceptor.Funcs{List: func(ctx context.Context, inner client.WithWatch, list client.ObjectList, options ...client.ListOption) error {
		if _, ok := list.(*corev1.PodList); ok {
			return refuse
		}
		if _, ok := list.(*metav1.PartialObjectMetadataList); ok {
			return refuse
		}
		return inner.List(ctx, list, options...)
	}}, &v1alpha1.GitHubUserToken{ObjectMeta: metav1.ObjectMeta{Namespace: "team-a", Name: "octocat"}})
	var archive bytes.Buffer
	missing, err := Collect(t.Context(), c, Options{Options: check.Options{Now: now}}, &archive)
	if err != nil {
		t.Fatal(err)
	}
	files := unpack(t, &archive)
	if len(missing) != 2 || !strings.Contains(files["missing.txt"], "secrets.json: the API server is tired") || !strings.Contains(files["status.json"], "the API server is tired") {
		t.Errorf("missing: %v; %s", missing, files["missing.txt"])
	}
}

func TestReportIsNotWrittenWithAToken(t *testing.T) {
	for _, token := range []string{canaries[0], canaries[1], canaries[6]} {
		var out bytes.Buffer
		if err := write(&out, []file{{"x", []byte("so " + token)}}, now); !errors.Is(err, ErrToken) || out.Len() > 0 {
			t.Errorf("it is written: %v", err)
		}
	}
}
