package standing

import (
	"errors"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
)

var now = time.Date(2027, 2, 3, 12, 0, 0, 0, time.UTC)

// resource is one that works, changed by what a case says.
func resource(changes ...func(*v1alpha1.GitHubUserToken)) *v1alpha1.GitHubUserToken {
	at := func(d time.Duration) *metav1.Time { return &metav1.Time{Time: now.Add(d)} }
	token := &v1alpha1.GitHubUserToken{
		ObjectMeta: metav1.ObjectMeta{Namespace: "team-a", Name: "octocat", Generation: 1},
		Spec: v1alpha1.GitHubUserTokenSpec{
			App:     v1alpha1.App{ClientID: "Iv23liEXAMPLE"},
			Login:   &v1alpha1.Login{Methods: []v1alpha1.LoginMethod{v1alpha1.LoginMethodDeviceFlow}},
			Secret:  v1alpha1.SecretTemplate{Name: "octocat-token"},
			Outputs: []v1alpha1.Output{{Name: "octocat-git", Format: v1alpha1.OutputFormatGitCredentials}},
		},
		Status: v1alpha1.GitHubUserTokenStatus{
			ObservedGeneration: 1, SecretName: "octocat-token", User: &v1alpha1.User{Login: "octocat", ID: 1},
			AccessTokenExpirationTime: at(6 * time.Hour), NextRefreshTime: at(4 * time.Hour), LastRefreshTime: at(-2 * time.Hour),
		},
	}
	condition(v1alpha1.ConditionReady, "True", v1alpha1.ReasonTokenValid)(token)
	condition(v1alpha1.ConditionAuthorized, "True", v1alpha1.ReasonRefreshTokenValid)(token)
	for _, change := range changes {
		change(token)
	}
	return token
}

func condition(kind, status, reason string) func(*v1alpha1.GitHubUserToken) {
	return func(token *v1alpha1.GitHubUserToken) {
		next := metav1.Condition{Type: kind, Status: metav1.ConditionStatus(status), Reason: reason, Message: "message of " + kind + " " + reason}
		for i := range token.Status.Conditions {
			if token.Status.Conditions[i].Type == kind {
				token.Status.Conditions[i] = next
				return
			}
		}
		token.Status.Conditions = append(token.Status.Conditions, next)
	}
}

func expiresIn(d time.Duration) func(*v1alpha1.GitHubUserToken) {
	return func(token *v1alpha1.GitHubUserToken) {
		token.Status.AccessTokenExpirationTime = &metav1.Time{Time: now.Add(d)}
	}
}

// byLink is a login by the link of the login page that has time until then.
func byLink(until time.Time) func(*v1alpha1.GitHubUserToken) {
	return func(token *v1alpha1.GitHubUserToken) {
		token.Status.WebLogin = &v1alpha1.WebLogin{RequestID: "p-0123456789ab-0123456789abcdef", AttemptID: "attempt", ExpirationTime: &metav1.Time{Time: until}}
	}
}

func suspended(token *v1alpha1.GitHubUserToken) { token.Spec.Suspend = true }

