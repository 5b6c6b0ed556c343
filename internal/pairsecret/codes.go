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
	"github.com/githubusertoken/github-user-token-operator/internal/rotation/offer"
)

var _ offer.Secrets = (*Store)(nil)

// KeepCode implements offer.Codes. The Secret bears no finalizer: without it a person enters the next code.
func (s *Store) KeepCode(ctx context.Context, owner rotation.Owner, code credential.DeviceCode) error {
	return s.keepLogin(ctx, owner, login{v1alpha1.KeyDeviceCode, code.Reveal(), code.Fingerprint()})
}

// Code implements rotation.Codes. What somebody else has put in its place is another code, or none.
func (s *Store) Code(ctx context.Context, owner rotation.Owner, name credential.Fingerprint) (credential.DeviceCode, error) {
	secret, err := s.login(ctx, owner, name)
	if err != nil {
		return credential.DeviceCode{}, err
	}
	code := codeIn(secret)
	if code.Fingerprint() != name {
		return credential.DeviceCode{}, rotation.ErrNotFound
	}
	return code, nil
}

// KeepVerifier implements offer.Verifiers.
func (s *Store) KeepVerifier(ctx context.Context, owner rotation.Owner, verifier credential.CodeVerifier) error {
	return s.keepLogin(ctx, owner, login{v1alpha1.KeyCodeVerifier, verifier.Reveal(), verifier.Fingerprint()})
}

// Verifier implements offer.Verifiers. What somebody else has put in its place is another verifier, or none.
func (s *Store) Verifier(ctx context.Context, owner rotation.Owner, name credential.Fingerprint) (credential.CodeVerifier, error) {
	secret, err := s.login(ctx, owner, name)
	if err != nil {
		return credential.CodeVerifier{}, err
	}
	verifier := credential.NewCodeVerifier(string(secret.Data[v1alpha1.KeyCodeVerifier]))
	if verifier.Fingerprint() != name {
		return credential.CodeVerifier{}, rotation.ErrNotFound
	}
	return verifier, nil
}

// login is what is secret of a login, with the key under which it stands, and its name.
type login struct {
	key, value string
	name       credential.Fingerprint
}

func (s *Store) keepLogin(ctx context.Context, owner rotation.Owner, of login) error {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	if _, err := s.owner(ctx, owner); err != nil {
		return err
	}
	ref := owner.CodeRef(of.name)
	secret := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: ref.Namespace, Name: ref.Name,
			Labels:          map[string]string{v1alpha1.LabelRole: v1alpha1.RoleLogin, v1alpha1.LabelOwner: v1alpha1.OwnerLabel(owner.Name)},
			OwnerReferences: []metav1.OwnerReference{ownerReference(owner)},
		},
		Type: corev1.SecretTypeOpaque,
		Data: map[string][]byte{of.key: []byte(of.value)},
	}
	// The error of a webhook may quote what was sent, of whichever kind: it is scrubbed of it as of a device code.
	sent := &rotation.Pair{Ref: ref, DeviceCode: credential.NewDeviceCode(of.value)}
	if err := s.Client.Create(ctx, secret); err != nil {
		return s.notCreated(ctx, sent, err)
	}
	if string(secret.Data[of.key]) != of.value || !IsLogin(&secret.ObjectMeta) || !metav1.IsControlledBy(secret, &metav1.ObjectMeta{UID: ownerReference(owner).UID}) {
		return fmt.Errorf("%w: Secret %s/%s is not as it was written", rotation.ErrAltered, ref.Namespace, ref.Name)
	}
	return nil
}

// login reads the Secret that holds what is secret of a login.
func (s *Store) login(ctx context.Context, owner rotation.Owner, name credential.Fingerprint) (*corev1.Secret, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	ref := owner.CodeRef(name)
	var secret corev1.Secret
	if err := s.Live.Get(ctx, client.ObjectKey{Namespace: ref.Namespace, Name: ref.Name}, &secret); err != nil {
		return nil, explain("read", ref, nil, err)
	}
	return &secret, nil
}

// RemoveCode deletes the Secret that holds a device code, a verifier, or the code of a login by the web flow. One that is gone already is no error.
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
	if err := explain("delete", ref, &rotation.Pair{Ref: ref, DeviceCode: secretOf(&there)}, err); !errors.Is(err, rotation.ErrNotFound) {
		return err
	}
	return nil
}

func codeIn(secret *corev1.Secret) credential.DeviceCode {
	return credential.NewDeviceCode(string(secret.Data[v1alpha1.KeyDeviceCode]))
}

// secretOf is what is secret of a login in a Secret, of whatever kind.
func secretOf(secret *corev1.Secret) credential.DeviceCode {
	for _, key := range []string{v1alpha1.KeyDeviceCode, v1alpha1.KeyCodeVerifier, v1alpha1.KeyCode} {
		if value := secret.Data[key]; len(value) > 0 {
			return credential.NewDeviceCode(string(value))
		}
	}
	return credential.DeviceCode{}
}

// IsLogin reports whether a Secret holds a device code, or the verifier of a login by the web flow. It is no pair.
func IsLogin(meta *metav1.ObjectMeta) bool {
	return meta.Labels[v1alpha1.LabelRole] == v1alpha1.RoleLogin && strings.HasPrefix(meta.Name, codePrefix) &&
		meta.Annotations[v1alpha1.AnnotationState] == "" && !slices.Contains(meta.Finalizers, v1alpha1.Finalizer)
}

var codePrefix = strings.TrimSuffix(rotation.Owner{}.CodePrefix(), "-")
