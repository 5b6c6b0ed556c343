package ratelimit

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

// usedWithin is how many of many requests went in a time.
func (s *scene) usedWithin(d time.Duration) int {
	before := len(s.used)
	for n := range 500 {
		s.ask(request(fmt.Sprint("team", n%5), 1000*len(s.requests)+n, time.Now().Add(time.Hour)))
	}
	s.run(d)
	return len(s.used) - before
}

func TestLimitOfAnAppIsNeverMoreThanThatOfAll(t *testing.T) {
	for name, c := range map[string]struct{ all, own, want int }{
		"a smaller one counts":             {2000, 10, 10},
		"a greater one does not":           {100, 1000, 100},
		"none is that of all":              {100, 0, 100},
		"it counts also where there is no": {0, 10, 10},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newScene(Options{PerHour: c.all})
				s.SetLimit(app, c.own)
				if got := s.usedWithin(time.Hour); got > c.want || got < c.want*9/10 {
					t.Errorf("%d requests went in an hour, want %d", got, c.want)
				}
			})
		})
	}
}

func TestLimitThatIsSetBeforeTheFirstSuccessCountsFromThere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const other = "github.com/Iv23liOTHER"
		s := newScene(Options{PerHour: 2000})
		s.SetLimit(other, 4)
		if ok, _ := s.Acquire(other, request("team", 1, time.Now())); !ok {
			t.Fatal("the first request has to wait")
		}
		s.Succeeded(other)
		used := 0
		for n := range 10 {
			if ok, _ := s.Acquire(other, request("team", n+2, time.Now())); ok {
				used++
			}
		}
		if used > 1 {
			t.Errorf("%d more requests went at once", used)
		}
	})
}

func TestLimitThatIsTakenBackLetsThoseGoWhoWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(Options{PerHour: 2000})
		s.SetLimit(app, 2)
		before := s.usedWithin(time.Minute)
		s.SetLimit(app, 0)
		s.run(time.Minute)
		if after := len(s.used); after < before+10 {
			t.Errorf("%d went before, and %d after the limit was taken back", before, after-before)
		}
		if len(s.limits) > 0 {
			t.Errorf("kept are %v", s.limits)
		}
	})
}

func TestLimitThatIsSetAgainAndAgainCostsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(Options{PerHour: 100})
		used := s.usedWithin(10 * time.Minute)
		for range 3000 {
			s.SetLimit(app, 0)
			s.SetLimit(app, 1000)
			s.run(time.Second)
		}
		if more := len(s.used) - used; more < 60 {
			t.Errorf("%d went in the next 50 minutes", more)
		}
	})
}

// What was used an hour ago counts no longer at GitHub, however small the limit has become.
func TestLimitThatIsMadeSmallHoldsNobodyUpForMoreThanAnHour(t *testing.T) {
	for _, small := range []int{1, 10, 60} {
		t.Run(fmt.Sprint(small), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newScene(Options{PerHour: 2000})
				s.Succeeded(app)
				s.usedWithin(time.Second) // The burst has gone.
				s.SetLimit(app, small)
				before := len(s.used)
				s.run(time.Hour + 2*time.Second)
				if len(s.used) == before {
					t.Error("nobody had a turn within an hour")
				}
			})
		})
	}
}
