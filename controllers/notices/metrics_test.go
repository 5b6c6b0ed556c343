package notices

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"
)

func TestNoticesMetricsOfWebhooksTellWhatBecameOfThem(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		status int
		told   bool
		want   string
	}{
		{http.StatusNoContent, true, deliveryRevoked},
		{http.StatusNoContent, false, deliveryIgnored},
		{http.StatusUnauthorized, false, deliveryRefused},
		{http.StatusMethodNotAllowed, false, deliveryRefused},
		{http.StatusBadRequest, false, deliveryRefused},
		{http.StatusRequestEntityTooLarge, false, deliveryTooLarge},
		{http.StatusServiceUnavailable, true, deliveryUnavailable},
		{http.StatusServiceUnavailable, false, deliveryUnavailable},
	} {
		before := testutil.ToFloat64(deliveries.WithLabelValues(c.want))
		recorder := httptest.NewRecorder()
		d := &delivery{ResponseWriter: recorder, told: c.told}
		d.WriteHeader(c.status)
		d.count()
		if got := testutil.ToFloat64(deliveries.WithLabelValues(c.want)); got <= before || recorder.Code != c.status {
			t.Errorf("%+v is not counted so", c)
		}
	}
}
