package operators

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"testing"

	"github.com/weirstream/weir/codec"
	"github.com/weirstream/weir/flow"
	"github.com/weirstream/weir/state"
	"github.com/weirstream/weir/timeservice"
)

// hit is the record of these tests.
type hit struct{ Key, Val int64 }

// stat is an accumulator of which Sum and Count can be taken back and Max cannot.
type stat struct{ Sum, Count, Max int64 }

// result is what a firing comes to.
type result struct {
	Key    int64
	Window Window
	Stat   stat
	Pane   Pane
	Time   flow.Time
}

func (r result) String() string {
	return fmt.Sprintf("%d [%d,%d) sum %d of %d max %d %v %d", r.Key, r.Window.Start, r.Window.End, r.Stat.Sum, r.Stat.Count, r.Stat.Max, r.Pane.Timing, r.Pane.Index)
}

func compareResults(a, b result) int {
	return cmp.Or(cmp.Compare(a.Window.End, b.Window.End), cmp.Compare(a.Window.Start, b.Window.Start), cmp.Compare(a.Key, b.Key),
		cmp.Compare(a.Pane.Index, b.Pane.Index), cmp.Compare(a.Stat.Count, b.Stat.Count))
}

func addStat(a *stat, v *hit) {
	if a.Count == 0 || v.Val > a.Max {
		a.Max = v.Val
	}
	a.Sum += v.Val
	a.Count++
}

func mergeStat(a, o *stat) {
	if a.Count == 0 || o.Count > 0 && o.Max > a.Max {
		a.Max = o.Max
	}
	a.Sum += o.Sum
	a.Count += o.Count
}

// maxAgg cannot be retracted, sumAgg can: it leaves Max out.
func maxAgg() Aggregate[hit, stat] {
	return Aggregate[hit, stat]{Add: addStat, Merge: mergeStat, Codec: codec.MustFor[stat]()}
}

func sumAgg() Aggregate[hit, stat] {
	return Aggregate[hit, stat]{
		Add:     func(a *stat, v *hit) { a.Sum += v.Val; a.Count++ },
		Merge:   func(a, o *stat) { a.Sum += o.Sum; a.Count += o.Count },
		Retract: func(a, o *stat) { a.Sum -= o.Sum; a.Count -= o.Count },
		Codec:   codec.MustFor[stat](),
	}
}

