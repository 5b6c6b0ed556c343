package notices

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/github/webhook"
	"github.com/githubusertoken/github-user-token-operator/internal/pairsecret"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

const (
	// tokensAtOnce is how many tokens of an account are asked about at once.
	tokensAtOnce = 16
	// maxSecret bounds the file with the webhook's secret.
	maxSecret = 4 << 10
)

// Confirmer asks GitHub about a token and writes the answer down; see lifecycle.Controller.Confirm.
type Confirmer interface {
	Confirm(ctx context.Context, token *v1alpha1.GitHubUserToken, pair *rotation.Pair)
}

// Receiver receives GitHub's notices that a person has revoked the authorization of an App. It runs in
// every replica, since a Service leads to all of them: what it does, asking GitHub and writing the answer
// down under the Secret's resourceVersion, is safe anywhere, and the leader reports it.
type Receiver struct {
	listener  *webhook.Listener
	file      string
	reader    client.Reader
	confirmer Confirmer
	apps      Apps
	log       logr.Logger

	// accounts are those whose tokens are to be asked about, and those of notices that were proven by the secret of a GitHubApp,
	// which its namespace can make up, are in tenants.
	accounts, tenants *accounts
	// nobodys is the secret of addresses that are no App's: nobody knows it.
	nobodys credential.Raw
}

var _ manager.LeaderElectionRunnable = (*Receiver)(nil)

// Listen adds a receiver on an address, HOST:PORT, to the manager. file holds the webhook's secret, and is read for each
// delivery, so that it can be replaced; without one only what is sent to the address of an App is taken.
func Listen(mgr manager.Manager, confirmer Confirmer, apps Apps, address, file string) (*Receiver, error) {
	if _, err := readSecret(file); err != nil && file != "" {
		return nil, err
	}
	secret := &metav1.PartialObjectMetadata{}
	secret.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Secret"))
	if err := mgr.GetFieldIndexer().IndexField(context.Background(), secret, IndexPairUser, PairUser); err != nil {
		return nil, fmt.Errorf("index the tokens by their accounts: %w", err)
	}
	listener, err := webhook.Listen(address)
	if err != nil {
		return nil, fmt.Errorf("receive webhooks: %w", err)
	}
	receiver := &Receiver{
		listener: listener, file: file, reader: mgr.GetClient(), confirmer: confirmer, apps: apps, log: mgr.GetLogger().WithName("webhook-receiver"),
		nobodys: credential.NewRaw([]byte(rand.Text())),
	}
	receiver.accounts, receiver.tenants = &accounts{ask: receiver.confirmAll}, &accounts{ask: receiver.confirmAll, ofNamespace: namespaceOfNotice}
	if err := mgr.Add(receiver); err != nil {
		return nil, errors.Join(fmt.Errorf("add the receiver of webhooks: %w", err), listener.Close())
	}
	return receiver, nil
}

// Address is where it listens.
func (r *Receiver) Address() string { return r.listener.Addr().String() }

// Ready is nil as soon as deliveries are received. It is a check of /readyz.
func (r *Receiver) Ready(request *http.Request) error { return r.listener.Ready(request) }

// NeedLeaderElection implements manager.LeaderElectionRunnable.
func (r *Receiver) NeedLeaderElection() bool { return false }

// Start implements manager.Runnable. It serves until the context ends.
func (r *Receiver) Start(ctx context.Context) error {
	server := webhook.NewServer(http.HandlerFunc(r.serve))
	stop := context.AfterFunc(ctx, func() { _ = server.Close() })
	defer stop()
	r.log.Info("Receiving webhooks", "address", r.Address())
	err := webhook.Serve(server, r.listener)
	r.accounts.end()
	r.tenants.end()
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return fmt.Errorf("serve webhooks: %w", err)
}

