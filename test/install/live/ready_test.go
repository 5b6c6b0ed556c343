package live

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/githubusertoken/github-user-token-operator/hack/demo/stage"
)

// never is for how long a version that cannot work is watched. It says why within the first second.
const never = 10 * time.Second

// A version that cannot work here never becomes ready, so a rollout stops at its first pod. One that can is ready also while
// somebody else is the leader.
func TestReadyIsWhoCouldWork(t *testing.T) {
	w := newWorld(t)
	unready := func(what, says string, extra ...string) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), never)
		defer cancel()
		before := w.operatorLog()
		err := w.StartOperator(ctx, extra...)
		if err == nil {
			t.Errorf("%s: it is ready", what)
			w.stop()
		} else if log := strings.TrimPrefix(w.operatorLog(), before); !strings.Contains(log, says) {
			t.Errorf("%s: the log does not tell of %q: %v", what, says, err)
		}
	}
	w.helm("install", release, chart, "--namespace", stage.Namespace, "--create-namespace", "--set", "crds.enabled=false")
	unready("without the CRD", "githubusertoken")
	w.helm("upgrade", release, chart, "--namespace", stage.Namespace, "--set", "rbac.create=false")
	w.kubectl(append([]string{"wait", "--for=condition=Established"}, crds...)...)
	unready("without permissions", "Not ready")
	w.helm("upgrade", release, chart, "--namespace", stage.Namespace, "--reset-values") // Without any value Helm takes the former ones.
	unready("with an outbox that cannot be written", "outbox", "--outbox-dir=/proc/nowhere")

	// Somebody holds the lease for an hour, so this one only waits.
	somebody, hour, now := "somebody", int32(3600), metav1.NowMicro()
	w.must(errors.Join(
		w.api.DeleteAllOf(t.Context(), &coordinationv1.Lease{}, client.InNamespace(stage.Namespace)),
		w.api.Create(t.Context(), &coordinationv1.Lease{
			ObjectMeta: metav1.ObjectMeta{Namespace: stage.Namespace, Name: release},
			Spec:       coordinationv1.LeaseSpec{HolderIdentity: &somebody, LeaseDurationSeconds: &hour, AcquireTime: &now, RenewTime: &now},
		}),
	))
	w.start()
	if holder := w.kubectl("-n", stage.Namespace, "get", "lease", release, "-o", "jsonpath={.spec.holderIdentity}"); holder != somebody {
		t.Errorf("%s has the lease, so this is not about a replica that waits", holder)
	}
	w.stop()
}

// operatorLog is what the operators of this world have said: each says once why it is not ready, and then only that it is not.
func (w *world) operatorLog() string {
	w.t.Helper()
	content, err := os.ReadFile(w.Path("operator.log"))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		w.t.Fatal(err)
	}
	return string(content)
}
