package bench

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"
)

// results are the measures of this run.
var results report

type report struct {
	cycles []*measure
	// rows are the rest: what was measured, and how much it is.
	rows []row
}

// row is one figure.
type row struct {
	name, unit string
	n          int
	value      float64
	// note is for people.
	note string
}

func (r *report) add(m *measure) { r.cycles = append(r.cycles, m) }

func (r *report) tell(name string, n int, value float64, unit, note string) {
	r.rows = append(r.rows, row{name: name, n: n, value: value, unit: unit, note: note})
}

func (m *measure) String() string {
	return fmt.Sprintf("%s by %s: %d cycles, %.0f/s; due to stored: %s; stored to status: %s; writes %.2f, reads %.2f, events %.2f, failed %.2f; CPU a cycle: operator %s, API server %s, etcd %s, stand-in %s, others %s; %v; allocated %.0f objects, %.0f KB",
		m.name, m.client, m.cycles, m.perSecond(), m.stored, m.reported, m.per(m.calls.writes()), m.per(m.calls.reads()), m.per(m.calls.events()), m.per(m.calls.failed),
		m.each(m.usage.operator), m.each(m.usage.apiServer), m.each(m.usage.etcd), m.each(m.usage.standIn), m.each(m.usage.others), m.calls.calls,
		m.objects/float64(m.cycles), m.bytes/float64(m.cycles)/1000)
}

// per is a count for each cycle.
func (m *measure) per(count int) float64 { return float64(count) / float64(m.cycles) }

// write prints the table and the lines for benchstat, and writes them to their files.
func (r *report) write() error {
	if !settings.figures {
		return nil
	}
	var table bytes.Buffer
	r.table(&table)
	fmt.Fprintln(os.Stderr, table.String())
	if settings.table != "" {
		if err := os.WriteFile(settings.table, table.Bytes(), 0o644); err != nil {
			return fmt.Errorf("write the table: %w", err)
		}
	}
	if settings.benchstat == "" {
		r.lines(os.Stderr)
		return nil
	}
	file, err := os.OpenFile(settings.benchstat, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("write the lines for benchstat: %w", err)
	}
	r.lines(file)
	return file.Close()
}