func TestStandingOfAResource(t *testing.T) {
	loginNeeded := []func(*v1alpha1.GitHubUserToken){
		condition(v1alpha1.ConditionAuthorized, "False", v1alpha1.ReasonRefreshTokenRejected),
		condition(v1alpha1.ConditionStalled, "True", v1alpha1.ReasonRefreshTokenRejected),
	}
	notReady := condition(v1alpha1.ConditionReady, "False", v1alpha1.ReasonTokenExpired)
	for _, c := range []struct {
		name    string
		changes []func(*v1alpha1.GitHubUserToken)
		state   State
		code    int
		reason  string
		// says and todo are parts of what must be said; "" of what need not be done.
		says, todo string
	}{
		{"one that works", nil, Ready, 0, "TokenValid", "works until 2027-02-03 18:00:00Z (in 6h 00m). The next refresh is at 2027-02-03 16:00:00Z (in 4h 00m)", ""},
		{"one whose token does not expire", []func(*v1alpha1.GitHubUserToken){func(token *v1alpha1.GitHubUserToken) {
			token.Status.AccessTokenExpirationTime, token.Status.NextRefreshTime = nil, nil
		}}, Ready, 0, "TokenValid", "works, and does not expire", ""},
		{"one that nobody has looked at", []func(*v1alpha1.GitHubUserToken){func(token *v1alpha1.GitHubUserToken) {
			token.Status = v1alpha1.GitHubUserTokenStatus{ObservedGeneration: -1}
		}}, Working, 1, "", "has not looked at this resource yet", "kubectl ghut check"},
		{"one whose login has ended, and whose token works", loginNeeded, NeedsPerson, 2, "RefreshTokenRejected", "message of Authorized", "kubectl ghut login octocat -n team-a"},
		{"one whose login has ended, and whose token has too", append(loginNeeded, notReady, expiresIn(-time.Minute)), NeedsPerson, 2, "RefreshTokenRejected", "the last one expired at 2027-02-03 11:59:00Z (1m 00s ago)", "runbook.md#refreshtokenrejected"},
		{"one that waits for a code to be entered", []func(*v1alpha1.GitHubUserToken){
			notReady, condition(v1alpha1.ConditionAuthorized, "False", v1alpha1.ReasonAuthorizationPending), condition(v1alpha1.ConditionReconciling, "True", v1alpha1.ReasonAuthorizationPending),
		}, NeedsPerson, 2, "AuthorizationPending", "message of Authorized", "kubectl ghut login octocat"},
		{"one that somebody is logging in to by the link", []func(*v1alpha1.GitHubUserToken){
			notReady, condition(v1alpha1.ConditionAuthorized, "False", v1alpha1.ReasonAuthorizationPending), byLink(now.Add(7 * time.Minute)),
		}, NeedsPerson, 2, "AuthorizationPending", "message of Authorized", "Nothing: somebody is logging in by the link of the login page, and has until 2027-02-03 12:07:00Z (in 7m 00s)."},
		{"one whose login by the link has run out of time", []func(*v1alpha1.GitHubUserToken){
			notReady, condition(v1alpha1.ConditionAuthorized, "False", v1alpha1.ReasonAuthorizationPending), byLink(now),
		}, NeedsPerson, 2, "AuthorizationPending", "message of Authorized", "kubectl ghut login octocat -n team-a"},
		{"one that offers a link of the login page", []func(*v1alpha1.GitHubUserToken){notReady, loginNeeded[0], func(token *v1alpha1.GitHubUserToken) {
			token.Status.Authorization = &v1alpha1.Authorization{LoginURL: "https://login.example.com/login/team-a/octocat?ticket=x"}
		}}, NeedsPerson, 2, "RefreshTokenRejected", "message of Authorized", "kubectl ghut login octocat -n team-a --link"},
		{"one that came from a backup", []func(*v1alpha1.GitHubUserToken){condition(v1alpha1.ConditionAuthorized, "False", v1alpha1.ReasonPairUnproven)}, NeedsPerson, 2, "PairUnproven", "", "kubectl ghut adopt octocat"},
		{"one that is configured wrongly", []func(*v1alpha1.GitHubUserToken){condition(v1alpha1.ConditionStalled, "True", v1alpha1.ReasonAppNotUsable)}, Stalled, 3, "AppNotUsable", "message of Stalled", "runbook.md#appnotusable"},
		{"one whose handoff is off", []func(*v1alpha1.GitHubUserToken){condition(v1alpha1.ConditionStalled, "True", v1alpha1.ReasonHandoffDisabled)}, Stalled, 3, "HandoffDisabled", "", "runbook.md#handoffdisabled-and-handoffforbidden"},
		{"one that is tried again, and whose token works", []func(*v1alpha1.GitHubUserToken){condition(v1alpha1.ConditionReconciling, "True", v1alpha1.ReasonGitHubUnavailable)}, Ready, 0, "TokenValid", "message of Reconciling", ""},
		{"one that is tried again, and has no token", []func(*v1alpha1.GitHubUserToken){notReady, condition(v1alpha1.ConditionReconciling, "True", v1alpha1.ReasonGitHubUnavailable)}, Working, 1, "GitHubUnavailable", "message of Ready", "tries again by itself"},
		{"one that is suspended, and whose token works", []func(*v1alpha1.GitHubUserToken){suspended}, Ready, 0, "TokenValid", "nobody can log in. To go on: kubectl ghut resume octocat -n team-a", ""},
		{"one that is suspended, and has no token", []func(*v1alpha1.GitHubUserToken){suspended, condition(v1alpha1.ConditionReady, "False", v1alpha1.ReasonSuspended)}, NeedsPerson, 2, "Suspended", "It is suspended", "kubectl ghut resume octocat -n team-a"},
		{"one whose status is older than its token", []func(*v1alpha1.GitHubUserToken){expiresIn(-time.Hour)}, Working, 1, "TokenValid", "seems not to be at work", "kubectl ghut check"},
		{"one whose refresh is overdue", []func(*v1alpha1.GitHubUserToken){func(token *v1alpha1.GitHubUserToken) {
			token.Status.NextRefreshTime = &metav1.Time{Time: now.Add(-11 * time.Minute)}
		}}, Working, 1, "TokenValid", "seems not to be at work", "kubectl ghut check"},
		{"one that was just changed", []func(*v1alpha1.GitHubUserToken){func(token *v1alpha1.GitHubUserToken) { token.Generation = 2 }}, Ready, 0, "TokenValid", "has not looked at the latest change", ""},
		{"one whose refresh is put off", []func(*v1alpha1.GitHubUserToken){func(token *v1alpha1.GitHubUserToken) {
			token.Annotations = map[string]string{v1alpha1.AnnotationHoldUntil: now.Add(5 * time.Hour).Format(time.RFC3339)}
		}}, Ready, 0, "TokenValid", "put off until 2027-02-03 17:00:00Z (in 5h 00m), or until shortly before the token expires. To end that: kubectl ghut hold octocat -n team-a --release", ""},
		{"one whose hold is no time", []func(*v1alpha1.GitHubUserToken){func(token *v1alpha1.GitHubUserToken) {
			token.Annotations = map[string]string{v1alpha1.AnnotationHoldUntil: "tomorrow"}
		}}, Ready, 0, "TokenValid", `no time: "tomorrow". To take it off: kubectl ghut hold octocat -n team-a --release`, ""},
		{"one that is being deleted", []func(*v1alpha1.GitHubUserToken){func(token *v1alpha1.GitHubUserToken) {
			token.DeletionTimestamp = &metav1.Time{Time: now.Add(-time.Minute)}
		}}, Deleting, 1, "TokenValid", "Its deletionPolicy is Delete: its Secret goes, and nobody ends its tokens at GitHub.", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := Of(resource(c.changes...), Pods{}, now)
			if s.State != c.state || s.State.ExitCode() != c.code || s.Reason != c.reason {
				t.Errorf("it is %s (%s) with the exit code %d, want %s (%s) with %d", s.State, s.Reason, s.State.ExitCode(), c.state, c.reason, c.code)
			}
			if says := strings.Join(s.Sentences, "\n"); !strings.Contains(says, c.says) {
				t.Errorf("it does not say %q:\n%s", c.says, says)
			}
			switch todo := strings.Join(s.ToDo, "\n"); {
			case c.todo == "" && c.state == Ready && todo != "":
				t.Errorf("there is something to do: %s", todo)
			case !strings.Contains(todo, c.todo):
				t.Errorf("it is not said to do %q:\n%s", c.todo, todo)
			}
		})
	}
}

