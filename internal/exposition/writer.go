package exposition

import (
	"bufio"
	"io"
	"strconv"
)

// Type is the type of a family of series.
type Type string

// Gauge is the only one that is written here.
const Gauge Type = "gauge"

// Label is a name and a value. The name is ours; the value may be anything.
type Label struct{ Name, Value string }

// Writer writes families in the text format, version 0.0.4: https://prometheus.io/docs/instrumenting/exposition_formats.
// It allocates nothing for a series. The first error ends it: what is written later goes nowhere.
type Writer struct {
	out    *bufio.Writer
	number []byte
	name   string
}

// NewWriter writes to out in pieces of 64 KiB.
func NewWriter(out io.Writer) *Writer {
	return &Writer{out: bufio.NewWriterSize(out, 64<<10), number: make([]byte, 0, 32)}
}

// Flush writes what is left, and returns the first error.
func (w *Writer) Flush() error { return w.out.Flush() }

// Family begins a family. The series that follow, up to the next family, are its own.
func (w *Writer) Family(name, help string, kind Type) {
	w.name = name
	for _, text := range []string{"# HELP ", name, " "} {
		w.text(text)
	}
	w.escaped(help, false)
	for _, text := range []string{"\n# TYPE ", name, " ", string(kind), "\n"} {
		w.text(text)
	}
}

// Sample writes one series of the family.
func (w *Writer) Sample(value float64, labels ...Label) {
	w.text(w.name)
	for i, label := range labels {
		if i == 0 {
			w.text("{")
		} else {
			w.text(",")
		}
		w.text(label.Name)
		w.text(`="`)
		w.escaped(label.Value, true)
		w.text(`"`)
	}
	if len(labels) > 0 {
		w.text("}")
	}
	w.text(" ")
	w.number = strconv.AppendFloat(w.number[:0], value, 'g', -1, 64)
	_, _ = w.out.Write(w.number) // bufio keeps the first error for Flush.
	w.text("\n")
}

func (w *Writer) text(text string) { _, _ = w.out.WriteString(text) }

// escaped writes a help text or the value of a label.
func (w *Writer) escaped(text string, isValue bool) {
	begin := 0
	for i := range len(text) {
		var instead string
		switch c := text[i]; {
		case c == '\\':
			instead = `\\`
		case c == '\n':
			instead = `\n`
		case c == '"' && isValue:
			instead = `\"`
		default:
			continue
		}
		w.text(text[begin:i])
		w.text(instead)
		begin = i + 1
	}
	w.text(text[begin:])
}
