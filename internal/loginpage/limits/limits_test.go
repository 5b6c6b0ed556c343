package limits

import (
	"fmt"
	"testing"
	"time"
)

var epoch = time.Date(2027, 2, 3, 12, 0, 0, 0, time.UTC)

func TestLoginPageLimitsTakeBoundedMemory(t *testing.T) {
	b := buckets{limit: 5}
	for i := range 10 * maxBuckets {
		b.allow(fmt.Sprint(i), epoch)
	}
	if n := len(b.current) + len(b.earlier); n > 2*maxBuckets {
		t.Errorf("%d buckets are kept", n)
	}
}

// Who opens their list in many windows at once has one read, and keeps nobody else from theirs.
func TestMyTokensAreListedOnceAtATime(t *testing.T) {
	l := New(1, 1)
	end, ok := l.BeginList("github.com/1", epoch)
	if !ok {
		t.Fatal("the first one is refused")
	}
	if _, ok := l.BeginList("github.com/1", epoch); ok {
		t.Error("a second one is read at the same time")
	}
	if _, ok := l.BeginList("github.com/2", epoch); !ok {
		t.Error("another account waits for it")
	}
	end()
	lists := 1
	for ; lists < 100; lists++ {
		end, ok := l.BeginList("github.com/1", epoch)
		if !ok {
			break
		}
		end()
	}
	if lists != burst {
		t.Errorf("%d are read at once", lists)
	}
	if _, ok := l.BeginList("github.com/1", epoch.Add(time.Second)); !ok {
		t.Error("it is refused a second later")
	}
}