// A command is told once: among what to do, where there is something to do.
func TestStandingOfASuspendedResourceNamesTheCommandOnce(t *testing.T) {
	for name, changes := range map[string][]func(*v1alpha1.GitHubUserToken){
		"with a token": {suspended}, "without one": {suspended, condition(v1alpha1.ConditionReady, "False", v1alpha1.ReasonSuspended)},
	} {
		s := Of(resource(changes...), Pods{}, now)
		if said := strings.Join(append(s.Sentences, s.ToDo...), "\n"); strings.Count(said, "kubectl ghut resume octocat -n team-a") != 1 {
			t.Errorf("%s it says\n%s", name, said)
		}
	}
}

func TestStandingOfSeveralIsThatOfTheMostUrgent(t *testing.T) {
	for _, c := range []struct {
		codes []int
		want  int
	}{{nil, 0}, {[]int{0, 0}, 0}, {[]int{0, 1}, 1}, {[]int{1, 3, 0}, 3}, {[]int{3, 2, 1}, 2}} {
		if got := Worst(c.codes...); got != c.want {
			t.Errorf("of %v it is %d, want %d", c.codes, got, c.want)
		}
	}
}

// pod uses Secrets in one way, and was started at a time from now.
func pod(name string, started time.Duration, spec corev1.PodSpec) corev1.Pod {
	return corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "team-a"}, Spec: spec,
		Status: corev1.PodStatus{Phase: corev1.PodRunning, ContainerStatuses: []corev1.ContainerStatus{
			{State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: metav1.Time{Time: now.Add(started)}}}},
		}},
	}
}

