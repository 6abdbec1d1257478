package bench

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"
)

// Row is one line of the table.
type Row struct {
	Name  string
	Value float64
	Unit  string
	Goal  float64
	Least bool   // the goal is the least, not the most
	CPU   string // the same ratio of processor time; "" where there is none
	A, B  string // the two sides
}

// Met reports whether the goal is met.
func (r Row) Met() bool {
	if r.Least {
		return r.Value >= r.Goal
	}
	return r.Value <= r.Goal
}

// atMost is a row for the ratio of a's wall time to b's.
func atMost(name string, a, b sample, records int64, goal float64) Row {
	if b.wall == 0 { // it has failed
		return Row{}
	}
	return Row{Name: name, Value: float64(a.wall) / float64(b.wall), Unit: "×", Goal: goal, A: each(a.wall, records), B: each(b.wall, records),
		CPU: fmt.Sprintf("%.2f", float64(a.cpu)/float64(max(1, b.cpu)))}
}

func atLeast(name string, a, b sample, records int64, goal float64) Row {
	r := atMost(name, a, b, records, goal)
	r.Least = true
	return r
}

// costAtMost is a row for what a takes more of processor time than b, in nanoseconds for each record.
func costAtMost(name string, a, b sample, records int64, goal float64) Row {
	return Row{Name: name, Value: float64(a.cpu-b.cpu) / float64(max(1, records)), Unit: "ns", Goal: goal, A: each(a.cpu, records), B: each(b.cpu, records)}
}

func each(d time.Duration, records int64) string {
	return fmt.Sprintf("%.1f ns", float64(d)/float64(max(1, records)))
}

// Table prints rows as Markdown, aligned.
func Table(w io.Writer, rows []Row) {
	t := tabwriter.NewWriter(w, 0, 0, 1, ' ', 0)
	fmt.Fprintln(t, "| what\t| a\t| b\t| value\t| goal\t| \t| CPU a/b\t|")
	fmt.Fprintln(t, "|---\t|---\t|---\t|---\t|---\t|---\t|---\t|")
	for _, r := range rows {
		sign, verdict := "≤", "MISSED"
		if r.Least {
			sign = "≥"
		}
		if r.Met() {
			verdict = "met"
		}
		fmt.Fprintf(t, "| %s\t| %s\t| %s\t| %s\t| %s %s\t| %s\t| %s\t|\n", r.Name, r.A, r.B,
			strings.TrimSpace(fmt.Sprintf("%.3g %s", r.Value, r.Unit)), sign, strings.TrimSpace(fmt.Sprintf("%.3g %s", r.Goal, r.Unit)), verdict, r.CPU)
	}
	t.Flush()
}
