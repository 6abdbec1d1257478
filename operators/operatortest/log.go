package operatortest

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/weirstream/weir/flow"
)

// Output is one thing that left an operator: a record, or a watermark.
type Output struct {
	// Value is the record; nil for a watermark.
	Value any
	// Time is the record's or the watermark's.
	Time flow.Time
	// Idle is set for a watermark that says so.
	Idle bool

	text string // the record as it was when it left
}

func (o Output) String() string {
	switch {
	case o.Value != nil:
		return o.text + " at " + o.Time.String()
	case o.Idle:
		return fmt.Sprintf("idle at %v", o.Time)
	}
	return fmt.Sprintf("watermark %v", o.Time)
}

// log is what left one output.
type log struct {
	entries []Output
	fences  []int // numbers of entries at which a fence was passed
	read    int   // entries that were taken by Take
}

func (l *log) add(o Output) {
	// A run of watermarks says no more than the last of them, and how many travel depends on when batches are shipped.
	// Coming back from idle with the same time again is no news either.
	if n := len(l.entries); o.Value == nil && n > 0 && n > l.read && l.entries[n-1].Value == nil {
		l.entries[n-1] = o
		return
	}
	l.entries = append(l.entries, o)
}

// batch adds what a batch holds.
func (l *log) batch(b flow.Batch) {
	v := reflect.ValueOf(b).Elem()
	values, times := v.FieldByName("Values"), v.FieldByName("Times").Interface().([]flow.Time)
	marks := b.Watermarks()
	for i := range b.Len() {
		for len(marks) > 0 && marks[0].At <= i {
			l.add(Output{Time: marks[0].Time})
			marks = marks[1:]
		}
		v := values.Index(i).Interface()
		l.add(Output{Value: v, Time: times[i], text: fmt.Sprintf("%+v", v)})
	}
	for _, m := range marks {
		l.add(Output{Time: m.Time})
	}
}

// lines are the entries as text.
func (l *log) lines() []string {
	lines := make([]string, 0, len(l.entries))
	for _, o := range l.entries {
		lines = append(lines, o.String())
	}
	return lines
}

// segments are the records between watermarks, each segment sorted: what may be compared when several subtasks share the
// work.
func segments(logs ...*log) []string {
	type segment struct {
		from    flow.Time
		records []string
	}
	var all []segment
	for _, l := range logs {
		at := flow.MinTime
		for _, o := range l.entries {
			if o.Value == nil {
				at = max(at, o.Time)
				continue
			}
			i, found := slices.BinarySearchFunc(all, at, func(s segment, t flow.Time) int {
				switch {
				case s.from < t:
					return -1
				case s.from > t:
					return 1
				}
				return 0
			})
			if !found {
				all = slices.Insert(all, i, segment{from: at})
			}
			all[i].records = append(all[i].records, o.String())
		}
	}
	var lines []string
	for _, s := range all {
		slices.Sort(s.records)
		lines = append(lines, "from "+s.from.String()+":")
		for _, r := range s.records {
			lines = append(lines, "  "+r)
		}
	}
	return lines
}

// sections are the records between fences, each section sorted: what may be compared when lanes are shuffled.
func (l *log) sections() []string {
	var lines []string
	from := 0
	for i, to := range append(slices.Clone(l.fences), len(l.entries)) {
		var records []string
		for _, o := range l.entries[from:to] {
			if o.Value != nil {
				records = append(records, "  "+o.String())
			}
		}
		from = to
		slices.Sort(records)
		lines = append(lines, fmt.Sprintf("fence %d:", i))
		lines = append(lines, records...)
	}
	return lines
}

// diff shows two lists of lines side by side where they differ; "" when they do not.
func diff(want, got []string) string {
	if slices.Equal(want, got) {
		return ""
	}
	const context = 3 // lines shown before the first difference
	at := 0
	for at < len(want) && at < len(got) && want[at] == got[at] {
		at++
	}
	var b strings.Builder
	from := max(0, at-context)
	show := func(sign string, lines []string) {
		for i := from; i < min(len(lines), at+4*context); i++ {
			fmt.Fprintf(&b, "%s %4d  %s\n", sign, i, lines[i])
		}
	}
	fmt.Fprintf(&b, "first difference at line %d; %d lines wanted, %d got\n", at, len(want), len(got))
	show("want", want)
	show("got ", got)
	return b.String()
}
