//go:build e2e

package e2e

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/github/githubtest"
	"github.com/githubusertoken/github-user-token-operator/test/suite"
)

// deadline is how long a test waits for what must come soon. It is generous: machines are shared.
const deadline = time.Minute

// eventually calls try until it returns nil, for at most the given time.
func eventually(t *testing.T, within time.Duration, what string, try func() error) {
	t.Helper()
	suite.Eventually(t, within, what, func() (bool, string) {
		err := try()
		return err == nil, fmt.Sprint(err)
	})
}

func create(t *testing.T, object client.Object) {
	t.Helper()
	if err := api.Create(t.Context(), object); err != nil {
		t.Fatal(err)
	}
}

func get[T client.Object](t *testing.T, namespace, name string, into T) T {
	t.Helper()
	if err := api.Get(t.Context(), types.NamespacedName{Namespace: namespace, Name: name}, into); err != nil {
		t.Fatal(err)
	}
	return into
}

func run(t *testing.T, args ...string) string {
	t.Helper()
	output, err := kubectl(t.Context(), args...)
	if err != nil {
		t.Fatal(err)
	}
	return output
}

// newNamespace makes a namespace for a test, with the App's client secret and the stand-in's CA in it.
// level is the pod security standard that it enforces. Its name is also that of the GitHub account.
func newNamespace(t *testing.T, name, level string) {
	t.Helper()
	create(t, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
		Name: name, Labels: map[string]string{"pod-security.kubernetes.io/enforce": level},
	}})
	create(t, &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: name, Name: "github-app"},
		StringData: map[string]string{"client_secret": clientSecret},
	})
	create(t, &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Namespace: name, Name: "github-ca"},
		Data:       map[string]string{"ca.crt": string(gh.CA().PEM)},
	})
	t.Cleanup(func() {
		if t.Failed() {
			return // for whoever looks into the logs, the pods go on
		}
		if _, err := kubectl(context.Background(), "delete", "namespace", name, "--timeout=3m"); err != nil {
			t.Error(err)
		}
	})
}

// token is a GitHubUserToken, and the account behind it.
type token struct {
	t         *testing.T
	namespace string
	name      string
	user      string
}

// login makes a GitHubUserToken of a new login and waits until it is ready.
func login(t *testing.T, namespace string, change func(*v1alpha1.GitHubUserTokenSpec)) token {
	t.Helper()
	k := token{t: t, namespace: namespace, name: "octocat", user: namespace}
	k.seed("octocat-seed")
	create(t, octocat(namespace, change))
	k.awaitReady(deadline)
	return k
}

// loginAs makes one of several of a namespace.
func loginAs(t *testing.T, namespace, name string) token {
	t.Helper()
	k := token{t: t, namespace: namespace, name: name, user: namespace + "-" + name}
	k.seed(name + "-seed")
	made := octocat(namespace, func(spec *v1alpha1.GitHubUserTokenSpec) {
		spec.RefreshTokenRef.Name, spec.Secret.Name = name+"-seed", name+"-token"
	})
	made.Name = name
	create(t, made)
	k.awaitReady(deadline)
	return k
}

// octocat is the GitHubUserToken of the tests.
func octocat(namespace string, change func(*v1alpha1.GitHubUserTokenSpec)) *v1alpha1.GitHubUserToken {
	made := suite.Resource(namespace, "octocat", githubHost, clientID)
	if change != nil {
		change(&made.Spec)
	}
	return made
}

// seed puts the refresh token of a new login into a Secret.
func (k token) seed(name string) {
	k.t.Helper()
	create(k.t, &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: k.namespace, Name: name},
		StringData: map[string]string{"refresh_token": gh.Mint(clientID, k.user).RefreshToken},
	})
}

