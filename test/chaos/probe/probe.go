// Package probe is compiled into a build of the operator for tests only (see
// test/chaos): it lets a test seize the process at one exact moment.
package probe

import (
	"os"
	"path/filepath"
)

// Environment is the variable that names the folder with the orders.
const Environment = "CHAOS_PROBES"

// What a test can order.
const (
	// Block holds the goroutine that comes by, for ever.
	Block = "block"
	// Stop stops the whole process (SIGSTOP), which goes on from exactly here.
	Stop = "stop"
	// Panic lets the goroutine panic.
	Panic = "panic"
)

// Reached is what is put behind the name of an order that was carried out.
const Reached = ".reached"

// At carries out the order for this place, if there is one: a file of the
// place's name that holds one of the orders. Each is carried out once.
func At(place string) {
	folder := os.Getenv(Environment)
	if folder == "" {
		return
	}
	path := filepath.Join(folder, place)
	order, err := os.ReadFile(path)
	if err != nil || os.Rename(path, path+Reached) != nil {
		return
	}
	switch string(order) {
	case Block:
		select {}
	case Stop:
		stop()
	case Panic:
		panic("ordered by a test")
	}
}
