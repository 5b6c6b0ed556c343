package suite

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"
)

// AuditPolicy has the API server note each request about what the operator deals with, whoever makes it: its metrics
// do not tell whose requests they count.
const AuditPolicy = `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived, ResponseStarted]
rules:
- level: Metadata
  resources:
  - {group: "", resources: [secrets, events]}
  - {group: events.k8s.io}
  - {group: githubusertoken.dev}
- level: None
`

// AuditEvent is one request as the API server's audit log tells it.
type AuditEvent struct {
	Verb string `json:"verb"`
	User struct {
		Username string `json:"username"`
	} `json:"user"`
	ObjectRef struct {
		Resource    string `json:"resource"`
		Subresource string `json:"subresource"`
		Namespace   string `json:"namespace"`
		Name        string `json:"name"`
	} `json:"objectRef"`
	ResponseStatus struct {
		Code int `json:"code"`
	} `json:"responseStatus"`
	// Received and Completed are when the request arrived, and when it had been answered.
	Received  time.Time `json:"requestReceivedTimestamp"`
	Completed time.Time `json:"stageTimestamp"`
}

// ReadAudit tells each request of an audit log. A last line that is being written is left out.
func ReadAudit(log io.Reader, tell func(AuditEvent)) error {
	lines := bufio.NewReader(log)
	for {
		line, err := lines.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read the audit log: %w", err)
		}
		var event AuditEvent
		if err := json.Unmarshal(line, &event); err != nil {
			return fmt.Errorf("read the audit log: %w", err)
		}
		tell(event)
	}
}
