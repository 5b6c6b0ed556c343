package bench

import (
	"flag"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// settings are the flags. Their defaults are the short form; make bench sets those of the long one.
var settings struct {
	parts        string
	rounds       int
	burst        int
	hands        int
	rates        numbers
	steady       time.Duration
	sizes        numbers
	upgrade      int
	deletion     int
	recovery     int
	recoveryRate int
	figures      bool
	table        string
	benchstat    string
	profile      string
	memory       string
}

func init() {
	settings.rates, settings.sizes = numbers{}, numbers{24}
	flag.StringVar(&settings.parts, "parts", "renewal,issue,rest,deletion,recovery", "what is measured: renewal, issue, steady, rest, upgrade, deletion, recovery")
	flag.IntVar(&settings.rounds, "rounds", 1, "how often bursts are measured, each client in each round")
	flag.IntVar(&settings.burst, "burst", 24, "resources that are due at once")
	flag.IntVar(&settings.hands, "hands", 16, "cycles that a plain client makes at once in a burst")
	flag.Var(&settings.rates, "rates", "resources due in a second, steadily, comma-separated")
	flag.DurationVar(&settings.steady, "steady", 20*time.Second, "how long each rate is kept up")
	flag.Var(&settings.sizes, "sizes", "numbers of resources at rest, comma-separated")
	flag.IntVar(&settings.upgrade, "upgrade", 24, "resources whose statuses must all be written anew")
	flag.IntVar(&settings.deletion, "deletion", 24, "resources that are deleted at once")
	flag.IntVar(&settings.recovery, "recovery", 150, "resources that are overdue when GitHub is back")
	flag.IntVar(&settings.recoveryRate, "recovery-rate", 5, "token requests that all Apps together may make in a second then")
	flag.BoolVar(&settings.figures, "figures", false, "measure the plain clients too, and print the table")
	flag.StringVar(&settings.table, "table", "", "`file` to write the table to")
	flag.StringVar(&settings.benchstat, "benchstat", "", "`file` to write lines for benchstat to, behind those that are there")
	// The limit of config/manager is for fewer resources than are measured.
	flag.StringVar(&settings.memory, "memory", "4GiB", "GOMEMLIMIT of the operator")
	flag.StringVar(&settings.profile, "profile", "", "`folder` for profiles of the operator's processor time, of its first burst of each kind")
}

// has reports whether a part is to be measured.
func has(part string) bool { return slices.Contains(strings.Split(settings.parts, ","), part) }

// numbers are positive integers behind a flag.
type numbers []int

func (n *numbers) String() string {
	return strings.Trim(strings.ReplaceAll(fmt.Sprint([]int(*n)), " ", ","), "[]")
}

func (n *numbers) Set(text string) error {
	*n = nil
	for item := range strings.SplitSeq(text, ",") {
		if item == "" {
			continue
		}
		number, err := strconv.Atoi(item)
		if err != nil || number <= 0 {
			return fmt.Errorf("%q is no positive integer", item)
		}
		*n = append(*n, number)
	}
	return nil
}
