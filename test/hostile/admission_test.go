package hostile

import (
	"fmt"
	"testing"
	"time"
)

// TestHostileAdmission lets a webhook do harm to what the operator writes while pairs are exchanged and the operator is
// killed. When it is gone everything must be Ready, with nothing lost and nothing spent twice.
func TestHostileAdmission(t *testing.T) {
	w := newWorld(t)
	var apps []string
	for i := range 3 { // so that no limit of GitHub's is what holds them up
		apps = append(apps, w.app(fmt.Sprintf("Iv23liADMISSION%d", i), 10*time.Second))
	}
	subjects := w.quietSubjects(w.namespace("admission", nil), 2*len(apps), apps)
	webhook := w.register(subjects.namespace, w.kinds())
	killed := 0
	ticker := time.NewTicker(300 * time.Millisecond)
	defer ticker.Stop()
	for begin, n := time.Now(), 0; time.Since(begin) < settings.admission; n++ {
		subjects.request(subjects.names[n%len(subjects.names)])
		<-ticker.C
		if share := float64(time.Since(begin)) / float64(settings.admission); killed < settings.admissionKills && share > (float64(killed)+0.5)/float64(settings.admissionKills) {
			killed++
			w.kill()
		}
	}
	webhook.unregister()
	if webhook.seen() == 0 {
		t.Error("the webhook was asked about nothing")
	}
	subjects.settle()
	subjects.judge()
	w.search()
	totals.kills += killed
	totals.faults = webhook.done
}
