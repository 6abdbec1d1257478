package sim

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/weirstream/weir/connectors"
	"github.com/weirstream/weir/connectors/memory"
	"github.com/weirstream/weir/flow"
	"github.com/weirstream/weir/stream"
)

// Sizes of the input.
const (
	minRecords = 500
	maxRecords = 3000
	keys       = 17
	windowSize = 100 // milliseconds; a record every 1 to 4
	splits     = 2
)

// number is a record of the input.
type number struct {
	Key   int
	Value int64
}

// shape is what a seed makes of the job.
type shape struct {
	records                     []memory.Timed[number]
	parallelism, tms            int
	noChaining, newChain, pulls bool
}

func newShape(w *World) shape {
	s := shape{
		parallelism: 1 + w.rand.IntN(3), tms: 1 + w.rand.IntN(3),
		noChaining: w.one(4), newChain: w.one(2), pulls: w.one(3),
	}
	t := flow.Time(1000)
	for range minRecords + w.rand.IntN(maxRecords-minRecords) {
		t += 1 + flow.Time(w.rand.IntN(4))
		s.records = append(s.records, memory.Timed[number]{Value: number{w.rand.IntN(keys), w.rand.Int64N(1000)}, Time: t})
	}
	return s
}

func (s shape) String() string {
	return fmt.Sprintf("%d records, parallelism %d, %d TaskManagers, noChaining %t, newChain %t, pulls %t",
		len(s.records), s.parallelism, s.tms, s.noChaining, s.newChain, s.pulls)
}

// keep and scale are the steps before the exchange, for the job and for the plain loop.
func keep(v *number) bool { return v.Value%3 != 0 }
func scale(v *number) number {
	return number{v.Key, 2*v.Value + 1}
}

// pipeline is the job and its two sinks.
type pipeline struct {
	shape
	counts, sums *memory.Collector[string]
}

// windows reports whether the job has windows too: with splits read one after another their records would be late.
func (p *pipeline) windows() bool { return !p.pulls }

// build makes the job: numbers → filter → map, and then by key a running count and a sum per window.
func (p *pipeline) build() *stream.Job {
	j := stream.NewJob("sim")
	opts := []memory.Option{memory.Splits(splits)}
	if p.pulls {
		opts = append(opts, memory.Pull())
	}
	src := drip[number]{memory.TimedSource(p.records, opts...)}
	numbers := stream.From(j, src, stream.Monotonous[number](), stream.Name("numbers"))
	kept := numbers.Filter(keep, stream.Name("keep"))
	var chain []stream.Option
	if p.newChain {
		chain = append(chain, stream.StartNewChain())
	}
	scaled := stream.Map(kept, scale, append(chain, stream.Name("scale"))...)
	byKey := stream.KeyBy(scaled, func(v *number) int { return v.Key })
	count := stream.Aggregate[number, int]{Add: func(n *int, _ *number) { *n++ }}
	stream.Fold(byKey, count, countLine, stream.Name("count")).To(p.counts, stream.Name("counts"))
	if p.windows() {
		sum := stream.Aggregate[number, int64]{Add: func(s *int64, v *number) { *s += v.Value }, Merge: func(s, o *int64) { *s += *o }}
		w := byKey.Window(stream.TumblingWindow(windowSize * time.Millisecond))
		sums := stream.AggregateWindow(w, sum, func(w *stream.WindowResult[int], s *int64) string {
			return sumLine(w.Key, w.Window.Start, *s)
		}, stream.Name("sum"))
		sums.To(p.sums, stream.Name("sums"))
	}
	return j
}

func countLine(key int, n *int) string { return fmt.Sprintf("%d: %d", key, *n) }
func sumLine(key int, start flow.Time, sum int64) string {
	return fmt.Sprintf("%d@%d: %d", key, int64(start), sum)
}

// check compares what was committed with what a plain loop computes.
func (p *pipeline) check() error {
	type pane struct {
		key   int
		start flow.Time
	}
	counts, sums := map[int]int{}, map[pane]int64{}
	var countLines, sumLines []string
	for _, r := range p.records {
		if !keep(&r.Value) {
			continue
		}
		v := scale(&r.Value)
		n := counts[v.Key] + 1
		counts[v.Key] = n
		countLines = append(countLines, countLine(v.Key, &n))
		sums[pane{v.Key, r.Time - r.Time%windowSize}] += v.Value
	}
	if p.windows() {
		for at, sum := range sums {
			sumLines = append(sumLines, sumLine(at.key, at.start, sum))
		}
	}
	if err := compare("counts", p.counts.Sorted(strings.Compare), countLines); err != nil {
		return err
	}
	return compare("sums", p.sums.Sorted(strings.Compare), sumLines)
}

// compare compares sorted lines with wanted ones, as multisets.
func compare(what string, got, want []string) error {
	slices.Sort(want)
	if slices.Equal(got, want) {
		return nil
	}
	times := map[string]int{}
	for _, l := range want {
		times[l]++
	}
	for _, l := range got {
		times[l]--
	}
	var wrong []string
	for l, n := range times {
		switch {
		case n > 0:
			wrong = append(wrong, fmt.Sprintf("%s is missing", l))
		case n < 0:
			wrong = append(wrong, fmt.Sprintf("%s is %d times too many", l, -n))
		}
	}
	slices.Sort(wrong)
	return fmt.Errorf("%s: %d lines committed, %d wanted, %d differ: %s", what, len(got), len(want), len(wrong),
		strings.Join(wrong[:min(len(wrong), maxDiffs)], "; "))
}

// maxDiffs is how many differences are worth reading.
const maxDiffs = 5

// drip is a source that gives few records at a time and rests between: the job lives long enough to be disturbed.
type drip[T any] struct{ connectors.Source[T] }

func (d drip[T]) Reader(c connectors.ReaderContext) (connectors.Reader[T], error) {
	r, err := d.Source.Reader(c)
	return dripReader[T]{r, c}, err
}

type dripReader[T any] struct {
	connectors.Reader[T]
	ctx connectors.ReaderContext
}

func (r dripReader[T]) Open(s connectors.Split) (connectors.SplitReader[T], error) {
	sr, err := r.Reader.Open(s)
	return &dripSplit[T]{SplitReader: sr, ctx: r.ctx}, err
}

type dripSplit[T any] struct {
	connectors.SplitReader[T]
	ctx    connectors.ReaderContext
	polls  int
	nextAt flow.Time
}

// How drip drips.
const (
	dripRecords = 13 // at most, of a poll
	dripPolls   = 4  // until it rests
	dripRest    = 15 // milliseconds
)

func (s *dripSplit[T]) Poll(max int, emit func(v *T, t flow.Time)) (connectors.Status, flow.Time, error) {
	if now := s.ctx.Clock.Now(); now < s.nextAt {
		return connectors.Idle, s.nextAt, nil
	}
	if s.polls++; s.polls%dripPolls == 0 {
		s.nextAt = s.ctx.Clock.Now().Add(dripRest)
		return connectors.Idle, s.nextAt, nil
	}
	return s.SplitReader.Poll(min(max, 1+s.polls%dripRecords), emit)
}
