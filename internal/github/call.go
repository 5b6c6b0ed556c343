package github

import "time"

// Endpoint names what is asked of a host.
type Endpoint string

// The endpoints. An exchange, a poll of the device flow and the redemption of a code of the web flow go to one path, and are three.
const (
	EndpointExchange          Endpoint = "exchange"
	EndpointDeviceCode        Endpoint = "device_code"
	EndpointDevicePoll        Endpoint = "device_poll"
	EndpointRedemption        Endpoint = "redemption"
	EndpointUser              Endpoint = "user"
	EndpointCheckToken        Endpoint = "check_token"
	EndpointRevokeToken       Endpoint = "revoke_token"
	EndpointRevokeCredentials Endpoint = "revoke_credentials"
	EndpointScopeToken        Endpoint = "scope_token"
)

// AllEndpoints are all of them.
func AllEndpoints() []Endpoint {
	return []Endpoint{
		EndpointExchange, EndpointDeviceCode, EndpointDevicePoll, EndpointRedemption, EndpointUser, EndpointCheckToken, EndpointRevokeToken,
		EndpointRevokeCredentials, EndpointScopeToken,
	}
}

// Call is one request to a host, as Options.OnCall is told of it.
type Call struct {
	Endpoint Endpoint
	// Status is the HTTP status of the reply; 0 when there was none. GitHub sends most errors of its token endpoint with
	// 200.
	Status int
	// Duration is the time from the beginning, before there is a connection, to the reply.
	Duration time.Duration
}

// called tells of a request that has ended.
func (c *Client) called(endpoint Endpoint, status int, began time.Time) {
	c.onCall(Call{Endpoint: endpoint, Status: status, Duration: time.Since(began)})
}
