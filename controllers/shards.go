package controllers

import (
	"errors"
	"fmt"

	"github.com/githubusertoken/github-user-token-operator/controllers/shard"
)

// Shard is what a deployment serves of a cluster, and its part of GitHub's limits. The zero value is all.
type Shard struct {
	Selector shard.Selector
	Share    shard.Share
}

// ParseShard reads --watch-label-selector and --github-limit-share. watches is for how many namespaces there is a watch each.
func ParseShard(selector, share string, watches int) (s Shard, err error) {
	if s.Selector, err = shard.Parse(selector); err != nil {
		return Shard{}, fmt.Errorf("--watch-label-selector: %w", err)
	}
	if s.Selector.String() != "" && watches > 1 {
		// Whoever presents a token first is known by the order of the events of one watch.
		return Shard{}, errors.New("--watch-label-selector needs all --namespaces, or one: with several each has a watch of its own, and deployments could present one refresh token at the same time")
	}
	if s.Share, err = shard.ParseShare(share); err != nil {
		return Shard{}, fmt.Errorf("--github-limit-share: %w", err)
	}
	return s, nil
}
