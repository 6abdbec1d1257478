package operatortest

import (
	"bytes"
	"fmt"
	"log/slog"
	"slices"
	"testing"

	"github.com/weirstream/weir/flow"
	"github.com/weirstream/weir/operators"
	"github.com/weirstream/weir/state"
	"github.com/weirstream/weir/timeservice"
)

// Setup says what a Harness runs. Only New is needed.
type Setup struct {
	// New makes the operator.
	New func() operators.Operator
	// Lanes has, for each input lane, the input of the operator that it feeds. nil is one lane for each input.
	Lanes []int
	// MaxParallelism is the number of key groups; 0 is flow.DefaultMaxParallelism.
	MaxParallelism int
	// Subtask of Parallelism is what the operator believes to be; Parallelism 0 is 1.
	Subtask, Parallelism int
	// Start is the processing time at which the clock stands at first.
	Start flow.Time
	// Restore is the snapshots of all subtasks of the run to go on from; none for a fresh start.
	Restore []*Snapshot
	// Full is what Task.Full says; nil is never full. A harness goes on with what was paused all the same.
	Full func() bool
}

// uid is the operator's UID in all harnesses.
const uid = "operator"

// Snapshot is one subtask's part of a checkpoint, written.
type Snapshot struct {
	file  []byte
	lanes []lane
	now   flow.Time
	logs  []*log
}

// Bytes is the file.
func (s *Snapshot) Bytes() []byte { return s.file }

// lane is what is known of one input lane. It is told again after a restore, as the subtasks upstream would.
type lane struct {
	watermark flow.Time
	idle      bool
	ended     bool
}

// Harness is one subtask with one operator, in a test. Its methods fail the test when the operator fails, unless they are
// called within Fails.
type Harness struct {
	t        testing.TB
	setup    Setup
	clock    *timeservice.Manual
	runner   *operators.TaskRunner
	counters *operators.Counters
	lanes    []lane
	logs     []*log
	work     []func()
	wake     flow.Time
	catching bool
	closed   bool
	next     flow.CheckpointID
	taken    *state.Snapshot
	stop     chan struct{}
}

// Open makes the operator and opens it, from a snapshot if Setup says so. It is closed when the test ends.
func Open(t testing.TB, s Setup) *Harness {
	t.Helper()
	h, err := open(t, s)
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	return h
}

// OpenError is for operators that are to fail when they are opened: it returns the error, or nil when they do not.
func OpenError(t testing.TB, s Setup) error {
	t.Helper()
	_, err := open(t, s)
	return err
}

func open(t testing.TB, s Setup) (*Harness, error) {
	t.Helper()
	s.Parallelism = max(1, s.Parallelism)
	if s.MaxParallelism == 0 {
		s.MaxParallelism = flow.DefaultMaxParallelism
	}
	in, out := s.New().Ports()
	if s.Lanes == nil {
		for i := range in {
			s.Lanes = append(s.Lanes, i)
		}
	}
	h := &Harness{
		t: t, setup: s, clock: timeservice.NewManual(s.Start), counters: &operators.Counters{}, wake: flow.MaxTime,
		next: 1, stop: make(chan struct{}),
	}
	for range s.Lanes {
		h.lanes = append(h.lanes, lane{watermark: flow.MinTime})
	}
	step := operators.Step{UID: uid, Name: uid, New: s.New}
	var ships []operators.Shipper
	for i := range out {
		h.logs = append(h.logs, &log{})
		spec := operators.PartitionSpec{Strategy: operators.Forward, Channels: 1, MaxParallelism: s.MaxParallelism}
		step.Exits = append(step.Exits, operators.Exit{Output: i, Edge: i, Spec: spec})
		ships = append(ships, &shipper{log: h.logs[i]})
	}
	ctx := operators.Context{
		Job: "test", Attempt: 1, Vertex: uid, Subtask: s.Subtask, Parallelism: s.Parallelism, MaxParallelism: s.MaxParallelism,
		Groups: flow.Range(s.Subtask, s.Parallelism, s.MaxParallelism), Clock: h.clock,
		RestoredWatermark: flow.MinTime, Log: slog.New(slog.DiscardHandler), Run: "test", Wake: func() {},
	}
	if len(s.Restore) > 0 {
		restore, err := h.restored()
		if err != nil {
			return nil, err
		}
		ctx.Restore, ctx.RestoredCheckpoint = restore, 1
	}
	var err error
	h.runner, err = operators.NewTaskRunner(operators.TaskSpec{
		Steps: []operators.Step{step}, Lanes: s.Lanes, Ships: ships, Context: ctx,
		Counters: []*operators.Counters{h.counters},
	}, shell{h})
	if err != nil {
		return nil, err
	}
	t.Cleanup(h.Close)
	if len(s.Restore) > 0 {
		h.tellAgain()
	}
	return h, nil
}

