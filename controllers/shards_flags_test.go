package controllers

import (
	"strings"
	"testing"
)

// With a watch for each of several namespaces deployments would not see each other's fences in order.
func TestShardsFlags(t *testing.T) {
	for _, c := range []struct {
		selector, share string
		watches         int
		refused         string
	}{
		{"", "1", 3, ""},
		{shardKey + "=shard1", "1/3", 0, ""},
		{"!" + shardKey, "25%", 1, ""},
		{shardKey + "=shard1", "1/3", 2, "--watch-label-selector needs all --namespaces, or one"},
		{shardKey + "=", "4/3", 0, "--github-limit-share"},
		{"a in", "1", 0, "--watch-label-selector"},
	} {
		_, err := ParseShard(c.selector, c.share, c.watches)
		if got := errorText(err); (err != nil) != (c.refused != "") || !strings.Contains(got, c.refused) {
			t.Errorf("%+v: %s", c, got)
		}
	}
}
