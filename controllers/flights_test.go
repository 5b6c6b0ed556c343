package controllers

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/apimachinery/pkg/types"
)

func TestAPanicOfOneFlightEndsNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		flights := NewFlights(1)
		var panicked, landed []types.UID
		flights.onPanic = func(uid types.UID) { panicked = append(panicked, uid) }
		flights.onLanding = func(uid types.UID) { landed = append(landed, uid) }
		if err := flights.Start("a", func() { panic("ghu_secret") }); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if len(panicked) != 1 || len(landed) != 0 || !flights.Busy("a") {
			t.Fatalf("panicked %v, landed %v: the resource does not rest", panicked, landed)
		}
		if err := flights.Start("b", func() {}); err != nil {
			t.Errorf("a resource that rests takes the place of another: %v", err)
		}
		synctest.Wait()
		if err := flights.Drain(context.Background()); err != nil {
			t.Error(err)
		}
		synctest.Wait()
		if flights.Busy("a") || len(landed) != 2 {
			t.Errorf("landed %v after the end", landed)
		}
	})
}

func TestAFlightThatPanickedIsTriedAgainLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		flights := NewFlights(1)
		landed := make(chan types.UID)
		flights.onPanic = func(types.UID) {}
		flights.onLanding = func(uid types.UID) { landed <- uid }
		began := time.Now()
		if err := flights.Start("a", func() { panic("x") }); err != nil {
			t.Fatal(err)
		}
		<-landed
		if rested := time.Since(began); rested < panicPause {
			t.Errorf("it rested for %s", rested)
		}
	})
}
