package controllers

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/expfmt"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/exposition"
	"github.com/githubusertoken/github-user-token-operator/test/suite"
)

// login is the refresh token of a fresh login.
func (w *world) login(user string) string {
	token := w.gh.Mint(clientID, user).RefreshToken
	w.minted = append(w.minted, token)
	return token
}

// searchForTokens ends every test: no token may have been spent twice, and no token that the stand-in ever issued, and no client secret, may stand
// in what the operator tells: its logs, its metrics, the resources with their statuses, the events, and
// whatever of its Secrets is not data.
func (w *world) searchForTokens() {
	canaries := append([]string{clientSecret}, w.gh.ScopedTokens()...)
	for _, token := range w.minted {
		for known := true; known; {
			canaries = append(canaries, token)
			successor, exchanged := w.gh.Successor(token)
			if exchanged {
				canaries = append(canaries, successor.AccessToken)
			}
			token, known = successor.RefreshToken, exchanged && successor.RefreshToken != ""
		}
	}
	if spends := w.gh.DoubleSpends(); len(spends) > 0 && !w.options.spendsTwice {
		w.t.Errorf("%d tokens were presented after they had been spent", len(spends))
	}
	if violations := w.gh.Violations(); len(violations) > 0 && !w.options.spendsTwice {
		w.t.Errorf("the stand-in saw violations: %v", violations)
	}
	told := w.told()
	for _, canary := range canaries {
		for _, form := range append(partsOf(canary), canary, base64.StdEncoding.EncodeToString([]byte(canary))) {
			if strings.Contains(told, form) || logs.contains(form) {
				w.t.Error("a token or a client secret stands in logs, metrics, events, statuses or annotations")
			}
		}
	}
}

// partsOf are the pieces of a long token, of which one stands in whatever part of it is quoted. A short one has none:
// what is taken out of a text for its look has twenty characters at least.
func partsOf(token string) []string {
	const size = 16
	if len(token) < 20*size {
		return nil
	}
	var parts []string
	for ; len(token) >= size; token = token[size:] {
		parts = append(parts, token[:size])
	}
	return parts
}

// told is the text of the metrics, resources, events, and of the metadata of Secrets.
func (w *world) told() string {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	for _, namespace := range w.namespaces {
		var tokens v1alpha1.GitHubUserTokenList
		w.check(admin.List(w.ctx, &tokens, client.InNamespace(namespace)))
		w.check(encoder.Encode(tokens))
		var events eventsv1.EventList
		w.check(admin.List(w.ctx, &events, client.InNamespace(namespace)))
		w.check(encoder.Encode(events))
		var secrets corev1.SecretList
		w.check(admin.List(w.ctx, &secrets, client.InNamespace(namespace)))
		for _, secret := range secrets.Items {
			delete(secret.Annotations, corev1.LastAppliedConfigAnnotation)
			w.check(encoder.Encode(secret.ObjectMeta))
		}
	}
	if w.reconciler != nil {
		registry := prometheus.NewRegistry()
		registry.MustRegister(w.collector())
		families, err := prometheus.Gatherers{registry, metrics.Registry}.Gather()
		_ = err // The suite's one registry may hold the same figures of another operator.
		for _, family := range families {
			_, err := expfmt.MetricFamilyToText(&text, family)
			w.check(err)
		}
		resources := exposition.NewWriter(&text)
		w.reconciler.WriteResourceMetrics(resources)
		w.check(resources.Flush())
	}
	return text.String()
}

// check is must for the end of a test.
func (w *world) check(err error) {
	if err != nil {
		w.t.Error(err)
	}
}

// leaked ends the suite: nothing that looks like a token may stand in the logs of any test.
func leaked() error {
	logs.mu.Lock()
	defer logs.mu.Unlock()
	if suite.Tokens.Match(logs.text.Bytes()) {
		return errors.New("something that looks like a token stands in the operator's logs")
	}
	return nil
}
