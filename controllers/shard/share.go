package shard

import (
	"fmt"
	"strconv"
	"strings"
)

// Share is the part of GitHub's limits that a deployment may use. The zero value is all of it.
type Share struct{ part, whole int }

// maxWhole is far more than the deployments that there are.
const maxWhole = 1000

// ParseShare reads a share: 1, a fraction such as 1/3, or a percentage such as 25%.
func ParseShare(text string) (Share, error) {
	part, whole, isFraction := strings.Cut(strings.TrimSpace(text), "/")
	if percent, ok := strings.CutSuffix(part, "%"); ok && !isFraction {
		part, whole = percent, "100"
	} else if !isFraction {
		whole = "1"
	}
	p, errPart := strconv.Atoi(part)
	w, errWhole := strconv.Atoi(whole)
	if errPart != nil || errWhole != nil || p < 1 || w < p || w > maxWhole {
		return Share{}, fmt.Errorf("%q is no share: write 1/3, 25%%, or 1 for all of it", text)
	}
	return Share{p, w}, nil
}

// Of is this share of a limit; 0 stays 0, which is none. What is left over by the division nobody uses. Of a limit there is
// at least 1.
func (s Share) Of(limit int) int {
	if limit <= 0 || s.whole == 0 {
		return limit
	}
	return max(1, int(int64(limit)*int64(s.part)/int64(s.whole)))
}

// Limiter is told of the limit of an App; see ratelimit.Limiter.
type Limiter interface {
	SetLimit(app string, perHour int)
}

// Limits hands on this share of each limit that an App sets.
type Limits struct {
	Share   Share
	Limiter Limiter
}

// SetLimit implements Limiter.
func (l Limits) SetLimit(app string, perHour int) { l.Limiter.SetLimit(app, l.Share.Of(perHour)) }
