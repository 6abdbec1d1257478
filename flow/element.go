package flow

import "fmt"

// Element is what travels on a channel: a Batch, a Watermark, a Barrier or an EndOfInput, and nothing else.
// Consumers switch over the four; a new signal is a new case.
type Element interface{ element() }

// Batch is a Records[T] whose T is forgotten. A consumer asserts the type back once per batch.
type Batch interface {
	Element
	// Len is the number of records.
	Len() int
	// Marks are the watermarks among the records, in order.
	Watermarks() []Mark
	// Reset empties the batch and keeps its memory.
	Reset()
}

// Records is a batch of records with the event time of each. len(Values) == len(Times).
type Records[T any] struct {
	Values []T
	Times  []Time
	Marks  []Mark
}

// Mark is a watermark inside a batch: it stands before record At (and after the last record when At == Len()).
// Watermarks that follow every record travel this way, so that they do not cut batches short.
type Mark struct {
	At   int
	Time Time
}

// NewRecords makes an empty batch with room for n records.
func NewRecords[T any](n int) *Records[T] {
	return &Records[T]{Values: make([]T, 0, n), Times: make([]Time, 0, n)}
}

func (r *Records[T]) Len() int           { return len(r.Values) }
func (r *Records[T]) Watermarks() []Mark { return r.Marks }
func (r *Records[T]) element()           {}

// Reset empties the batch. Values are left in place: a batch is soon filled again, and clearing costs as much as filling.
func (r *Records[T]) Reset() {
	r.Values, r.Times, r.Marks = r.Values[:0], r.Times[:0], r.Marks[:0]
}

// Append adds one record, copied from v.
func (r *Records[T]) Append(v *T, t Time) {
	r.Values = append(r.Values, *v)
	r.Times = append(r.Times, t)
}

// Watermark says that no record with a time ≤ Time will follow on this channel, but for late ones.
// Idle says that the channel has nothing to say for now and shall not hold back the others; the next Watermark or Batch
// ends that.
type Watermark struct {
	Time Time
	Idle bool
}

func (Watermark) element() {}

func (w Watermark) String() string {
	if w.Idle {
		return "watermark idle " + w.Time.String()
	}
	return "watermark " + w.Time.String()
}

// BarrierKind says what a checkpoint is for.
type BarrierKind uint8

const (
	// Periodic is a checkpoint taken to recover from.
	Periodic BarrierKind = iota
	// Stop is the last checkpoint of a job that is told to stop: sources emit nothing after it.
	Stop
	// Final is the last checkpoint of a job whose input has ended everywhere.
	Final
)

func (k BarrierKind) String() string {
	switch k {
	case Periodic:
		return "periodic"
	case Stop:
		return "stop"
	case Final:
		return "final"
	}
	return fmt.Sprintf("BarrierKind(%d)", uint8(k))
}

// Barrier separates what belongs to a checkpoint from what comes after it.
type Barrier struct {
	Checkpoint CheckpointID
	Kind       BarrierKind
}

func (Barrier) element() {}

func (b Barrier) String() string { return fmt.Sprintf("barrier %d (%v)", b.Checkpoint, b.Kind) }

// EndOfInput says that no record and no watermark will follow on this channel. Barriers still may: a subtask that has
// come to its end keeps taking part in checkpoints until the job is finished.
type EndOfInput struct{}

func (EndOfInput) element() {}

func (EndOfInput) String() string { return "end of input" }

// Frame is an Element on its way to one lane of one subtask.
type Frame struct {
	// Lane is the consumer's input lane.
	Lane int
	// Seq numbers the frames of one channel from 1; a gap is a protocol violation.
	Seq uint64
	// Element is what travels. The consumer may read it until it calls Origin.Recycle.
	Element Element
	// Origin takes the frame back (I2).
	Origin Origin
}

// Origin is the producing end of a channel, as the consumer sees it.
type Origin interface {
	// Recycle hands back a frame that was consumed: the producer gains one credit and the frame's memory.
	// Any goroutine may call it; it never blocks.
	Recycle(f *Frame)
}