// lines are in the format of Go's benchmarks.
func (r *report) lines(out io.Writer) {
	fmt.Fprintf(out, "goos: %s\ngoarch: %s\npkg: test/bench\n", runtime.GOOS, runtime.GOARCH)
	for _, m := range r.cycles {
		fmt.Fprintf(out, "Benchmark%s/client=%s %d %d ns/op %.1f cycles/s %.2f writes/op %.2f reads/op %.1f stored-p50-ms %.1f stored-p99-ms %.1f status-p50-ms %.1f status-p99-ms %.2f operator-cpu-ms/op %.2f apiserver-cpu-ms/op %.2f etcd-cpu-ms/op %.2f stand-in-cpu-ms/op %.0f allocs/op %.0f B/op\n",
			camel(m.name), m.client, m.cycles, m.each(m.span).Nanoseconds(), m.perSecond(), m.per(m.calls.writes()), m.per(m.calls.reads()),
			ms(m.stored.Quantile(0.5)), ms(m.stored.Quantile(0.99)), ms(m.reported.Quantile(0.5)), ms(m.reported.Quantile(0.99)),
			ms(m.each(m.usage.operator)), ms(m.each(m.usage.apiServer)), ms(m.each(m.usage.etcd)), ms(m.each(m.usage.standIn)),
			m.objects/float64(m.cycles), m.bytes/float64(m.cycles))
	}
	for _, row := range r.rows {
		fmt.Fprintf(out, "Benchmark%s/resources=%d 1 %.4g %s\n", camel(row.name), row.n, row.value, strings.ReplaceAll(row.unit, " ", "-"))
	}
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// camel makes a name of a phrase.
func camel(phrase string) string {
	var name strings.Builder
	for word := range strings.FieldsFuncSeq(phrase, func(r rune) bool {
		return !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", r)
	}) {
		name.WriteString(strings.ToUpper(word[:1]) + word[1:])
	}
	return name.String()
}

// table is Markdown, for docs/performance.md.
func (r *report) table(out io.Writer) {
	if len(r.cycles) > 0 {
		fmt.Fprint(out, "\n| what | by | cycles a second | of the plain client's | due → stored, p50 / p99 | stored → status, p50 / p99 | CPU of the client, API server, etcd, stand-in, ms a cycle | API server's CPU, of the bare client's | writes, reads, events a cycle |\n|---|---|---|---|---|---|---|---|---|\n")
	}
	for _, name := range r.names() {
		for _, who := range []string{barely, plainly, ours} {
			of := r.of(name, who)
			if len(of) == 0 {
				continue
			}
			plain, bare := r.of(name, plainly), r.of(name, barely)
			fmt.Fprintf(out, "| %s | %s | %s | %s | %s / %s ms | %s / %s ms | %s, %s, %s, %s | %s | %s, %s, %s |\n", name, who,
				spread(of, (*measure).perSecond, "%.0f"), ratios(of, plain, (*measure).perSecond),
				spread(of, func(m *measure) float64 { return ms(m.stored.Quantile(0.5)) }, "%.0f"), spread(of, func(m *measure) float64 { return ms(m.stored.Quantile(0.99)) }, "%.0f"),
				spread(of, func(m *measure) float64 { return ms(m.reported.Quantile(0.5)) }, "%.0f"), spread(of, func(m *measure) float64 { return ms(m.reported.Quantile(0.99)) }, "%.0f"),
				spread(of, clientCPU, "%.1f"), spread(of, apiCPU, "%.1f"),
				spread(of, func(m *measure) float64 { return ms(m.each(m.usage.etcd)) }, "%.1f"), spread(of, func(m *measure) float64 { return ms(m.each(m.usage.standIn)) }, "%.1f"),
				ratios(of, bare, apiCPU),
				spread(of, func(m *measure) float64 { return m.per(m.calls.writes()) }, "%.1f"), spread(of, func(m *measure) float64 { return m.per(m.calls.reads()) }, "%.1f"),
				spread(of, func(m *measure) float64 { return m.per(m.calls.events()) }, "%.1f"))
		}
	}
	for _, name := range r.names() {
		if of := r.of(name, ours); len(of) > 0 {
			fmt.Fprintf(out, "\nCalls of the operator for each %s: %s.", name, calls(of[0]))
		}
	}
	if len(r.rows) > 0 {
		fmt.Fprint(out, "\n\n| what | resources | figure | |\n|---|---|---|---|\n")
	}
	for _, row := range r.rows {
		fmt.Fprintf(out, "| %s | %d | %.4g %s | %s |\n", row.name, row.n, row.value, row.unit, row.note)
	}
}

// clientCPU is that of the operator, or of this process, kube-controller-manager with it, when a plain client is in it.
func clientCPU(m *measure) float64 {
	if m.client == ours {
		return ms(m.each(m.usage.operator))
	}
	return ms(m.each(m.usage.others))
}

func apiCPU(m *measure) float64 { return ms(m.each(m.usage.apiServer)) }

// names are what was measured, in this order.
func (r *report) names() []string {
	var names []string
	for _, m := range r.cycles {
		if !slices.Contains(names, m.name) {
			names = append(names, m.name)
		}
	}
	return names
}

func (r *report) of(name, who string) []*measure {
	var found []*measure
	for _, m := range r.cycles {
		if m.name == name && m.client == who {
			found = append(found, m)
		}
	}
	return found
}

// spread is the middle of a figure's values, with the least and the most of several.
func spread(of []*measure, figure func(*measure) float64, format string) string {
	values := make([]float64, len(of))
	for i, m := range of {
		values[i] = figure(m)
	}
	return spreadOf(values, format)
}

func spreadOf(values []float64, format string) string {
	slices.Sort(values)
	text := fmt.Sprintf(format, values[len(values)/2])
	if least, most := fmt.Sprintf(format, values[0]), fmt.Sprintf(format, values[len(values)-1]); least != most {
		text += fmt.Sprintf(" (%s to %s)", least, most)
	}
	return text
}

// ratios compares round by round.
func ratios(of, to []*measure, figure func(*measure) float64) string {
	var values []float64
	for i := range min(len(of), len(to)) {
		values = append(values, figure(of[i])/figure(to[i]))
	}
	if len(values) == 0 {
		return ""
	}
	return spreadOf(values, "%.2f")
}

func calls(m *measure) string {
	var all []string
	for _, what := range slices.Sorted(maps.Keys(m.calls.calls)) {
		all = append(all, fmt.Sprintf("%s %.2f", what, m.per(m.calls.calls[what])))
	}
	return strings.Join(all, ", ")
}