// serve hands a delivery to a receiver with the secret as it is now.
func (r *Receiver) serve(writer http.ResponseWriter, request *http.Request) {
	delivery := &delivery{ResponseWriter: writer}
	defer delivery.count()
	writer = delivery
	secret, of, err := r.addressed(request)
	if err != nil {
		r.log.Error(err, "A webhook could not be checked")
		writer.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	handler, err := webhook.NewHandler(secret, func(login string, id int64) bool {
		delivery.told = true
		return r.revoked(of, login, id)
	})
	if err != nil {
		r.log.Error(err, "A webhook could not be checked")
		writer.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	handler.ServeHTTP(writer, request)
}

func readSecret(file string) (credential.Raw, error) {
	content, err := os.ReadFile(file)
	if err != nil {
		return credential.Raw{}, fmt.Errorf("read the webhook's secret: %w", err)
	}
	text := strings.TrimSpace(string(content))
	if text == "" || len(text) > maxSecret {
		return credential.Raw{}, fmt.Errorf("the file %s with the webhook's secret is empty, or longer than %d bytes", file, maxSecret)
	}
	return credential.NewRaw([]byte(text)), nil
}

// revoked is told of each notice, and reports whether there is room for it. It does not block.
func (r *Receiver) revoked(of *Webhook, login string, id int64) bool {
	to, log := r.accounts, r.logOf(of).WithValues("login", login, "id", id)
	if of != nil && of.Namespace != "" {
		to = r.tenants
	}
	taken, isNew := to.add(noticeOf(id, of))
	switch {
	case !taken:
		log.Info("GitHub sent more notices than can be acted on at once; the next check or refresh of the tokens will tell")
	case isNew:
		log.Info("GitHub sent notice that an account has revoked an App")
	}
	return taken
}

// logOf tells of what is about an App: which one, by host and client ID, and the namespace that it is confined to. What was sent to
// the receiver's own address does not say which App it is about.
func (r *Receiver) logOf(of *Webhook) logr.Logger {
	switch {
	case of == nil:
		return r.log
	case of.Namespace == "":
		return r.log.WithValues("app", of.Key)
	default:
		return r.log.WithValues("app", of.Key, "namespace", of.Namespace)
	}
}

// confirmAll asks GitHub about tokens of an account, or about those whose account is not known.
func (r *Receiver) confirmAll(account string) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var pairs metav1.PartialObjectMetadataList
	pairs.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("SecretList"))
	account, of := parseNotice(account)
	// There may be any number, and of most nothing is wanted.
	if err := r.reader.List(ctx, &pairs, client.MatchingFields{IndexPairUser: account}, client.UnsafeDisableDeepCopy); err != nil {
		r.logOf(of).Error(err, "The tokens of an account could not be looked up")
		return
	}
	pairs.Items = confined(pairs.Items, of)
	ofEach, inAll := noticeOfEach, noticeInAll
	if account == unknownAccount {
		ofEach, inAll = unknownOfEach, unknownInAll
	}
	room := make(chan struct{}, tokensAtOnce)
	var group sync.WaitGroup
	for _, i := range inTurns(len(pairs.Items), func(i int) string { return pairs.Items[i].Namespace }, ofEach, inAll) {
		pair, _ := pairsecret.FromMetadata(&pairs.Items[i].ObjectMeta)
		room <- struct{}{}
		group.Go(func() {
			defer func() { <-room }()
			r.confirm(ctx, pair)
		})
	}
	group.Wait()
}

// confirm asks GitHub about one token.
func (r *Receiver) confirm(ctx context.Context, pair *rotation.Pair) {
	var token v1alpha1.GitHubUserToken
	name := types.NamespacedName{Namespace: pair.Owner.Namespace, Name: pair.Owner.Name}
	if err := r.reader.Get(ctx, name, &token); err != nil || string(token.UID) != pair.Owner.UID || !token.DeletionTimestamp.IsZero() {
		return
	}
	r.confirmer.Confirm(logr.NewContext(ctx, r.log.WithValues("namespace", name.Namespace, "name", name.Name)), &token, pair)
}

// IndexPairUser indexes pair Secrets that hold a token by the id of the account that it belongs to. It exists where
// there is a receiver: an index costs most of a KiB for each resource.
const IndexPairUser = "pairUser"

// unknownAccount is the index of pairs whose account was not asked for yet.
const unknownAccount = "unknown"

// PairUser is the function of IndexPairUser.
func PairUser(object client.Object) []string {
	if object.GetLabels()[v1alpha1.LabelRole] != v1alpha1.RolePair {
		return nil
	}
	pair, _ := pairsecret.FromMetadata(&metav1.ObjectMeta{
		Annotations: object.GetAnnotations(), OwnerReferences: object.GetOwnerReferences(),
	})
	switch {
	case !pair.Controlled || !pair.State.HasToken():
		return nil
	case pair.State.User == nil:
		return []string{unknownAccount}
	default:
		return []string{strconv.FormatInt(pair.State.User.ID, 10)}
	}
}