// awaitReady waits until the Secret holds the account's newest pair and the resource says so.
func (k token) awaitReady(within time.Duration) {
	k.t.Helper()
	eventually(k.t, within, k.namespace+"/"+k.name+" holds the newest pair", func() error {
		var resource v1alpha1.GitHubUserToken
		var secret corev1.Secret
		if err := errors.Join(
			api.Get(k.t.Context(), types.NamespacedName{Namespace: k.namespace, Name: k.name}, &resource),
			api.Get(k.t.Context(), types.NamespacedName{Namespace: k.namespace, Name: k.name + "-token"}, &secret),
		); err != nil {
			return err
		}
		if newest := k.newest(); string(secret.Data[v1alpha1.KeyRefreshToken]) != newest.RefreshToken ||
			string(secret.Data[v1alpha1.KeyAccessToken]) != newest.AccessToken {
			return errors.New("the Secret holds another pair than GitHub's newest")
		}
		for _, kind := range []string{v1alpha1.ConditionReady, v1alpha1.ConditionAuthorized} {
			if !meta.IsStatusConditionTrue(resource.Status.Conditions, kind) {
				return fmt.Errorf("%s is not True: %+v", kind, meta.FindStatusCondition(resource.Status.Conditions, kind))
			}
		}
		return nil
	})
}

func (k token) newest() githubtest.Pair {
	newest, _ := gh.Newest(clientID, k.user)
	return newest
}

var requests atomic.Int64

// request asks for a rotation, as a person does.
func (k token) request() {
	k.t.Helper()
	value := "e2e-" + strconv.FormatInt(requests.Add(1), 10)
	patch := fmt.Sprintf(`{"metadata":{"annotations":{%q:%q}}}`, v1alpha1.AnnotationRefreshRequestedAt, value)
	asked := &v1alpha1.GitHubUserToken{ObjectMeta: metav1.ObjectMeta{Namespace: k.namespace, Name: k.name}}
	if err := api.Patch(k.t.Context(), asked, client.RawPatch(types.MergePatchType, []byte(patch))); err != nil {
		k.t.Fatal(err)
	}
}

// rotation is what GitHub knows of one.
type rotation struct {
	before, after githubtest.Pair
	died          time.Time // when the old access token stopped working
}

// rotate asks for a rotation and returns as soon as GitHub has made it.
func (k token) rotate() rotation {
	k.t.Helper()
	r := rotation{before: k.newest()}
	k.request()
	eventually(k.t, deadline, "a rotation at GitHub", func() error {
		died, dead := gh.DiedAt(r.before.AccessToken)
		if !dead {
			return errors.New("the old token is alive")
		}
		r.died, r.after = died, k.newest()
		return nil
	})
	return r
}

func fingerprint(p githubtest.Pair) string { return githubtest.Fingerprint(p.AccessToken) }

// checkLedger fails the test if anything was done to a refresh token, by any test so far, that GitHub would
// not forgive.
func checkLedger(t *testing.T) {
	t.Helper()
	for _, spent := range gh.DoubleSpends() {
		t.Errorf("a refresh token was spent twice: %+v", spent)
	}
	for _, violation := range gh.Violations() {
		t.Errorf("GitHub would object: %+v", violation)
	}
}

// job is a pod of the tests: see workload.
type job struct {
	namespace, name string
	args            []string
	replicas        int
	// secret is mounted at /github, each of secrets in a folder of its own name below that, and env read as TOKEN,
	// where they are given.
	secret  string
	secrets []string
	env     string
	// debian gives the pod the machine's programs.
	debian bool
}

// deploy runs a job and waits until it runs.
func deploy(t *testing.T, j job) {
	t.Helper()
	create(t, j.deployment())
	run(t, "-n", j.namespace, "rollout", "status", "deployment/"+j.name, "--timeout=3m")
}

