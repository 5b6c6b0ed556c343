package github

import "net/http"

func (c *Client) newRESTClient() *http.Client { return nil }
