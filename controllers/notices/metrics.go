package notices

import (
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
)

var deliveries = prometheus.NewCounterVec(prometheus.CounterOpts{
	Name: "githubusertoken_webhook_deliveries_total",
	Help: "Deliveries to the receiver of webhooks by result (revoked: acted on; ignored: of another event; refused: not signed with the secret, or no delivery at all; too_large; unavailable: they could not be checked or acted on).",
}, []string{"result"})

// The results of a delivery, as values of the metric's label.
const (
	deliveryRevoked     = "revoked"
	deliveryIgnored     = "ignored"
	deliveryRefused     = "refused"
	deliveryTooLarge    = "too_large"
	deliveryUnavailable = "unavailable"
)

func init() {
	for _, result := range []string{deliveryRevoked, deliveryIgnored, deliveryRefused, deliveryTooLarge, deliveryUnavailable} {
		deliveries.WithLabelValues(result)
	}
}

// Metrics are to be registered.
func Metrics() []prometheus.Collector { return []prometheus.Collector{deliveries} }

// delivery sees how a delivery is answered.
type delivery struct {
	http.ResponseWriter

	status int
	// told says that it speaks of an account.
	told bool
}

// WriteHeader implements http.ResponseWriter.
func (d *delivery) WriteHeader(status int) {
	d.status = status
	d.ResponseWriter.WriteHeader(status)
}

// Unwrap is for http.ResponseController.
func (d *delivery) Unwrap() http.ResponseWriter { return d.ResponseWriter }

func (d *delivery) count() {
	result := deliveryRefused
	switch {
	case d.status == http.StatusNoContent && d.told:
		result = deliveryRevoked
	case d.status == http.StatusNoContent:
		result = deliveryIgnored
	case d.status == http.StatusRequestEntityTooLarge:
		result = deliveryTooLarge
	case d.status == http.StatusServiceUnavailable:
		result = deliveryUnavailable
	}
	deliveries.WithLabelValues(result).Inc()
}