// restored opens the snapshots and takes over where the harness of the first of them stood.
func (h *Harness) restored() (*state.Restore, error) {
	r := &state.Restore{}
	for i, s := range h.setup.Restore {
		f, err := state.OpenSnapshot(fmt.Sprintf("snapshot %d", i), bytes.NewReader(s.file), int64(len(s.file)))
		if err != nil {
			return nil, err
		}
		r.Files = append(r.Files, f)
	}
	first := h.setup.Restore[0]
	h.clock.Set(max(h.clock.Now(), first.now))
	return r, nil
}

// tellAgain repeats on every lane what its watermark was and whether it had ended.
func (h *Harness) tellAgain() {
	for i, l := range h.setup.Restore[0].lanes {
		if i >= len(h.lanes) {
			break
		}
		h.lanes[i] = l
		if l.watermark > flow.MinTime || l.idle {
			h.frame(i, flow.Watermark{Time: l.watermark, Idle: l.idle})
		}
	}
	for i, l := range h.lanes {
		if l.ended {
			h.frame(i, flow.EndOfInput{})
		}
	}
}

// Push sends one record down a lane.
func Push[T any](h *Harness, lane int, v T, t flow.Time) {
	h.t.Helper()
	h.Do(Record(lane, v, t))
}

// Do makes events happen, each by itself.
func (h *Harness) Do(events ...Event) {
	h.t.Helper()
	for _, e := range events {
		h.one(e)
	}
}

// Watermark moves a lane's watermark to t.
func (h *Harness) Watermark(lane int, t flow.Time) {
	h.t.Helper()
	h.Do(Watermark(lane, t))
}

// Clock moves processing time to t and fires the timers that come due.
func (h *Harness) Clock(t flow.Time) {
	h.t.Helper()
	h.Do(Clock(t))
}

// End ends all lanes.
func (h *Harness) End() {
	h.t.Helper()
	for i := range h.lanes {
		if !h.lanes[i].ended {
			h.Do(End(i))
		}
	}
}

func (h *Harness) one(e Event) {
	h.t.Helper()
	switch e.kind {
	case recordEvent:
		h.frame(e.lane, e.rec.add(nil, e.time))
	case watermarkEvent:
		h.frame(e.lane, flow.Watermark{Time: e.time})
	case idleEvent:
		h.frame(e.lane, flow.Watermark{Time: h.lanes[e.lane].watermark, Idle: true})
	case endEvent:
		h.frame(e.lane, flow.EndOfInput{})
	case clockEvent:
		h.runner.Flush()
		h.fence()
		h.clock.Set(e.time)
		h.alarm()
	case fenceEvent:
		h.runner.Flush()
		h.fence()
	}
}

func (h *Harness) fence() {
	for _, l := range h.logs {
		l.fences = append(l.fences, len(l.entries))
	}
}

// frame sends one element down a lane and sees it through.
func (h *Harness) frame(i int, e flow.Element) {
	h.t.Helper()
	l := &h.lanes[i]
	switch e := e.(type) {
	case flow.Batch:
		l.idle = false
		for _, m := range e.Watermarks() {
			l.watermark = max(l.watermark, m.Time)
		}
	case flow.Watermark:
		l.watermark, l.idle = max(l.watermark, e.Time), e.Idle
	case flow.EndOfInput:
		l.ended = true
	}
	h.run(func() { h.runner.Frame(&flow.Frame{Lane: i, Element: e, Origin: origin{}}) })
}

// alarm wakes the operator as often as it wants to be woken by now.
func (h *Harness) alarm() {
	h.t.Helper()
	for h.wake <= h.clock.Now() {
		h.wake = flow.MaxTime
		h.run(func() { h.runner.ProcessingTime(h.clock.Now()) })
	}
}

// run makes one call of the runner, goes on with what was paused, and runs what was given to Task.Go.
func (h *Harness) run(call func()) {
	h.t.Helper()
	if !h.catching {
		defer func() {
			h.t.Helper()
			switch r := recover().(type) {
			case nil:
			case failure:
				h.t.Fatalf("the operator failed: %v", r.err)
			default:
				panic(r)
			}
		}()
	}
	call()
	for {
		switch {
		case h.runner.Pending():
			h.runner.Resume()
		case len(h.work) > 0:
			f := h.work[0]
			h.work = h.work[1:]
			f()
		default:
			return
		}
	}
}

// Flush ships what is in open batches, as a subtask does that has run out of input.
func (h *Harness) Flush() {
	h.t.Helper()
	h.run(h.runner.Quiet)
}

