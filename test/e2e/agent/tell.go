package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"time"
)

// tellEvery is how often successes are told of. Each failure is, at once.
const tellEvery = 300 * time.Millisecond

// Report is what the test is told.
type Report struct {
	Pod string `json:"pod"`
	// Succeeded is how many calls have succeeded since the report before, and LastBegan when the last of them began.
	Succeeded int       `json:"succeeded"`
	LastBegan time.Time `json:"lastBegan"`
	// Failed says why a call failed that took from FailedBegan to FailedEnded, or nothing.
	Failed      string    `json:"failed,omitempty"`
	FailedBegan time.Time `json:"failedBegan"`
	FailedEnded time.Time `json:"failedEnded"`
}

type teller struct {
	collected Report
	last      time.Time
}

func newTeller() *teller { return &teller{collected: Report{Pod: os.Getenv("POD")}} }

// tell takes the outcome of a call, and sends what there is to say when it is time.
func (t *teller) tell(ctx context.Context, began time.Time, failure error) error {
	if failure != nil {
		t.collected.Failed, t.collected.FailedBegan, t.collected.FailedEnded = failure.Error(), began, time.Now()
	} else {
		t.collected.Succeeded++
		t.collected.LastBegan = began
		if time.Since(t.last) < tellEvery {
			return nil
		}
	}
	// What is asked to end still says what it has seen.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if err := send(ctx, t.collected); err != nil {
		return err
	}
	t.collected, t.last = Report{Pod: t.collected.Pod}, time.Now()
	return nil
}

// send sends a report, again until it has arrived.
func send(ctx context.Context, report Report) error {
	body, err := json.Marshal(report)
	if err != nil {
		return err
	}
	for {
		err := post(ctx, body)
		if err == nil {
			return nil
		}
		fmt.Fprintln(os.Stderr, "report:", err)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func post(ctx context.Context, body []byte) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, os.Getenv("COLLECTOR"), bytes.NewReader(body))
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusNoContent {
		return errors.New(response.Status)
	}
	return nil
}
