package controlplane

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
)

// etcdBatch is how many keys etcd takes at once, unless it is told otherwise.
const etcdBatch = 128

// StoreInEtcd puts values straight into etcd, by their keys, as if the API server had written them: its watches tell of
// them, and nobody has validated them. Ten thousand objects take a second so. It returns the version that each has.
func (cp *ControlPlane) StoreInEtcd(ctx context.Context, values map[string][]byte) (versions map[string]int64, err error) {
	client, err := cp.probeClient("etcd-ca.crt")
	if err != nil {
		return nil, err
	}
	client.Transport.(*http.Transport).DisableKeepAlives = false
	defer client.CloseIdleConnections()
	versions = map[string]int64{}
	var keys []string
	for key := range values {
		if keys = append(keys, key); len(keys) == etcdBatch || len(keys)+len(versions) == len(values) {
			version, err := cp.storeBatch(ctx, client, keys, values)
			if err != nil {
				return nil, err
			}
			for _, stored := range keys {
				versions[stored] = version
			}
			keys = nil
		}
	}
	return versions, nil
}

// RemoveFromEtcd takes all keys with these prefixes straight out of etcd. Nobody has a say in it: finalizers are not waited for.
func (cp *ControlPlane) RemoveFromEtcd(ctx context.Context, prefixes ...string) error {
	client, err := cp.probeClient("etcd-ca.crt")
	if err != nil {
		return err
	}
	for _, prefix := range prefixes {
		end := []byte(prefix)
		end[len(end)-1]++
		request := map[string][]byte{"key": []byte(prefix), "range_end": end}
		if _, err := cp.askEtcd(ctx, client, "/v3/kv/deleterange", request); err != nil {
			return err
		}
	}
	return nil
}

// storeBatch puts some keys in one transaction, and so under one version.
func (cp *ControlPlane) storeBatch(ctx context.Context, client *http.Client, keys []string, values map[string][]byte) (version int64, err error) {
	type put struct {
		Key   []byte `json:"key"`
		Value []byte `json:"value"`
	}
	var transaction struct {
		Success []struct {
			Put put `json:"requestPut"`
		} `json:"success"`
	}
	for _, key := range keys {
		transaction.Success = append(transaction.Success, struct {
			Put put `json:"requestPut"`
		}{put{[]byte(key), values[key]}})
	}
	return cp.askEtcd(ctx, client, "/v3/kv/txn", transaction)
}

// askEtcd makes a request, and returns the revision that etcd has after it.
func (cp *ControlPlane) askEtcd(ctx context.Context, client *http.Client, path string, ask any) (revision int64, err error) {
	body, err := json.Marshal(ask)
	if err != nil {
		return 0, fmt.Errorf("ask etcd: %w", err)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, cp.ports[0].url(loopback)+path, bytes.NewReader(body))
	if err != nil {
		return 0, fmt.Errorf("ask etcd: %w", err)
	}
	response, err := client.Do(request)
	if err != nil {
		return 0, fmt.Errorf("ask etcd: %w", err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		reason, _ := io.ReadAll(io.LimitReader(response.Body, 1000))
		return 0, fmt.Errorf("ask etcd: %s: %s", response.Status, bytes.TrimSpace(reason))
	}
	var reply struct {
		Header struct {
			Revision int64 `json:"revision,string"`
		} `json:"header"`
	}
	if err := json.NewDecoder(response.Body).Decode(&reply); err != nil {
		return 0, fmt.Errorf("ask etcd: read the reply: %w", err)
	}
	return reply.Header.Revision, nil
}