// Fails calls f and returns the error that the operator failed with, nil if it did not. The harness is of no use after a
// failure.
func (h *Harness) Fails(f func()) (err error) {
	h.catching = true
	defer func() {
		h.catching = false
		if r := recover(); r != nil {
			fail, ok := r.(failure)
			if !ok {
				panic(r)
			}
			err = fail.err
		}
	}()
	f()
	return nil
}

// Now is the processing time.
func (h *Harness) Now() flow.Time { return h.clock.Now() }

// Counters are the operator's.
func (h *Harness) Counters() *operators.Counters { return h.counters }

// Take returns the records of type T that have left an output since the last call.
func Take[T any](h *Harness, output int) []T {
	h.t.Helper()
	var values []T
	for _, o := range h.TakeAll(output) {
		if o.Value == nil {
			continue
		}
		v, ok := o.Value.(T)
		if !ok {
			h.t.Fatalf("output %d has records of type %T, not %T", output, o.Value, v)
		}
		values = append(values, v)
	}
	return values
}

// TakeAll returns all that has left an output since the last call, records and watermarks.
func (h *Harness) TakeAll(output int) []Output {
	h.t.Helper()
	h.Flush()
	l := h.logs[output]
	fresh := l.entries[l.read:]
	l.read = len(l.entries)
	return fresh
}

// Snapshot takes a checkpoint: the barrier comes on every lane.
func (h *Harness) Snapshot() *Snapshot {
	h.t.Helper()
	return h.write(h.freeze())
}

// freeze does the synchronous part of a checkpoint.
func (h *Harness) freeze() (*Snapshot, *state.Snapshot) {
	h.t.Helper()
	b := flow.Barrier{Checkpoint: h.next}
	h.next++
	h.taken = nil
	for i := range h.lanes {
		h.run(func() { h.runner.Frame(&flow.Frame{Lane: i, Element: b, Origin: origin{}}) })
	}
	if h.taken == nil {
		h.t.Fatal("no snapshot came of a barrier on every lane")
	}
	s := &Snapshot{lanes: slices.Clone(h.lanes), now: h.clock.Now()}
	for _, l := range h.logs {
		s.logs = append(s.logs, &log{entries: slices.Clone(l.entries), fences: slices.Clone(l.fences)})
	}
	return s, h.taken
}

// write does the part of a checkpoint that another goroutine would do later (I2).
func (h *Harness) write(s *Snapshot, frozen *state.Snapshot) *Snapshot {
	h.t.Helper()
	var file bytes.Buffer
	if _, _, err := frozen.WriteFile(&file); err != nil {
		h.t.Fatalf("write the snapshot: %v", err)
	}
	s.file = file.Bytes()
	return s
}

// Close closes the operator. It is called at the end of the test if not before.
func (h *Harness) Close() {
	if h.closed {
		return
	}
	h.closed = true
	close(h.stop)
	if err := h.runner.Close(); err != nil {
		h.t.Errorf("close: %v", err)
	}
}

// failure carries what an operator gave to Fail up to the harness.
type failure struct{ err error }

// shell is the operators.Shell of a harness.
type shell struct{ h *Harness }

func (s shell) Fail(err error)               { panic(failure{err}) }
func (s shell) WakeAt(t flow.Time)           { s.h.wake = min(s.h.wake, t) }
func (s shell) EmitWatermark(flow.Watermark) { panic("operatortest: the runner handles EmitWatermark") }
func (s shell) Full() bool                   { return s.h.setup.Full != nil && s.h.setup.Full() }
func (s shell) Hold(int)                     {}
func (s shell) Release()                     {}
func (s shell) Drained()                     {}
func (s shell) Closed()                      {}
func (s shell) Decline(flow.Barrier, string) {}
func (s shell) Go(work func(stop <-chan struct{}), done func()) {
	s.h.work = append(s.h.work, func() {
		work(s.h.stop)
		done()
	})
}

func (s shell) Acknowledge(_ flow.Barrier, snap *state.Snapshot, _ *operators.Positions) {
	s.h.taken = snap
}

// origin takes frames back and wipes what was in them (I1).
type origin struct{}

func (origin) Recycle(f *flow.Frame) {
	if b, ok := f.Element.(flow.Batch); ok {
		wipe(b)
	}
}

// shipper writes what leaves an output to its log.
type shipper struct {
	log  *log
	free flow.Batch
}

func (s *shipper) Empty(int) flow.Batch {
	b := s.free
	s.free = nil
	if b == nil {
		return nil
	}
	b.Reset()
	return b
}

func (s *shipper) Ship(_ int, e flow.Element) {
	switch e := e.(type) {
	case flow.Batch:
		s.log.batch(e)
		s.free = e
	case flow.Watermark:
		s.log.add(Output{Time: e.Time, Idle: e.Idle})
	}
}
