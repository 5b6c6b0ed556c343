package reviewed

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/go-logr/logr"
	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const (
	// timeout is how long the API server may take for both reviews.
	timeout = 10 * time.Second
	// authenticated is the group of all whom the API server knows.
	authenticated = "system:authenticated"
)

// TokenReviews is client-go's client for them.
type TokenReviews interface {
	Create(context.Context, *authenticationv1.TokenReview, metav1.CreateOptions) (*authenticationv1.TokenReview, error)
}

// AccessReviews is client-go's client for SubjectAccessReviews.
type AccessReviews interface {
	Create(context.Context, *authorizationv1.SubjectAccessReview, metav1.CreateOptions) (*authorizationv1.SubjectAccessReview, error)
}

// Options configure a handler.
type Options struct {
	Tokens TokenReviews
	Access AccessReviews
	// Now is the time. Default: the real one.
	Now func() time.Time
	// Log takes the messages. Its zero value drops them.
	Log logr.Logger
}

// NewHandler asks the API server about whoever asks, and lets next answer those that it allows. What it said of somebody is
// remembered for a while; that it could not be asked is not.
func NewHandler(options Options, next http.Handler) http.Handler {
	if options.Now == nil {
		options.Now = time.Now
	}
	return &handler{Options: options, next: next, known: newVerdicts(options.Now)}
}

type handler struct {
	Options

	next  http.Handler
	known *verdicts
}

// ServeHTTP implements http.Handler.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	token, ok := Bearer(r.Header)
	if !ok {
		refuse(w, http.StatusUnauthorized)
		return
	}
	asked := question{token: token, verb: strings.ToLower(r.Method), path: r.URL.Path}
	status, known := h.known.get(asked)
	if !known {
		var err error
		if status, err = h.review(r.Context(), asked); err != nil {
			// What went wrong is for the log alone: whoever asks is nobody yet.
			h.Log.Error(err, "The API server cannot say who may read this", "path", asked.path)
			refuse(w, http.StatusInternalServerError)
			return
		}
		h.known.put(asked, status)
	}
	if status != http.StatusOK {
		refuse(w, status)
		return
	}
	h.next.ServeHTTP(w, r)
}

// review is what the API server says: 200, 401 or 403.
func (h *handler) review(ctx context.Context, asked question) (status int, err error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	who, err := h.Tokens.Create(ctx, &authenticationv1.TokenReview{Spec: authenticationv1.TokenReviewSpec{Token: asked.token}}, metav1.CreateOptions{})
	if err != nil {
		return 0, err
	}
	if !who.Status.Authenticated {
		return http.StatusUnauthorized, nil
	}
	may, err := h.Access.Create(ctx, &authorizationv1.SubjectAccessReview{Spec: specOf(&who.Status.User, asked)}, metav1.CreateOptions{})
	if err != nil {
		return 0, err
	}
	if !may.Status.Allowed || may.Status.Denied {
		return http.StatusForbidden, nil
	}
	return http.StatusOK, nil
}

func specOf(user *authenticationv1.UserInfo, asked question) authorizationv1.SubjectAccessReviewSpec {
	spec := Subject(user)
	spec.NonResourceAttributes = &authorizationv1.NonResourceAttributes{Verb: asked.verb, Path: asked.path}
	return spec
}

// Subject is whom a TokenReview has found, as a SubjectAccessReview asks about them.
func Subject(user *authenticationv1.UserInfo) authorizationv1.SubjectAccessReviewSpec {
	spec := authorizationv1.SubjectAccessReviewSpec{User: user.Username, UID: user.UID, Groups: user.Groups}
	if !slices.Contains(spec.Groups, authenticated) {
		spec.Groups = append(slices.Clone(spec.Groups), authenticated)
	}
	for key, values := range user.Extra {
		if spec.Extra == nil {
			spec.Extra = map[string]authorizationv1.ExtraValue{}
		}
		spec.Extra[key] = authorizationv1.ExtraValue(values)
	}
	return spec
}

// Bearer is the token of a request; ok is false when it has none.
func Bearer(header http.Header) (token string, ok bool) {
	scheme, token, _ := strings.Cut(strings.TrimSpace(header.Get("Authorization")), " ")
	token = strings.TrimSpace(token)
	return token, strings.EqualFold(scheme, "bearer") && token != "" && !strings.Contains(token, " ")
}

func refuse(w http.ResponseWriter, status int) { http.Error(w, http.StatusText(status), status) }
