package resourcemetrics

import (
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/exposition"
)

// app is what is told of a GitHubApp or a ClusterGitHubApp.
type app struct {
	kind   string
	object metav1.Object
	spec   *v1alpha1.GitHubAppSpec
	status *v1alpha1.GitHubAppStatus
}

// appConditionTypes are the types of conditions that the operator writes of an App.
var appConditionTypes = []string{v1alpha1.ConditionReady, v1alpha1.ConditionCredentialsValid, v1alpha1.ConditionReconciling, v1alpha1.ConditionStalled}

// appReasons are the reasons in them that GitHubUserTokens have not.
var appReasons = map[string]bool{
	v1alpha1.ReasonUsable:              true,
	v1alpha1.ReasonInUse:               true,
	v1alpha1.ReasonSelectorInvalid:     true,
	v1alpha1.ReasonCredentialsAccepted: true,
	v1alpha1.ReasonNotYetChecked:       true,
}

// writeApps writes what there is to tell of Apps. ClusterGitHubApps are made by administrators, so each has series of its own in
// any case; of GitHubApps a tenant may have any number.
func (m Metrics) writeApps(w *exposition.Writer) {
	var apps []app
	add := func(like runtime.Object) {
		objects, _ := m.selected(like)
		for _, object := range objects {
			switch object := object.(type) {
			case *v1alpha1.GitHubApp:
				apps = append(apps, app{v1alpha1.KindGitHubApp, object, &object.Spec, &object.Status})
			case *v1alpha1.ClusterGitHubApp:
				apps = append(apps, app{v1alpha1.KindClusterGitHubApp, object, &object.Spec.GitHubAppSpec, &object.Status})
			}
		}
	}
	add(&v1alpha1.ClusterGitHubApp{})
	if !m.options.Aggregate {
		add(&v1alpha1.GitHubApp{})
	}
	sample := func(a app, value float64, more ...exposition.Label) {
		w.Sample(value, append([]exposition.Label{
			{Name: "kind", Value: a.kind}, {Name: "namespace", Value: a.object.GetNamespace()}, {Name: "name", Value: a.object.GetName()},
		}, more...)...)
	}
	w.Family("githubusertoken_app_info", "1 for each GitHubApp and ClusterGitHubApp, with its host and client ID.", exposition.Gauge)
	for _, a := range apps {
		sample(a, 1, exposition.Label{Name: "host", Value: a.spec.Host}, exposition.Label{Name: "client_id", Value: a.spec.ClientID})
	}
	w.Family("githubusertoken_app_condition", "1 for each condition of a GitHubApp or ClusterGitHubApp, with its status and reason.", exposition.Gauge)
	for _, a := range apps {
		for _, condition := range a.status.Conditions {
			if !slices.Contains(appConditionTypes, condition.Type) {
				continue
			}
			reason := otherReason
			if appReasons[condition.Reason] || knownReasons[condition.Reason] {
				reason = condition.Reason
			}
			sample(a, 1, exposition.Label{Name: "type", Value: condition.Type}, exposition.Label{Name: "status", Value: string(condition.Status)}, exposition.Label{Name: "reason", Value: reason})
		}
	}
	w.Family("githubusertoken_app_tokens", "How many GitHubUserTokens use a GitHubApp or ClusterGitHubApp.", exposition.Gauge)
	for _, a := range apps {
		sample(a, float64(a.status.Tokens))
	}
}
