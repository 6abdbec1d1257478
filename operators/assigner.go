package operators

import (
	"fmt"

	"github.com/weirstream/weir/flow"
)

// Window is a span of time, [Start, End).
type Window struct{ Start, End flow.Time }

// MaxTimestamp is the last instant in the window: its results carry it, and it fires when time has come to it.
func (w Window) MaxTimestamp() flow.Time {
	if w.End == flow.MinTime {
		return w.End
	}
	return w.End - 1
}

// Contains reports whether t lies in w.
func (w Window) Contains(t flow.Time) bool { return w.Start <= t && t < w.End }

// Touches reports whether w and o overlap or lie side by side: sessions that touch are one.
func (w Window) Touches(o Window) bool { return w.Start <= o.End && o.Start <= w.End }

// Cover is the smallest window that has all of w and o.
func (w Window) Cover(o Window) Window { return Window{min(w.Start, o.Start), max(w.End, o.End)} }

func (w Window) String() string { return "[" + w.Start.String() + ", " + w.End.String() + ")" }

// compareWindows orders windows by their start, then by their end.
func compareWindows(a, b Window) int {
	switch {
	case a.Start < b.Start || a.Start == b.Start && a.End < b.End:
		return -1
	case a == b:
		return 0
	}
	return 1
}

// Limits of the assigners. They keep the arithmetic of windows inside int64, and what one record can cost bounded.
const (
	// maxWindowSpan bounds sizes, slides, gaps and lateness, in milliseconds: 36 million years.
	maxWindowSpan = flow.Time(1) << 60
	// maxOverlap bounds how many windows one record belongs to.
	maxOverlap = 1 << 16
)

// Assigner says which windows a record belongs to. The assigners are Tumbling, Sliding, Session, SessionBy and Global.
type Assigner interface {
	// Check looks for mistakes in the parameters.
	Check() error
	// byEvent is false for windows over processing time.
	byEvent() bool
}

// Tumbling windows lie side by side: [Offset + k·Size, Offset + (k+1)·Size) for every whole k, negative ones too.
type Tumbling struct {
	Size, Offset   flow.Time
	ProcessingTime bool
}

// Sliding windows of Size begin at Offset + k·Slide. Size need not be a multiple of Slide. With Slide > Size there are
// gaps between the windows, and records in the gaps belong to none.
type Sliding struct {
	Size, Slide, Offset flow.Time
	ProcessingTime      bool
}

// Session windows hold what follows each other by less than Gap: a record at t opens [t, t+Gap), and windows of a key
// that touch are merged.
type Session struct {
	Gap            flow.Time
	ProcessingTime bool
}

// SessionBy is Session with a gap that each record brings along. A gap must be above 0.
type SessionBy[T any] struct {
	Gap            func(v *T) flow.Time
	ProcessingTime bool
}

// Global has one window for each key. It never ends, so it needs a trigger of its own to ever fire.
type Global struct{}

func (a Tumbling) byEvent() bool     { return !a.ProcessingTime }
func (a Sliding) byEvent() bool      { return !a.ProcessingTime }
func (a Session) byEvent() bool      { return !a.ProcessingTime }
func (a SessionBy[T]) byEvent() bool { return !a.ProcessingTime }
func (Global) byEvent() bool         { return false }

// Check implements Assigner.
func (a Tumbling) Check() error { return a.grid().check("tumbling windows") }

// Check implements Assigner.
func (a Sliding) Check() error { return a.grid().check("sliding windows") }

// Check implements Assigner.
func (a Session) Check() error {
	if a.Gap <= 0 || a.Gap > maxWindowSpan {
		return fmt.Errorf("session windows: gap of %d ms: it must be above 0 and at most %d", a.Gap, maxWindowSpan)
	}
	return nil
}

// Check implements Assigner.
func (a SessionBy[T]) Check() error {
	if a.Gap == nil {
		return fmt.Errorf("session windows: no function for the gap: give one, or use Session")
	}
	return nil
}

// Check implements Assigner.
func (Global) Check() error { return nil }

func (a Tumbling) grid() grid { return newGrid(a.Size, a.Size, a.Offset) }
func (a Sliding) grid() grid  { return newGrid(a.Size, a.Slide, a.Offset) }

// grid is the arithmetic of aligned windows.
//
// The edges of all windows cut time into slices, no slice crossing an edge: each slide period has one cut at its
// beginning, where a window begins, and one at rest = size mod slide, where a window ends. With rest == 0 the two fall
// together. So a window of any size and slide is at most 2·⌈size/slide⌉ slices, where the greatest common divisor
// could make it size slices.
type grid struct{ size, slide, offset, rest flow.Time }

func newGrid(size, slide, offset flow.Time) grid {
	g := grid{size: size, slide: slide, offset: offset}
	if slide > 0 {
		g.offset = floorMod(offset, slide)
		g.rest = size % slide
	}
	return g
}

func (g grid) check(what string) error {
	switch {
	case g.size <= 0 || g.size > maxWindowSpan:
		return fmt.Errorf("%s: size of %d ms: it must be above 0 and at most %d", what, g.size, maxWindowSpan)
	case g.slide <= 0 || g.slide > maxWindowSpan:
		return fmt.Errorf("%s: slide of %d ms: it must be above 0 and at most %d", what, g.slide, maxWindowSpan)
	case g.size/g.slide > maxOverlap:
		return fmt.Errorf("%s: a record would be in %d windows: a size of at most %d slides is allowed", what, g.size/g.slide, maxOverlap)
	}
	return nil
}

// floorMod is t mod m, in [0, m).
func floorMod(t, m flow.Time) flow.Time {
	if t %= m; t < 0 {
		t += m
	}
	return t
}

// clamp keeps t so far from the ends of time that no window or slice around it overflows. Records beyond are treated as
// if they were at the limit.
func (g grid) clamp(t flow.Time) flow.Time {
	room := 2 * (g.size + g.slide)
	return min(max(t, flow.MinTime+room), flow.MaxTime-room)
}

// lastStart is the start of the last window that begins at t or before.
func (g grid) lastStart(t flow.Time) flow.Time {
	return t - floorMod(floorMod(t, g.slide)-g.offset, g.slide)
}

// assign appends the windows that contain t, the earliest first.
func (g grid) assign(t flow.Time, to []Window) []Window {
	t = g.clamp(t)
	last := g.lastStart(t)
	if last <= t-g.size {
		return to // between two windows
	}
	for start := last - (last-t+g.size-1)/g.slide*g.slide; start <= last; start += g.slide {
		to = append(to, Window{start, start + g.size})
	}
	return to
}

// slice is the slice that contains t.
func (g grid) slice(t flow.Time) Window {
	t = g.clamp(t)
	start := g.lastStart(t)
	switch cut := start + g.rest; {
	case g.rest == 0:
		return Window{start, start + g.slide}
	case t < cut:
		return Window{start, cut}
	default:
		return Window{cut, start + g.slide}
	}
}

// windowsOf are the first and the last window that have all of a slice; ok is false for a slice between two windows.
func (g grid) windowsOf(s Window) (first, last Window, ok bool) {
	l := g.lastStart(s.Start)
	if l <= s.Start-g.size {
		return first, last, false
	}
	f := l - (l-s.Start+g.size-1)/g.slide*g.slide
	return Window{f, f + g.size}, Window{l, l + g.size}, true
}

// skip is the first of at, at + slide, at + 2·slide, … that is > t. at must be ≤ t.
func (g grid) skip(at, t flow.Time) flow.Time { return at + ((t-at)/g.slide+1)*g.slide }
