package standing

import (
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
)

// Standing is all that is told of one resource. Its JSON form is what -o json prints.
type Standing struct {
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	State     State  `json:"state"`
	// Works reports whether there is a token that works now.
	Works bool `json:"tokenWorks"`
	// Reason is the reason of the condition that the state follows from.
	Reason string `json:"reason,omitempty"`
	// Sentences say how things are, and ToDo what to do now, most urgent first. Commands are among the latter.
	Sentences []string `json:"sentences"`
	ToDo      []string `json:"toDo,omitempty"`

	Expires     *metav1.Time `json:"accessTokenExpirationTime,omitempty"`
	NextRefresh *metav1.Time `json:"nextRefreshTime,omitempty"`
	LastRefresh *metav1.Time `json:"lastRefreshTime,omitempty"`

	Account   *v1alpha1.User `json:"account,omitempty"`
	App       string         `json:"app"`
	Host      string         `json:"host,omitempty"`
	Secret    string         `json:"secret,omitempty"`
	Outputs   []Output       `json:"outputs,omitempty"`
	Consumers []Consumer     `json:"consumers,omitempty"`
	// ConsumersUnknown says why it is not known who uses the token.
	ConsumersUnknown string `json:"consumersUnknown,omitempty"`
}

// Output is a further Secret that is made from the pair.
type Output struct {
	Name   string                `json:"name"`
	Format v1alpha1.OutputFormat `json:"format"`
	// Scope is what its token is limited to; empty where it is the user's own.
	Scope string `json:"scope,omitempty"`
}

// String says of what kind an output is.
func (o Output) String() string {
	if o.Scope == "" {
		return string(o.Format)
	}
	return string(o.Format) + ", limited to " + o.Scope
}

// scopeOf says a scope in words; empty for none.
func scopeOf(scope *v1alpha1.OutputScope) string {
	if scope == nil {
		return ""
	}
	var permissions, repositories []string
	for _, name := range sortedKeys(scope.Permissions) {
		permissions = append(permissions, name+": "+string(scope.Permissions[name]))
	}
	for _, name := range scope.Repositories {
		repositories = append(repositories, string(name))
	}
	for _, id := range scope.RepositoryIDs {
		repositories = append(repositories, fmt.Sprint(id))
	}
	if len(permissions) == 0 {
		permissions = []string{"all permissions"}
	}
	if len(repositories) == 0 {
		repositories = []string{"all repositories"}
	}
	return fewOf(permissions) + " for " + fewOf(repositories) + " of " + scope.Target
}

// fewOf names what a line has room for.
func fewOf(all []string) string {
	const most = 4
	if more := len(all) - most; more > 0 {
		return strings.Join(all[:most], ", ") + fmt.Sprintf(" and %d more", more)
	}
	return strings.Join(all, ", ")
}

// Pods are those of a namespace, or why they are not known.
type Pods struct {
	Items []corev1.Pod
	// Err is why they could not be listed; nil if they could.
	Err error
}

// Of says how a resource stands at a time.
func Of(token *v1alpha1.GitHubUserToken, pods Pods, now time.Time) *Standing {
	f := factsOf(token, now)
	s := &Standing{
		Namespace: token.Namespace, Name: token.Name, State: f.state(), Works: f.works, Reason: f.reason(),
		Expires: token.Status.AccessTokenExpirationTime, NextRefresh: token.Status.NextRefreshTime, LastRefresh: token.Status.LastRefreshTime,
		Account: token.Status.User, App: AppName(token), Host: hostOf(token), Secret: SecretOf(token),
	}
	for _, output := range token.AllOutputs() {
		s.Outputs = append(s.Outputs, Output{output.Name, output.Format, scopeOf(output.Scope)})
	}
	s.Sentences = f.sentences(now)
	s.ToDo = f.todo(now)
	if pods.Err != nil {
		s.ConsumersUnknown = pods.Err.Error()
	} else {
		s.Consumers = ConsumersOf(token, pods.Items, now)
		s.ToDo = append(s.ToDo, restarts(token.Namespace, s.Consumers)...)
	}
	return s
}

// AppName names the App of a resource.
func AppName(token *v1alpha1.GitHubUserToken) string {
	if ref := token.Spec.App.Ref; ref != nil {
		kind := ref.Kind
		if kind == "" {
			kind = v1alpha1.KindGitHubApp
		}
		return kind + " " + ref.Name
	}
	return token.Spec.App.ClientID
}

// hostOf is the host of an App that stands in the spec; empty where the App is an object of its own.
func hostOf(token *v1alpha1.GitHubUserToken) string {
	switch {
	case token.Spec.App.Ref != nil:
		return ""
	case token.Spec.App.Host == "":
		return v1alpha1.DefaultHost
	default:
		return strings.TrimSuffix(token.Spec.App.Host, "/api/v3")
	}
}

// SecretOf is the name of the Secret that holds the pair: that of the status, which follows the spec.
func SecretOf(token *v1alpha1.GitHubUserToken) string {
	if name := token.Status.SecretName; name != "" {
		return name
	}
	return token.PairSecretName()
}

// reason is the reason of the condition that the state follows from.
func (f *facts) reason() string {
	switch f.state() {
	case NeedsPerson:
		if f.authorized != nil && f.authorized.Status == metav1.ConditionFalse {
			return f.authorized.Reason
		}
	case Stalled:
		return f.stalled.Reason
	case Working:
		if isTrue(f.trying) {
			return f.trying.Reason
		}
	}
	if f.ready == nil {
		return ""
	}
	return f.ready.Reason
}

// command is a command of the plugin for this resource.
func (f *facts) command(verb string, args ...string) string {
	return strings.Join(append([]string{"kubectl ghut", verb, f.token.Name, "-n", f.token.Namespace}, args...), " ")
}

// Runbook is the address of what the runbook says of a reason.
func Runbook(reason string) string {
	anchor := strings.ToLower(reason)
	switch reason {
	case v1alpha1.ReasonHandoffDisabled, v1alpha1.ReasonHandoffForbidden:
		anchor = "handoffdisabled-and-handoffforbidden"
	}
	return fmt.Sprintf("https://github.com/githubusertoken/github-user-token-operator/blob/main/docs/runbook.md#%s", anchor)
}