func mounting(secret, subPath string) corev1.PodSpec {
	return corev1.PodSpec{
		Volumes:    []corev1.Volume{{Name: "token", VolumeSource: corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: secret}}}},
		Containers: []corev1.Container{{VolumeMounts: []corev1.VolumeMount{{Name: "token", SubPath: subPath}}}},
	}
}

func reading(secret string) corev1.PodSpec {
	return corev1.PodSpec{Containers: []corev1.Container{{Env: []corev1.EnvVar{{ValueFrom: &corev1.EnvVarSource{
		SecretKeyRef: &corev1.SecretKeySelector{LocalObjectReference: corev1.LocalObjectReference{Name: secret}},
	}}}}}}
}

func TestStandingSaysWhoHasTheNewestToken(t *testing.T) {
	refreshed := func(ago time.Duration) func(*v1alpha1.GitHubUserToken) {
		return func(token *v1alpha1.GitHubUserToken) {
			token.Status.LastRefreshTime = &metav1.Time{Time: now.Add(-ago)}
		}
	}
	told := func(p corev1.Pod, ago time.Duration, late string) corev1.Pod {
		p.Annotations = map[string]string{v1alpha1.AnnotationRefreshedAt: now.Add(-ago).Format(metav1.RFC3339Micro) + late}
		return p
	}
	projected := corev1.PodSpec{
		Volumes: []corev1.Volume{{Name: "all", VolumeSource: corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{
			Sources: []corev1.VolumeProjection{{Secret: &corev1.SecretProjection{LocalObjectReference: corev1.LocalObjectReference{Name: "octocat-git"}}}},
		}}}},
		InitContainers: []corev1.Container{{VolumeMounts: []corev1.VolumeMount{{Name: "all"}}}},
	}
	envFrom := corev1.PodSpec{Containers: []corev1.Container{{EnvFrom: []corev1.EnvFromSource{{SecretRef: &corev1.SecretEnvSource{LocalObjectReference: corev1.LocalObjectReference{Name: "octocat-token"}}}}}}}
	pulling := corev1.PodSpec{ImagePullSecrets: []corev1.LocalObjectReference{{Name: "octocat-git"}}}
	pending := pod("p", 0, mounting("octocat-token", ""))
	pending.Status = corev1.PodStatus{Phase: corev1.PodPending}
	for _, c := range []struct {
		name string
		pod  corev1.Pod
		ago  time.Duration // since the last refresh
		want Newest
		how  string
	}{
		{"a volume, long after the refresh", pod("p", -5*time.Hour, mounting("octocat-token", "")), time.Hour, HasNewest, "volume"},
		{"a volume, just after the refresh", pod("p", -5*time.Hour, mounting("octocat-token", "")), time.Minute, WillHave, "volume"},
		{"a volume, of a pod that was told", told(pod("p", -5*time.Hour, mounting("octocat-token", "")), time.Minute, ""), time.Minute, HasNewest, "volume"},
		{"a volume, of a pod that was told of the token before", told(pod("p", -5*time.Hour, mounting("octocat-token", "")), 2*time.Hour, ""), time.Minute, WillHave, "volume"},
		{"a volume, of a pod that was told before an output had it", told(pod("p", -5*time.Hour, mounting("octocat-git", "")), time.Minute, " without octocat-git"), time.Minute, WillHave, "volume"},
		{"an output in a projected volume", pod("p", -5*time.Hour, projected), time.Hour, HasNewest, "volume"},
		{"a subPath, started before", pod("p", -5*time.Hour, mounting("octocat-token", "x")), time.Hour, HasOld, "subPath"},
		{"a subPath, started after", pod("p", -time.Minute, mounting("octocat-token", "x")), time.Hour, HasNewest, "subPath"},
		{"the environment, started before", pod("p", -5*time.Hour, reading("octocat-token")), time.Hour, HasOld, "env"},
		{"the environment, started after", pod("p", -time.Minute, reading("octocat-token")), time.Hour, HasNewest, "env"},
		{"the whole environment", pod("p", -5*time.Hour, envFrom), time.Hour, HasOld, "env"},
		{"pulling images", pod("p", -5*time.Hour, pulling), time.Hour, HasNewest, "imagePull"},
		{"not started yet", pending, time.Hour, WillHave, "volume"},
	} {
		t.Run(c.name, func(t *testing.T) {
			found := ConsumersOf(resource(refreshed(c.ago)), []corev1.Pod{c.pod, pod("other", -time.Hour, mounting("other", ""))}, now)
			if len(found) != 1 || found[0].Newest != c.want || strings.Join(found[0].How, ",") != c.how {
				t.Errorf("found %+v, want %s by %s", found, c.want, c.how)
			}
		})
	}
	ended := pod("p", 0, mounting("octocat-token", ""))
	ended.Status.Phase = corev1.PodSucceeded
	if found := ConsumersOf(resource(), []corev1.Pod{ended}, now); len(found) != 0 {
		t.Errorf("a pod that has ended uses the token: %+v", found)
	}
}

