package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/serializer/protobuf"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/credential"
)

// nextUID numbers the UIDs of this run.
var nextUID atomic.Uint64

// spaces is how many namespaces the resources of a measure are spread over.
const spaces = 10

// field is the resources of one measure.
type field struct {
	prefix   string
	subjects []*subject
	// group is their API group; that of the bare type or ours.
	group string
}

var fields atomic.Int64

// newField makes namespaces and resources from a template; nothing is stored yet.
func newField(ctx context.Context, t *template, n int) (*field, error) {
	f := &field{prefix: fmt.Sprintf("bench-%d", fields.Add(1)), group: v1alpha1.GroupVersion.Group}
	for i := range min(spaces, n) {
		if err := makeNamespace(ctx, f.namespace(i)); err != nil {
			return nil, err
		}
	}
	for i := range n {
		s := t.subject(f.namespace(i), fmt.Sprintf("r-%06d", i), i)
		s.seed.Data = map[string][]byte{v1alpha1.KeyRefreshToken: []byte(junk("ghr_", 76))}
		f.subjects = append(f.subjects, s)
	}
	return f, nil
}

func (f *field) namespace(i int) string { return fmt.Sprintf("%s-%d", f.prefix, i%spaces) }

// rest gives each a pair that is not due for long.
func (f *field) rest(subjects ...*subject) {
	for _, s := range subjects {
		s.holds(credential.NewAccessToken(junk("ghu_", 36)), credential.NewRefreshToken(junk("ghr_", 76)), time.Now().Add(5*time.Hour))
	}
}

// login has GitHub know the refresh token of each.
func (f *field) login(ctx context.Context, subjects []*subject) error {
	return each(ctx, subjects, 8, func(ctx context.Context, s *subject) (err error) {
		s.spends, err = the.stage.GitHub.Login(ctx, clientID, s.resource.Namespace+"-"+s.resource.Name)
		return err
	})
}

// each does something for all, some at a time.
func each(ctx context.Context, subjects []*subject, hands int, do func(context.Context, *subject) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	work := make(chan *subject)
	var working sync.WaitGroup
	for range hands {
		working.Go(func() {
			for s := range work {
				if err := do(ctx, s); err != nil {
					cancel(err)
				}
			}
		})
	}
	for _, s := range subjects {
		work <- s
	}
	close(work)
	working.Wait()
	return context.Cause(ctx)
}

// store puts all of it into etcd: first the seeds, whose versions the pairs tell of, and owners before what is theirs, which
// the garbage collector would delete.
func (f *field) store(ctx context.Context) error {
	seeds, resources, pairs := map[string][]byte{}, map[string][]byte{}, map[string][]byte{}
	for _, s := range f.subjects {
		seeds[secretKey(s.seed)] = encodeSecret(s.seed)
		s.resource.APIVersion = f.group + "/v1alpha1"
		text, err := json.Marshal(s.resource)
		must(err)
		resources[f.resourceKey(s.resource)] = text
	}
	versions, err := the.stage.Plane.StoreInEtcd(ctx, seeds)
	if err != nil {
		return err
	}
	if _, err := the.stage.Plane.StoreInEtcd(ctx, resources); err != nil {
		return err
	}
	for _, s := range f.subjects {
		if s.pair != nil {
			before, _, _ := strings.Cut(s.state.SeedVersion, "@")
			s.state.SeedVersion = before + "@" + string(s.seed.UID) + "/" + strconv.FormatInt(versions[secretKey(s.seed)], 10)
			s.tellState(s.pair.Annotations)
			pairs[secretKey(s.pair)] = encodeSecret(s.pair)
		}
	}
	stored, err := the.stage.Plane.StoreInEtcd(ctx, pairs)
	if err != nil {
		return err
	}
	for _, s := range f.subjects {
		if s.pair != nil {
			s.pair.ResourceVersion = strconv.FormatInt(stored[secretKey(s.pair)], 10)
		}
	}
	return nil
}

// remove takes all of it out of etcd. The operator must not run.
func (f *field) remove(ctx context.Context) error {
	var prefixes []string
	for i := range min(spaces, len(f.subjects)) {
		prefixes = append(prefixes, "/registry/secrets/"+f.namespace(i)+"/", "/registry/"+f.group+"/githubusertokens/"+f.namespace(i)+"/")
	}
	if err := the.stage.Plane.RemoveFromEtcd(ctx, prefixes...); err != nil {
		return err
	}
	for i := range min(spaces, len(f.subjects)) {
		if err := the.admin.Delete(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: f.namespace(i)}}); err != nil {
			return fmt.Errorf("delete a namespace: %w", err)
		}
	}
	return nil
}

func secretKey(secret *corev1.Secret) string {
	return "/registry/secrets/" + secret.Namespace + "/" + secret.Name
}

func (f *field) resourceKey(resource client.Object) string {
	return "/registry/" + f.group + "/githubusertokens/" + resource.GetNamespace() + "/" + resource.GetName()
}

// encodeSecret is a Secret as the API server stores it.
func encodeSecret(secret *corev1.Secret) []byte {
	secret.TypeMeta = metav1.TypeMeta{APIVersion: "v1", Kind: "Secret"}
	var out bytes.Buffer
	must(protobuf.NewSerializer(clientgoscheme.Scheme, clientgoscheme.Scheme).Encode(secret, &out))
	return out.Bytes()
}

// junk is a token that looks like GitHub's and never was one.
func junk(prefix string, length int) string {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	text := []byte(prefix)
	for range length {
		text = append(text, letters[rand.IntN(len(letters))])
	}
	return string(text)
}
