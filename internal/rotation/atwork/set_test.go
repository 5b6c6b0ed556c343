package atwork

import "testing"

func TestSetHasWhatHasBegunAndNotEnded(t *testing.T) {
	var s Set
	if s.Has("1") || s.Spends("a") {
		t.Error("there is work before any has begun")
	}
	first, second := s.Begin("1", "a"), s.Begin("2", "a")
	if !s.Has("1") || !s.Has("2") || !s.Spends("a") || s.Has("3") || s.Spends("b") {
		t.Error("it does not have what has begun, or more")
	}
	first()
	if s.Has("1") || !s.Spends("a") {
		t.Error("one of two with the same token has ended")
	}
	second()
	if s.Has("2") || s.Spends("a") || len(s.by) != 0 {
		t.Error("it has what has ended")
	}
}
