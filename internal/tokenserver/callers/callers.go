package callers

import (
	"context"
	"slices"
	"strings"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/reviewed"
)

// What RBAC grants.
const (
	resource    = "githubusertokens"
	subresource = "token"
	verb        = "get"
)

const (
	// timeout is how long the API server may take for both reviews.
	timeout = 5 * time.Second
	// accounts begins the name of each ServiceAccount as a user.
	accounts = "system:serviceaccount:"
)

// What the API server says of a token beside who has it. The names are those of k8s.io/apiserver.
const (
	extraPodName = "authentication.kubernetes.io/pod-name"
	extraPodUID  = "authentication.kubernetes.io/pod-uid"
	extraNode    = "authentication.kubernetes.io/node-name"
)

// Caller is whoever asks.
type Caller struct {
	// User is the name of the ServiceAccount as a user, and Namespace its namespace.
	User, Namespace string
	// Pod and PodUID are the pod to which the token is bound, and Node where that runs, if the API server says so.
	Pod, PodUID, Node string
}

// Refusal is why somebody gets no token.
type Refusal string

const (
	// NotAccepted: it is no token of a ServiceAccount at all, or the API server does not accept it: it has expired, or its
	// ServiceAccount or pod is gone.
	NotAccepted Refusal = "not_accepted"
	// WrongAudience: it is for somebody else.
	WrongAudience Refusal = "wrong_audience"
	// NotBound: it is bound to no pod.
	NotBound Refusal = "not_bound"
	// Forbidden: RBAC does not grant it.
	Forbidden Refusal = "forbidden"
)

// Error implements error.
func (r Refusal) Error() string { return string(r) }

// Options configure Callers. All are needed.
type Options struct {
	Tokens reviewed.TokenReviews
	Access reviewed.AccessReviews
	// Audience is that of this install.
	Audience string
}

// Callers ask the API server about callers. Make it with New; it is safe for concurrent use.
type Callers struct {
	options Options
	known   *verdicts
}

// New makes Callers.
func New(options Options) *Callers { return &Callers{options, newVerdicts()} }

// Known is what was said of a caller a moment ago; known is false when the API server has to be asked, and true as well of what no API server
// need be asked about.
func (c *Callers) Known(token string, of types.NamespacedName) (caller Caller, refusal Refusal, known bool) {
	if refusal := c.plainly(token); refusal != "" {
		return Caller{}, refusal, true
	}
	found, known := c.known.get(token, of)
	return found.caller, found.refusal, known
}

// Ask asks the API server, whatever was said before. Errors are that it could not be asked.
func (c *Callers) Ask(ctx context.Context, token string, of types.NamespacedName) (Caller, Refusal, error) {
	if refusal := c.plainly(token); refusal != "" {
		return Caller{}, refusal, nil
	}
	asked := time.Now()
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	caller, refusal, err := c.review(ctx, token, of)
	if err != nil {
		return Caller{}, "", err
	}
	c.known.put(token, of, verdict{caller: caller, refusal: refusal}, asked, claimsOf(token).expiry())
	return caller, refusal, nil
}

// Ready is nil when reviews can be made.
func (c *Callers) Ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	review := &authenticationv1.TokenReview{Spec: authenticationv1.TokenReviewSpec{Token: "is-it-possible-to-ask", Audiences: []string{c.options.Audience}}}
	if _, err := c.options.Tokens.Create(ctx, review, metav1.CreateOptions{}); err != nil {
		return err
	}
	spec := authorizationv1.SubjectAccessReviewSpec{User: "system:anonymous", ResourceAttributes: attributes(types.NamespacedName{Namespace: metav1.NamespaceDefault, Name: "none"})}
	_, err := c.options.Access.Create(ctx, &authorizationv1.SubjectAccessReview{Spec: spec}, metav1.CreateOptions{})
	return err
}

// plainly is why a token is refused by what it says of itself, so that the API server is not asked about what anybody can make up, nor told
// the tokens that are meant for others.
func (c *Callers) plainly(token string) Refusal {
	claims := claimsOf(token)
	switch {
	case claims == nil:
		return NotAccepted
	case !slices.Contains(claims.Audience, c.options.Audience):
		return WrongAudience
	default:
		return ""
	}
}

func (c *Callers) review(ctx context.Context, token string, of types.NamespacedName) (Caller, Refusal, error) {
	who, err := c.options.Tokens.Create(ctx, &authenticationv1.TokenReview{
		Spec: authenticationv1.TokenReviewSpec{Token: token, Audiences: []string{c.options.Audience}},
	}, metav1.CreateOptions{})
	if err != nil {
		return Caller{}, "", err
	}
	caller, refusal := c.callerOf(&who.Status)
	if refusal != "" {
		return Caller{}, refusal, nil
	}
	spec := reviewed.Subject(&who.Status.User)
	spec.ResourceAttributes = attributes(of)
	may, err := c.options.Access.Create(ctx, &authorizationv1.SubjectAccessReview{Spec: spec}, metav1.CreateOptions{})
	if err != nil {
		return Caller{}, "", err
	}
	if !may.Status.Allowed || may.Status.Denied {
		return caller, Forbidden, nil
	}
	return caller, "", nil
}

// callerOf is whom a TokenReview has found. An API server that does not look at audiences names none.
func (c *Callers) callerOf(status *authenticationv1.TokenReviewStatus) (Caller, Refusal) {
	if !status.Authenticated {
		return Caller{}, NotAccepted
	}
	if !slices.Contains(status.Audiences, c.options.Audience) {
		return Caller{}, WrongAudience
	}
	user := &status.User
	account, isAccount := strings.CutPrefix(user.Username, accounts)
	namespace, _, _ := strings.Cut(account, ":")
	if !isAccount || namespace == "" {
		return Caller{}, NotAccepted
	}
	caller := Caller{
		User: user.Username, Namespace: namespace,
		Pod: single(user.Extra[extraPodName]), PodUID: single(user.Extra[extraPodUID]), Node: single(user.Extra[extraNode]),
	}
	if caller.Pod == "" || caller.PodUID == "" {
		return Caller{}, NotBound
	}
	return caller, ""
}

func attributes(of types.NamespacedName) *authorizationv1.ResourceAttributes {
	return &authorizationv1.ResourceAttributes{
		Namespace: of.Namespace, Name: of.Name, Verb: verb,
		Group: v1alpha1.GroupVersion.Group, Version: v1alpha1.GroupVersion.Version, Resource: resource, Subresource: subresource,
	}
}

func single(values []string) string {
	if len(values) != 1 {
		return ""
	}
	return values[0]
}
