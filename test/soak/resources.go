package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/hack/demo/stage"
)

// namespace holds all resources.
const namespace = "soak"

// hands is how many resources are made at once.
const hands = 16

func adminClient(s *stage.Stage) (client.Client, error) {
	scheme, err := stage.Scheme()
	if err != nil {
		return nil, err
	}
	admin, err := client.New(s.Plane.AdminConfig(), client.Options{Scheme: scheme})
	if err != nil {
		return nil, fmt.Errorf("make a client: %w", err)
	}
	return admin, nil
}

// createResources makes the resources with their seeds, as fast as it can.
func createResources(ctx context.Context, s *stage.Stage, count int) error {
	admin, err := adminClient(s)
	if err != nil {
		return err
	}
	if err := admin.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}); err != nil {
		return fmt.Errorf("make the namespace: %w", err)
	}
	if err := admin.Create(ctx, secret("github-app", "client_secret", clientSecret)); err != nil {
		return fmt.Errorf("make the client secret: %w", err)
	}
	return forEach(ctx, count, func(ctx context.Context, name string) error { return createResource(ctx, s, admin, name) })
}

// forEach does something for each resource, many at a time.
func forEach(ctx context.Context, count int, do func(ctx context.Context, name string) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	names := make(chan string)
	var working sync.WaitGroup
	for range hands {
		working.Go(func() {
			for name := range names {
				if err := do(ctx, name); err != nil {
					cancel(err)
				}
			}
		})
	}
	for i := range count {
		names <- fmt.Sprintf("user-%05d", i)
	}
	close(names)
	working.Wait()
	return context.Cause(ctx)
}

// refreshAll asks for a refresh of all resources, as fast as it can, and says how long that took.
func refreshAll(ctx context.Context, s *stage.Stage, count int) (time.Duration, error) {
	admin, err := adminClient(s)
	if err != nil {
		return 0, err
	}
	begin := time.Now()
	patch := fmt.Appendf(nil, `{"metadata":{"annotations":{%q:%q}}}`, v1alpha1.AnnotationRefreshRequestedAt, begin.Format(time.RFC3339Nano))
	err = forEach(ctx, count, func(ctx context.Context, name string) error {
		token := &v1alpha1.GitHubUserToken{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
		if err := admin.Patch(ctx, token, client.RawPatch(types.MergePatchType, patch)); err != nil {
			return fmt.Errorf("ask for a refresh of %s: %w", name, err)
		}
		return nil
	})
	return time.Since(begin), err
}

func createResource(ctx context.Context, s *stage.Stage, admin client.Client, name string) error {
	token, err := s.GitHub.Login(ctx, clientID, name)
	if err != nil {
		return err
	}
	if err := admin.Create(ctx, secret(name+"-seed", "refresh_token", token.Reveal())); err != nil {
		return fmt.Errorf("make the seed of %s: %w", name, err)
	}
	err = admin.Create(ctx, &v1alpha1.GitHubUserToken{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec: v1alpha1.GitHubUserTokenSpec{
			App: v1alpha1.App{
				Host: "github.com", ClientID: clientID,
				ClientSecretRef: &v1alpha1.ClientSecretReference{Name: "github-app"},
			},
			RefreshTokenRef: &v1alpha1.RefreshTokenReference{Name: name + "-seed"},
			Secret:          v1alpha1.SecretTemplate{Name: name + "-token"},
		},
	})
	if err != nil {
		return fmt.Errorf("make the resource %s: %w", name, err)
	}
	return nil
}

func secret(name, key, value string) *corev1.Secret {
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		StringData: map[string]string{key: value},
	}
}

// settled waits until every resource is Ready in its status, and its account known, which is learnt after the login
// and not with rotations.
func settled(ctx context.Context, s *stage.Stage, count int) error {
	admin, err := adminClient(s)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, patience+time.Duration(count)*patienceEach)
	defer cancel()
	for {
		var tokens v1alpha1.GitHubUserTokenList
		if err := admin.List(ctx, &tokens, client.InNamespace(namespace)); err != nil {
			return fmt.Errorf("look for resources that are not Ready: %w", err)
		}
		ready := 0
		for _, token := range tokens.Items {
			if meta.IsStatusConditionTrue(token.Status.Conditions, v1alpha1.ConditionReady) && token.Status.User != nil {
				ready++
			}
		}
		if ready == count {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%d of %d resources are Ready and tell their account: %w", ready, count, ctx.Err())
		case <-time.After(200*time.Millisecond + time.Duration(count)*time.Millisecond/10):
		}
	}
}