func (j job) deployment() *appsv1.Deployment {
	labels := map[string]string{"app": j.name}
	yes, no := true, false
	nonroot := int64(65532)
	container := corev1.Container{
		Name: "main", Image: workloadImage, ImagePullPolicy: corev1.PullNever, Args: j.args,
		Env: []corev1.EnvVar{
			{Name: "POD", ValueFrom: &corev1.EnvVarSource{FieldRef: &corev1.ObjectFieldSelector{FieldPath: "metadata.name"}}},
			{Name: "COLLECTOR", Value: "http://" + collectorAddress},
			{Name: "SSL_CERT_FILE", Value: "/ca/ca.crt"},
			{Name: "GIT_SSL_CAINFO", Value: "/ca/ca.crt"},
		},
		VolumeMounts: []corev1.VolumeMount{{Name: "ca", MountPath: "/ca"}},
		Resources:    corev1.ResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("1m")}},
		SecurityContext: &corev1.SecurityContext{
			AllowPrivilegeEscalation: &no,
			Capabilities:             &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
		},
	}
	volumes := []corev1.Volume{{Name: "ca", VolumeSource: corev1.VolumeSource{
		ConfigMap: &corev1.ConfigMapVolumeSource{LocalObjectReference: corev1.LocalObjectReference{Name: "github-ca"}},
	}}}
	if j.secret != "" {
		container.VolumeMounts = append(container.VolumeMounts, corev1.VolumeMount{Name: "token", MountPath: "/github", ReadOnly: true})
		volumes = append(volumes, corev1.Volume{Name: "token", VolumeSource: corev1.VolumeSource{
			Secret: &corev1.SecretVolumeSource{SecretName: j.secret},
		}})
	}
	for _, secret := range j.secrets {
		container.VolumeMounts = append(container.VolumeMounts, corev1.VolumeMount{Name: secret, MountPath: "/github/" + secret, ReadOnly: true})
		volumes = append(volumes, corev1.Volume{Name: secret, VolumeSource: corev1.VolumeSource{
			Secret: &corev1.SecretVolumeSource{SecretName: secret},
		}})
	}
	if j.env != "" {
		container.Env = append(container.Env, corev1.EnvVar{Name: "TOKEN", ValueFrom: &corev1.EnvVarSource{
			SecretKeyRef: &corev1.SecretKeySelector{
				LocalObjectReference: corev1.LocalObjectReference{Name: j.env}, Key: v1alpha1.KeyAccessToken,
			},
		}})
	}
	if j.debian {
		container.Image = debianImage
		container.VolumeMounts = append(container.VolumeMounts, corev1.VolumeMount{Name: "usr", MountPath: "/usr", ReadOnly: true})
		volumes = append(volumes, corev1.Volume{Name: "usr", VolumeSource: corev1.VolumeSource{
			HostPath: &corev1.HostPathVolumeSource{Path: "/usr"},
		}})
	}
	replicas, grace := int32(max(1, j.replicas)), int64(1)
	return &appsv1.Deployment{
		TypeMeta:   metav1.TypeMeta{APIVersion: "apps/v1", Kind: "Deployment"},
		ObjectMeta: metav1.ObjectMeta{Namespace: j.namespace, Name: j.name},
		Spec: appsv1.DeploymentSpec{
			Replicas: &replicas,
			Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: labels},
				Spec: corev1.PodSpec{
					AutomountServiceAccountToken:  &no,
					EnableServiceLinks:            &no,
					TerminationGracePeriodSeconds: &grace,
					HostAliases:                   []corev1.HostAlias{{IP: githubAddress, Hostnames: []string{githubHost}}},
					SecurityContext: &corev1.PodSecurityContext{
						RunAsNonRoot: &yes, RunAsUser: &nonroot, RunAsGroup: &nonroot,
						SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
					},
					Containers: []corev1.Container{container},
					Volumes:    volumes,
				},
			},
		},
	}
}

// operatorPods returns the operator's pods that are not on their way out.
func operatorPods(t *testing.T) []corev1.Pod {
	t.Helper()
	var pods corev1.PodList
	err := api.List(t.Context(), &pods, client.InNamespace(operatorNamespace),
		client.MatchingLabels{"app.kubernetes.io/name": "github-user-token-operator"})
	if err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(pods.Items, func(pod corev1.Pod) bool { return pod.DeletionTimestamp != nil })
}

// leader returns the operator's pod that holds the lease.
func leader(t *testing.T) corev1.Pod {
	t.Helper()
	var found corev1.Pod
	eventually(t, deadline, "a leader", func() error {
		lease := &coordinationv1.Lease{}
		if err := api.Get(t.Context(), types.NamespacedName{Namespace: operatorNamespace, Name: "github-user-token-operator"}, lease); err != nil {
			return err
		}
		if lease.Spec.HolderIdentity == nil {
			return errors.New("nobody holds the lease")
		}
		name, _, _ := strings.Cut(*lease.Spec.HolderIdentity, "_")
		for _, pod := range operatorPods(t) {
			if pod.Name == name {
				found = pod
				return nil
			}
		}
		return fmt.Errorf("%s holds the lease and is gone", name)
	})
	return found
}

// awaitOperator waits until both replicas are ready and one leads.
func awaitOperator(t *testing.T) {
	t.Helper()
	run(t, "-n", operatorNamespace, "rollout", "status", "deployment/github-user-token-operator", "--timeout=3m")
	leader(t)
}