func keyOf[K comparable](t testing.TB) codec.Key[K] {
	t.Helper()
	k, err := codec.KeyFor[K]()
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// statSpec is a window over hits that emits its accumulator.
func statSpec(t testing.TB, a Assigner, agg Aggregate[hit, stat]) WindowSpec[int64, hit, stat, result] {
	return WindowSpec[int64, hit, stat, result]{
		Key: func(v *hit) int64 { return v.Key }, KeyType: keyOf[int64](t), Assigner: a, Aggregate: agg,
		Emit: func(f *Firing[int64], acc *stat, out Next[result]) {
			r := result{Key: f.Key, Window: f.Window, Stat: *acc, Pane: f.Pane}
			out(&r, f.Window.MaxTimestamp())
		},
	}
}

// bufferSpec is the same by way of a buffer: an accumulator with memory of its own.
func bufferSpec(t testing.TB, a Assigner) WindowSpec[int64, hit, []hit, result] {
	return WindowSpec[int64, hit, []hit, result]{
		Key: func(v *hit) int64 { return v.Key }, KeyType: keyOf[int64](t), Assigner: a,
		Aggregate: BufferAggregate(codec.MustFor[hit]()),
		Emit: func(f *Firing[int64], acc *[]hit, out Next[result]) {
			r := result{Key: f.Key, Window: f.Window, Pane: f.Pane}
			for i := range *acc {
				addStat(&r.Stat, &(*acc)[i])
			}
			out(&r, f.Window.MaxTimestamp())
		},
	}
}

// rig is one subtask around one window operator: the fake Task.
type rig struct {
	op      Operator
	in      InputPort
	ctx     *Context
	clock   *timeservice.Manual
	wake    flow.Time
	full    func() bool
	results []result
	late    []hit
	turns   int // calls of the operator that it asked to be repeated
}

func (r *rig) Fail(err error)                                  { panic(err) }
func (r *rig) WakeAt(t flow.Time)                              { r.wake = min(r.wake, t) }
func (r *rig) EmitWatermark(flow.Watermark)                    { panic("a window makes no watermarks") }
func (r *rig) Go(work func(stop <-chan struct{}), done func()) { panic("a window starts nothing") }
func (r *rig) Full() bool                                      { return r.full != nil && r.full() }

const testGroups = 8

// openRig opens subtask index of parallelism, from a snapshot if there is one.
func openRig(t testing.TB, op Operator, index, parallelism int, now flow.Time, restore *state.Restore, watermark flow.Time) *rig {
	t.Helper()
	r := &rig{op: op, clock: timeservice.NewManual(now), wake: flow.MaxTime}
	ins, outs := op.Ports()
	r.in = ins[0]
	if err := outs[0].Attach(&Input[result]{Record: func(v *result, at flow.Time) {
		v.Time = at
		r.results = append(r.results, *v)
	}}); err != nil {
		t.Fatal(err)
	}
	if err := outs[1].Attach(&Input[hit]{Record: func(v *hit, _ flow.Time) { r.late = append(r.late, *v) }}); err != nil {
		t.Fatal(err)
	}
	r.ctx = &Context{
		UID: "w", Name: "w", Subtask: index, Parallelism: parallelism, MaxParallelism: testGroups,
		Groups: flow.Range(index, parallelism, testGroups), Clock: r.clock, Counters: &Counters{}, Task: r,
		Restore: restore, RestoredWatermark: watermark,
	}
	if err := op.Open(r.ctx); err != nil {
		t.Fatal(err)
	}
	return r
}

// feed hands over a batch, and wipes it afterwards.
func (r *rig) feed(b *flow.Records[hit]) {
	r.in.Consume(b, 0, b.Len())
	clear(b.Values)
}

func (r *rig) repeat(call func() bool) {
	for !call() {
		if r.turns++; r.turns > 1<<20 {
			panic("the operator makes no progress")
		}
	}
}

func (r *rig) watermark(t flow.Time) {
	r.repeat(func() bool { return r.op.Watermark(flow.Watermark{Time: t}) })
}

// advance moves the clock, waking the operator whenever it has asked for that.
func (r *rig) advance(to flow.Time) {
	for r.wake <= to {
		at := max(r.wake, r.clock.Now())
		r.wake = flow.MaxTime
		r.clock.Set(at)
		r.repeat(func() bool { return r.op.ProcessingTime(at) })
	}
	r.clock.Set(to)
}

func (r *rig) take() []result {
	out := r.results
	r.results = nil
	return out
}

// fleet is several subtasks of one window vertex.
type fleet struct {
	t         testing.TB
	make      func() Operator
	rigs      []*rig
	hash      func(k *int64) uint64
	watermark flow.Time
	dropped   int64 // by subtasks that are no more
	late      []hit
}

func newFleet(t testing.TB, parallelism int, make func() Operator) *fleet {
	f := &fleet{t: t, make: make, hash: keyOf[int64](t).Hash, watermark: flow.MinTime}
	f.open(parallelism, 0, nil)
	return f
}

func (f *fleet) open(parallelism int, now flow.Time, restore *state.Restore) {
	f.rigs = nil
	for i := range parallelism {
		f.rigs = append(f.rigs, openRig(f.t, f.make(), i, parallelism, now, restore, f.watermark))
	}
}

// feed deals the records of one batch out by key.
func (f *fleet) feed(values []hit, times []flow.Time) {
	batches := make([]*flow.Records[hit], len(f.rigs))
	for i := range batches {
		batches[i] = flow.NewRecords[hit](len(values))
	}
	for i := range values {
		g := flow.KeyGroup(f.hash(&values[i].Key), testGroups)
		batches[flow.SubtaskOf(g, len(f.rigs), testGroups)].Append(&values[i], times[i])
	}
	for i, b := range batches {
		f.rigs[i].feed(b)
	}
}

func (f *fleet) each(do func(r *rig)) {
	for _, r := range f.rigs {
		do(r)
	}
}

func (f *fleet) advanceWatermark(t flow.Time) {
	f.watermark = t
	f.each(func(r *rig) { r.watermark(t) })
}

// take returns all results since the last call, sorted.
func (f *fleet) take() []result {
	var all []result
	f.each(func(r *rig) { all = append(all, r.take()...) })
	slices.SortStableFunc(all, compareResults)
	return all
}

func (f *fleet) lateDropped() int64 {
	n := f.dropped
	f.each(func(r *rig) { n += r.ctx.Counters.LateDropped.Load() })
	return n
}

// rescale snapshots all subtasks and goes on from that with another number of them. disturb is called between the
// synchronous part of the snapshots and their writing; what comes of it is lost, as in a crash.
func (f *fleet) rescale(parallelism int, disturb func()) {
	var parts []*state.Snapshot
	f.each(func(r *rig) {
		s := &state.Snapshot{}
		if err := r.op.Snapshot(s, flow.Barrier{Checkpoint: 1}); err != nil {
			f.t.Fatal(err)
		}
		parts = append(parts, s)
		f.dropped += r.ctx.Counters.LateDropped.Load()
		f.late = append(f.late, r.late...)
	})
	now, watermark := f.rigs[0].clock.Now(), f.watermark
	disturb()
	f.watermark = watermark
	restore := &state.Restore{}
	for _, s := range parts {
		restore.Files = append(restore.Files, writtenSnapshot(f.t, s))
	}
	f.each(func(r *rig) {
		if err := r.op.Close(); err != nil {
			f.t.Fatal(err)
		}
	})
	f.open(parallelism, now, restore)
}

// writtenSnapshot writes a snapshot and opens it again.
func writtenSnapshot(t testing.TB, s *state.Snapshot) *state.SnapshotFile {
	t.Helper()
	var out bytes.Buffer
	if _, _, err := s.WriteFile(&out); err != nil {
		t.Fatal(err)
	}
	file, err := state.OpenSnapshot("test", bytes.NewReader(out.Bytes()), int64(out.Len()))
	if err != nil {
		t.Fatal(err)
	}
	return file
}
