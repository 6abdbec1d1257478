package operators

import (
	"log/slog"

	"github.com/weirstream/weir/flow"
	"github.com/weirstream/weir/state"
	"github.com/weirstream/weir/timeservice"
)

// Operator is one step of a chain. The subtask that owns it makes every call, one at a time, on its own goroutine, in
// this order: Ports; Open; then records through its inputs, Watermark, ProcessingTime and Snapshot in any order; Finish
// once the input has ended; Close at the end or after a failure. After Finish only Snapshot, Close and the optional
// interfaces below are called.
//
// No call may block but for bounded local work. Errors at run time go to Context.Fail.
type Operator interface {
	// Ports are the operator's inputs and outputs: the same values at every call. Output 0 is the main output.
	Ports() ([]InputPort, []OutputPort)
	// Open is called after everything downstream in the chain was opened and the outputs were wired. It fills in the
	// inputs' functions, declares state and reads what was restored.
	Open(ctx *Context) error
	// Watermark says that event time has come to w.Time. The operator emits what that completes; the chain passes the
	// watermark on. done == false asks to be called again with the same w before anything else comes, which keeps long
	// firings in short turns; only the head of a chain may ask for that.
	Watermark(w flow.Watermark) (done bool)
	// ProcessingTime is called at or after the earliest time that was given to Context.WakeAt. It may ask to be called
	// again as Watermark may.
	ProcessingTime(now flow.Time) (done bool)
	// Finish is called when no record will come any more, after the watermark MaxTime. It may ask to be called again.
	Finish() (done bool)
	// Snapshot adds the operator's state as of now. What needs to be written later must be frozen now (state.Snapshot).
	Snapshot(s *state.Snapshot, b flow.Barrier) error
	// Close releases what Open took. It is called once, also when Open failed.
	Close() error
}

// CheckpointListener is implemented by operators that act when a checkpoint has become complete for good.
type CheckpointListener interface {
	// CheckpointCompleted may be called late, repeatedly, and not for every checkpoint: completing id completes all before.
	CheckpointCompleted(id flow.CheckpointID)
}

// WatermarkOwner is implemented by operators that make watermarks of their own (sources, watermark assigners): those
// that come in are not passed on, but for MaxTime. They emit theirs with Context.EmitWatermark.
type WatermarkOwner interface{ OwnsWatermarks() }

// Committing is implemented by operators that have work under way after Finish (sinks that commit): the subtask counts
// as closed only when Committed is true.
type Committing interface {
	Committed() bool
	// Retry is called instead of ProcessingTime after Finish.
	Retry(now flow.Time)
}

// Context is what the surrounding subtask offers an operator. It is valid until Close.
type Context struct {
	Job            flow.JobID
	Attempt        flow.Attempt
	Vertex         string // name of the vertex
	UID            string // of the operator; state is found by it
	Name           string // of the operator; for people
	Subtask        int
	Parallelism    int
	MaxParallelism int
	Groups         flow.KeyGroupRange
	Clock          timeservice.Clock
	// Restore is the state to start from; nil for a fresh start.
	Restore *state.Restore
	// RestoredCheckpoint is the checkpoint that Restore was taken from; 0 for a fresh start.
	RestoredCheckpoint flow.CheckpointID
	// RestoredWatermark is where event time stood at that checkpoint; flow.MinTime for a fresh start.
	RestoredWatermark flow.Time
	Counters          *Counters
	// Log is for what people should know of; never called per record.
	Log *slog.Logger
	// Run is the same for all attempts and restores of one submission of the job.
	Run string
	// Wake makes a source's subtask poll again; any goroutine may call it.
	Wake func()
	// Task is the surrounding subtask.
	Task Task
}

// Task is the part of a subtask that operators call. All calls are made on the subtask's goroutine.
type Task interface {
	// Fail fails the subtask with err; it does not return.
	Fail(err error)
	// WakeAt asks for a call of ProcessingTime when processing time has come to t. The earliest request stands.
	WakeAt(t flow.Time)
	// EmitWatermark sends a watermark into what is downstream of a WatermarkOwner.
	EmitWatermark(w flow.Watermark)
	// Go runs work on another goroutine; done is then called on the subtask's. work ends when its subtask is closed:
	// stop is closed then, and done is not called any more.
	Go(work func(stop <-chan struct{}), done func())
	// Full reports whether the outputs have run out of credit, so that an operator in a long firing may pause.
	Full() bool
}

// Fail is Task.Fail.
func (c *Context) Fail(err error) { c.Task.Fail(err) }

// Section names a section of this operator's snapshot.
func (c *Context) Section(name string, kind state.Kind, format string) state.Section {
	return state.Section{Operator: c.UID, Name: name, Kind: kind, Format: format}
}

// Stateless can be embedded by operators that keep nothing and wait for nothing.
type Stateless struct{}

func (Stateless) Watermark(flow.Watermark) bool                { return true }
func (Stateless) ProcessingTime(flow.Time) bool                { return true }
func (Stateless) Finish() bool                                 { return true }
func (Stateless) Snapshot(*state.Snapshot, flow.Barrier) error { return nil }
func (Stateless) Close() error                                 { return nil }
