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
	// timeout is how long the API server may take for a review.
	timeout = 3 * time.Second
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

// Identity is what the API server has said of who shows a token.
type Identity struct {
	// Caller is who it is, as far as that is known.
	Caller Caller
	// Refusal is why it counts for nobody; empty when it does not.
	Refusal Refusal
	// Asked is when the API server was asked.
	Asked time.Time

	token   key
	subject authorizationv1.SubjectAccessReviewSpec
	expires time.Time
}

// Access is what the API server has said of whether somebody may have the token of a resource.
type Access struct {
	// Refusal is Forbidden; empty where they may.
	Refusal Refusal
	// Asked is when the API server was asked.
	Asked time.Time
}

// Callers ask the API server about callers: who they are, and then what they may. Both are remembered apart, so that who asks for many
// resources is looked up once. Make it with New; it is safe for concurrent use.
type Callers struct {
	options    Options
	identities *verdicts[Identity]
	accesses   *verdicts[Access]
}

// New makes Callers.
func New(options Options) *Callers {
	return &Callers{options, newVerdicts[Identity](), newVerdicts[Access]()}
}

// Known is who was said a moment ago to have a token; known is false when the API server has to be asked, and true as well of what no API server
// need be asked about.
func (c *Callers) Known(token string) (who Identity, known bool) {
	if refusal := c.plainly(token); refusal != "" {
		return Identity{Refusal: refusal, Asked: time.Now()}, true
	}
	return c.identities.get(c.identities.hash(token))
}

// Identify asks the API server who has a token, whatever was said before. Errors are that it could not be asked.
func (c *Callers) Identify(ctx context.Context, token string) (Identity, error) {
	if refusal := c.plainly(token); refusal != "" {
		return Identity{Refusal: refusal, Asked: time.Now()}, nil
	}
	who := Identity{Asked: time.Now(), token: c.identities.hash(token), expires: claimsOf(token).expiry()}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	review := &authenticationv1.TokenReview{Spec: authenticationv1.TokenReviewSpec{Token: token, Audiences: []string{c.options.Audience}}}
	said, err := c.options.Tokens.Create(ctx, review, metav1.CreateOptions{})
	if err != nil {
		return Identity{}, err
	}
	if who.Caller, who.Refusal = c.callerOf(&said.Status); who.Refusal == "" {
		who.subject = reviewed.Subject(&said.Status.User)
	}
	c.identities.put(who.token, who, who.Refusal == "", who.Asked, who.expires)
	return who, nil
}

// KnownAccess is what was said a moment ago of whether somebody may.
func (c *Callers) KnownAccess(who Identity, of types.NamespacedName) (may Access, known bool) {
	return c.accesses.get(c.accessKey(who, of))
}

// Authorize asks the API server whether somebody may, whatever was said before. Errors are that it could not be asked.
func (c *Callers) Authorize(ctx context.Context, who Identity, of types.NamespacedName) (Access, error) {
	if who.Refusal != "" {
		return Access{Refusal: who.Refusal, Asked: who.Asked}, nil
	}
	may := Access{Asked: time.Now()}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	spec := who.subject
	spec.ResourceAttributes = attributes(of)
	said, err := c.options.Access.Create(ctx, &authorizationv1.SubjectAccessReview{Spec: spec}, metav1.CreateOptions{})
	if err != nil {
		return Access{}, err
	}
	if !said.Status.Allowed || said.Status.Denied {
		may.Refusal = Forbidden
	}
	c.accesses.put(c.accessKey(who, of), may, may.Refusal == "", may.Asked, who.expires)
	return may, nil
}

func (c *Callers) accessKey(who Identity, of types.NamespacedName) key {
	return c.accesses.hash(verb, subresource, of.Namespace, of.Name, string(who.token[:]))
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
