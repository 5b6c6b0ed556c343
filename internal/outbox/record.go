package outbox

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/github"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// formatVersion is the version of a record's file. It is raised when an older operator would misread it.
const formatVersion = 1

// errNewer: the record was written by a later version of the operator. It is left alone.
var errNewer = errors.New("a reply in the outbox was kept by a later version of the operator: run that version until the outbox is empty")

// errCorrupt: the file is not what was written.
var errCorrupt = errors.New("a reply in the outbox is damaged and was set aside")

// envelope is a file in the outbox.
type envelope struct {
	Version int `json:"version"`
	// SHA256 is that of the content, byte by byte.
	SHA256  string          `json:"sha256"`
	Content json.RawMessage `json:"content"`
}

type content struct {
	Record rotation.Record `json:"record"`
	Reply  reply           `json:"reply"`
}

// reply is github.Reply with its body laid open: the one form in which it leaves the process.
type reply struct {
	Host        string        `json:"host,omitempty"`
	SentAt      time.Time     `json:"sentAt"`
	Date        time.Time     `json:"date,omitzero"`
	Status      int           `json:"status"`
	ContentType string        `json:"contentType,omitempty"`
	RateLimited bool          `json:"rateLimited,omitempty"`
	RetryAfter  time.Duration `json:"retryAfter,omitempty"`
	Body        []byte        `json:"body"`
	Truncated   bool          `json:"truncated,omitempty"`
}

func encode(record rotation.Record) ([]byte, error) {
	r := record.Reply
	if r == nil {
		return nil, errors.New("there is no reply in the record")
	}
	inner, err := json.Marshal(content{Record: record, Reply: reply{
		Host: r.Host, SentAt: r.SentAt, Date: r.Date, Status: r.Status, ContentType: r.ContentType,
		RateLimited: r.RateLimited, RetryAfter: r.RetryAfter, Body: []byte(r.Body.Reveal()), Truncated: r.Truncated,
	}})
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(inner)
	return json.Marshal(envelope{Version: formatVersion, SHA256: hex.EncodeToString(sum[:]), Content: inner})
}

// decode returns errCorrupt or errNewer, and never quotes what it read.
func decode(file []byte) (rotation.Record, error) {
	var outer envelope
	if err := json.Unmarshal(file, &outer); err != nil {
		return rotation.Record{}, errCorrupt
	}
	if outer.Version > formatVersion {
		return rotation.Record{}, errNewer
	}
	sum := sha256.Sum256(outer.Content)
	var inner content
	if hex.EncodeToString(sum[:]) != outer.SHA256 || json.Unmarshal(outer.Content, &inner) != nil {
		return rotation.Record{}, errCorrupt
	}
	record, r := inner.Record, inner.Reply
	record.Reply = &github.Reply{
		Host: r.Host, SentAt: r.SentAt, Date: r.Date, Status: r.Status, ContentType: r.ContentType,
		RateLimited: r.RateLimited, RetryAfter: r.RetryAfter, Body: credential.NewRaw(r.Body), Truncated: r.Truncated,
	}
	return record, nil
}

// fileName is the same for the same id, whatever the id looks like.
func fileName(id string) string {
	sum := sha256.Sum256([]byte(id))
	return fmt.Sprintf("%s%x%s", replyPrefix, sum[:16], replySuffix)
}