func TestStandingNamesTheWorkloadThatIsToBeRestarted(t *testing.T) {
	p := pod("web-5f6c-x", -5*time.Hour, reading("octocat-token"))
	yes := true
	p.OwnerReferences = []metav1.OwnerReference{{Kind: "ReplicaSet", Name: "web-5f6c", Controller: &yes}}
	p.Labels = map[string]string{"pod-template-hash": "5f6c"}
	second := *p.DeepCopy()
	second.Name = "web-5f6c-y"
	s := Of(resource(), Pods{Items: []corev1.Pod{p, second}}, now)
	if len(s.ToDo) != 1 || !strings.HasPrefix(s.ToDo[0], "kubectl -n team-a rollout restart deployment/web ") {
		t.Errorf("to do: %q", s.ToDo)
	}
}

func TestStandingSaysWhyConsumersAreNotKnown(t *testing.T) {
	s := Of(resource(), Pods{Err: errors.New("you may not list pods")}, now)
	if s.ConsumersUnknown != "you may not list pods" || s.State != Ready {
		t.Errorf("it says %q, and is %s", s.ConsumersUnknown, s.State)
	}
}

func TestStandingSpans(t *testing.T) {
	for d, want := range map[time.Duration]string{
		5 * time.Second: "5s", 90 * time.Second: "1m 30s", 123 * time.Minute: "2h 03m", 50 * time.Hour: "2d 2h", -time.Minute: "1m 00s",
	} {
		if got := Span(d); got != want {
			t.Errorf("%s is %q, want %q", d, got, want)
		}
	}
}

func TestStandingATimeThatHasJustPassedIsNotToldInSeconds(t *testing.T) {
	at := time.Date(2027, 2, 3, 12, 0, 0, 0, time.UTC)
	if got := Away(at, at.Add(300*time.Millisecond)); got != "just now" {
		t.Errorf("it is %q", got)
	}
	if got := When(at, at); got != "2027-02-03 12:00:00Z (just now)" {
		t.Errorf("it is %q", got)
	}
	if got := Away(at, at.Add(2*time.Second)); got != "2s ago" {
		t.Errorf("it is %q", got)
	}
}

func TestOutputsSayWhatTheirTokensAreLimitedTo(t *testing.T) {
	scoped := func(scope v1alpha1.OutputScope) func(*v1alpha1.GitHubUserToken) {
		return func(token *v1alpha1.GitHubUserToken) {
			token.Spec.ScopedOutputs = []v1alpha1.ScopedOutput{{Output: v1alpha1.Output{Name: "agent", Format: v1alpha1.OutputFormatOpaque}, Scope: scope}}
		}
	}
	for want, scope := range map[string]v1alpha1.OutputScope{
		"Opaque, limited to all permissions for all repositories of octo-org": {Target: "octo-org"},
		"Opaque, limited to contents: read, issues: write for docs, other of octo-org": {
			Target: "octo-org", Repositories: []v1alpha1.RepositoryName{"docs", "other"},
			Permissions: map[string]v1alpha1.PermissionLevel{"issues": "write", "contents": "read"},
		},
		"Opaque, limited to all permissions for 1, 2, 3, 4 and 2 more of octo-org": {Target: "octo-org", RepositoryIDs: []int64{1, 2, 3, 4, 5, 6}},
	} {
		s := Of(resource(scoped(scope)), Pods{}, now)
		if len(s.Outputs) != 2 || s.Outputs[0].String() != "GitCredentials" || s.Outputs[1].Name != "agent" || s.Outputs[1].String() != want {
			t.Errorf("the outputs are %v, want %s", s.Outputs, want)
		}
	}
}
