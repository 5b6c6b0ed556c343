package atrest

import (
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/revokerequest"
	"github.com/githubusertoken/github-user-token-operator/controllers/scope"
	"github.com/githubusertoken/github-user-token-operator/internal/metapatch"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// IsResource reports whether nothing waits to be done about a resource but what its pair has a time for: its status says that all
// is well, and is that of its spec and of its pair, which is nil when the cache shows none. Of its workloads, and of logins in a
// browser, it says nothing.
func IsResource(token *v1alpha1.GitHubUserToken, pair *rotation.Pair) bool {
	status := &token.Status
	switch {
	case !token.DeletionTimestamp.IsZero(), !controllerutil.ContainsFinalizer(token, v1alpha1.Finalizer), metapatch.IsTrimmed(token.Annotations),
		status.ObservedGeneration != token.Generation, status.Authorization != nil,
		!meta.IsStatusConditionTrue(status.Conditions, v1alpha1.ConditionReady), !meta.IsStatusConditionTrue(status.Conditions, v1alpha1.ConditionAuthorized),
		meta.IsStatusConditionTrue(status.Conditions, v1alpha1.ConditionReconciling), meta.IsStatusConditionTrue(status.Conditions, v1alpha1.ConditionStalled):
		return false
	}
	request := scope.RequestOf(token)
	return pair != nil && !revokerequest.IsAsked(token, pair) && pair.Owner.UID == string(token.UID) && !pair.LacksState() && !IsUnfinished(pair) &&
		pair.State.Owner == string(token.UID) && (request == "" || request == pair.State.RefreshRequestedAt) &&
		status.RefreshCount == pair.State.RefreshCount && isTime(status.LastRefreshTime, pair.State.IssuedAt)
}

// IsUnfinished reports whether something about a pair was begun and not brought to its end: an exchange, a login, or its deletion.
func IsUnfinished(pair *rotation.Pair) bool {
	return pair.Deleting || pair.Intent != nil || pair.State.PendingSeed != "" || pair.State.Device != nil || pair.State.Web.IsOpen() ||
		pair.State.Login.IsOpen(pair.State.AccessToken, pair.State.RefreshToken)
}

// IsMeanwhile reports whether a Secret of ours is there only while something is under way: a login, or the replacement of a pair.
func IsMeanwhile(secret client.Object) bool {
	role := secret.GetLabels()[v1alpha1.LabelRole]
	return role == v1alpha1.RoleLogin || role == v1alpha1.RoleLoginCode || role == v1alpha1.RoleBackup
}

// isTime reports whether a time of the API is that time, to the second.
func isTime(told *metav1.Time, at time.Time) bool {
	return told != nil && told.Equal(&metav1.Time{Time: at.Truncate(time.Second)})
}
