package pairsecret

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

var _ rotation.Codes = (*Store)(nil)

// KeepCode implements rotation.Codes. The Secret bears no finalizer: without it a person enters the next code.
func (s *Store) KeepCode(ctx context.Context, owner rotation.Owner, code credential.DeviceCode) error {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	if _, err := s.owner(ctx, owner); err != nil {
		return err
	}
	ref := owner.CodeRef(code.Fingerprint())
	secret := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: ref.Namespace, Name: ref.Name,
			Labels:          map[string]string{v1alpha1.LabelRole: v1alpha1.RoleLogin, v1alpha1.LabelOwner: v1alpha1.OwnerLabel(owner.Name)},
			OwnerReferences: []metav1.OwnerReference{ownerReference(owner)},
		},
		Type: corev1.SecretTypeOpaque,
		Data: map[string][]byte{v1alpha1.KeyDeviceCode: []byte(code.Reveal())},
	}
	sent := &rotation.Pair{Ref: ref, DeviceCode: code}
	if err := s.Client.Create(ctx, secret); err != nil {
		return s.notCreated(ctx, sent, err)
	}
	if codeIn(secret) != code || !IsLogin(&secret.ObjectMeta) || !metav1.IsControlledBy(secret, &metav1.ObjectMeta{UID: ownerReference(owner).UID}) {
		return fmt.Errorf("%w: Secret %s/%s is not as it was written", rotation.ErrAltered, ref.Namespace, ref.Name)
	}
	return nil
}

// Code implements rotation.Codes. What somebody else has put in its place is another code, or none.
func (s *Store) Code(ctx context.Context, owner rotation.Owner, name credential.Fingerprint) (credential.DeviceCode, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	ref := owner.CodeRef(name)
	var secret corev1.Secret
	if err := s.Live.Get(ctx, client.ObjectKey{Namespace: ref.Namespace, Name: ref.Name}, &secret); err != nil {
		return credential.DeviceCode{}, explain("read", ref, nil, err)
	}
	code := codeIn(&secret)
	if code.Fingerprint() != name {
		return credential.DeviceCode{}, rotation.ErrNotFound
	}
	return code, nil
}

// RemoveCode deletes the Secret that holds a device code. One that is gone already is no error.
func (s *Store) RemoveCode(ctx context.Context, ref rotation.Ref) error {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: ref.Namespace, Name: ref.Name}}
	err := s.Client.Delete(ctx, secret)
	if client.IgnoreNotFound(err) == nil {
		return nil
	}
	// An admission webhook sees what is deleted, and may quote the code, which looks like nothing in particular.
	var there corev1.Secret
	if s.Live.Get(ctx, client.ObjectKey{Namespace: ref.Namespace, Name: ref.Name}, &there) != nil {
		return fmt.Errorf("%w: delete Secret %s/%s: the API server refuses it (%s)", rotation.ErrDenied, ref.Namespace, ref.Name,
			cmp.Or(apierrors.ReasonForError(err), metav1.StatusReasonUnknown))
	}
	if err := explain("delete", ref, &rotation.Pair{Ref: ref, DeviceCode: codeIn(&there)}, err); !errors.Is(err, rotation.ErrNotFound) {
		return err
	}
	return nil
}

func codeIn(secret *corev1.Secret) credential.DeviceCode {
	return credential.NewDeviceCode(string(secret.Data[v1alpha1.KeyDeviceCode]))
}

// IsLogin reports whether a Secret holds a device code. It is no pair.
func IsLogin(meta *metav1.ObjectMeta) bool {
	return meta.Labels[v1alpha1.LabelRole] == v1alpha1.RoleLogin && strings.HasPrefix(meta.Name, codePrefix) &&
		meta.Annotations[v1alpha1.AnnotationState] == "" && !slices.Contains(meta.Finalizers, v1alpha1.Finalizer)
}

var codePrefix = strings.TrimSuffix(rotation.Owner{}.CodePrefix(), "-")
