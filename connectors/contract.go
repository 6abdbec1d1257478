package connectors

import (
	"context"
	"log/slog"

	"github.com/weirstream/weir/flow"
	"github.com/weirstream/weir/timeservice"
)

// Source makes records of T. A Source value is a description: it is shared by all subtasks and must not be changed by
// its methods.
type Source[T any] interface {
	// Check looks for mistakes that can be seen before the job runs: a missing path, a bad option. Its error says what
	// is wrong, where, and what to do.
	Check() error
	// Bounded reports whether the input ends.
	Bounded() bool
	// Enumerator finds the splits. One is made per run of a job, beside the job's master.
	Enumerator() (Enumerator, error)
	// Reader reads splits. One is made per subtask and attempt; it must start without any split.
	Reader(ctx ReaderContext) (Reader[T], error)
}

// Split is a part of the input that one reader reads from its position to its end.
type Split struct {
	// ID is unique within the source and stable over restarts.
	ID string
	// State says where the split is and how far it was read, in the connector's own format.
	State []byte
	// Watermark is the largest watermark that was made of this split; flow.MinTime for one never read. The engine sets
	// it, so that a split read on elsewhere has its old watermark.
	Watermark flow.Time
}

// Assignment says how splits find readers.
type Assignment uint8

const (
	// Pull gives one split at a time to a reader that asks: for many splits of any size that are read one after another.
	Pull Assignment = iota
	// Eager deals all splits out over all readers at once, and each reads its share side by side: for partitions.
	Eager
)

// Enumerator finds splits. Discover runs on a helper goroutine, one call at a time, and may block until ctx is done; the
// other methods are called between those calls.
type Enumerator interface {
	// Assignment must always be the same.
	Assignment() Assignment
	// Discover returns splits that are new since the last call, in a stable order. done means that there will never be
	// more. When not done it is called again after the discovery interval.
	Discover(ctx context.Context) (fresh []Split, done bool, err error)
	// Snapshot returns what Discover must remember so as not to find the same splits again.
	Snapshot() ([]byte, error)
	// Restore is called at most once, before the first Discover, with what Snapshot returned.
	Restore(state []byte) error
	Close() error
}

// ReaderContext is what a reader may know of its surroundings.
type ReaderContext struct {
	Name        string // of the step
	Subtask     int
	Parallelism int
	Clock       timeservice.Clock
	Log         *slog.Logger
	// Wake may be called from any goroutine to say that Poll, which had returned Idle, has something again.
	Wake func()
	// Reject hands over input that is no record. It returns an error when the job is to fail for it: return that.
	Reject func(Reject) error
}

// Reject is a piece of input that could not be read as a record.
type Reject struct {
	Source string `json:"source"` // file, topic
	Offset int64  `json:"offset"` // in bytes (uncompressed) or whatever counts positions there
	Line   int64  `json:"line"`   // from 1; 0 where there are no lines
	Reason string `json:"reason"`
	Data   string `json:"data"` // the input, cut to MaxRejectData bytes
}

// MaxRejectData is how much of a rejected line is kept.
const MaxRejectData = 1024

// Status is what a Poll came to.
type Status uint8

const (
	// More says that Poll should be called again soon.
	More Status = iota
	// Idle says that there is nothing now; Wake, a new split or the time given by NextPoll brings more.
	Idle
	// SplitDone says that the split was read to its end.
	SplitDone
)

// Reader reads splits. The subtask makes all calls, one at a time. A call must not block for long: a reader that waits
// for I/O does so on a goroutine of its own, ended by Close, and calls Wake.
type Reader[T any] interface {
	// Open starts reading a split from the position in its State and returns the split's reader.
	Open(s Split) (SplitReader[T], error)
	Close() error
}

// SplitReader reads one split. Several may be open at a time in one Reader; they are polled in turn.
type SplitReader[T any] interface {
	// Poll emits at most max records, in order, and says how it stands. For Idle, next is when to poll again at the
	// latest in processing time, flow.MaxTime for "when woken". An error fails the job. v is borrowed: valid during the
	// call of emit, so that one T serves all records; but what *v refers to (strings, slices, maps) must never be changed
	// afterwards, since copies of *v live on. emit's t is the record's own time if the source has one, flow.MinTime
	// otherwise.
	Poll(max int, emit func(v *T, t flow.Time)) (status Status, next flow.Time, err error)
	// Position returns the State from which a reader goes on behind the last record that was emitted.
	Position() []byte
	Close() error
}

// Sink takes records of T out of the job.
type Sink[T any] interface {
	// Check looks for mistakes that can be seen before the job runs.
	Check() error
	// Writer makes a subtask's writer. states is what the writers' Snapshots of the checkpoint restored from returned,
	// dealt out over the subtasks; none for a fresh start.
	Writer(ctx WriterContext, states [][]byte) (Writer[T], error)
	// Committer makes committables visible; nil for sinks that have none.
	Committer(ctx WriterContext) (Committer, error)
}

// WriterContext is what a writer may know of its surroundings.
type WriterContext struct {
	Job         flow.JobID
	UID         string
	Name        string
	Subtask     int
	Parallelism int
	Attempt     flow.Attempt
	// Run tells apart executions of a job that share an output: fresh at every submission, kept over restores.
	Run string
	// Fresh says that no checkpoint was restored, so that nothing of earlier attempts of this Run is needed any more.
	Fresh bool
	Clock timeservice.Clock
	Log   *slog.Logger
}

// Writer writes records. The subtask makes all calls, one at a time.
type Writer[T any] interface {
	// Write takes one record; v is borrowed.
	Write(v *T, t flow.Time) error
	// Flush is called when the subtask has nothing else to do: what a person waits for should be out then.
	Flush() error
	// Prepare is called at a barrier: it makes durable all that was written, and returns what is to be committed once the
	// checkpoint is complete. last means that no record will follow. Commits run in the order of Prepare.
	Prepare(id flow.CheckpointID, last bool) (committables [][]byte, err error)
	// Snapshot is called after Prepare and returns what a new writer needs to go on.
	Snapshot() (states [][]byte, err error)
	Close() error
}

// Committer commits what writers prepared. It runs on a helper goroutine, one call at a time.
type Committer interface {
	// Commit must be idempotent: after a restore it is called again with committables that may be committed already. It
	// is repeated until it returns nil.
	Commit(ctx context.Context, committables [][]byte) error
	Close() error
}
