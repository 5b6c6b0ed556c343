package controllers

import (
	"github.com/prometheus/client_golang/prometheus"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
)

// Metrics of what is asked of GitHub beside exchanges.
var (
	deviceCodes = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "githubusertoken_device_codes_total", Help: "Codes that were offered to people to enter at GitHub.",
	})
	tokenChecks = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "githubusertoken_token_checks_total", Help: "Times that GitHub was asked whether an access token is alive, by answer (alive, dead, unknown).",
	}, []string{"answer"})
	revocations = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "githubusertoken_revocations_total", Help: "Pairs that were to be ended at GitHub, by result (ended, given_up).",
	}, []string{"result"})
)

func init() { metrics.Registry.MustRegister(deviceCodes, tokenChecks, revocations) }
