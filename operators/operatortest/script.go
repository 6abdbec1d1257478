package operatortest

import (
	"fmt"
	"reflect"

	"github.com/weirstream/weir/flow"
)

// Event is one line of a script: something that happens to a subtask.
type Event struct {
	kind eventKind
	lane int
	time flow.Time
	rec  record
}

type eventKind uint8

const (
	recordEvent eventKind = iota
	watermarkEvent
	idleEvent
	endEvent
	clockEvent
	fenceEvent
)

// record is a value whose type is forgotten.
type record interface {
	// add appends the record to b, or to a new batch when b is nil.
	add(b flow.Batch, t flow.Time) flow.Batch
	fits(b flow.Batch) bool
	hash(route any) (uint64, error)
	String() string
}

// Record is a record of event time t that comes on a lane.
func Record[T any](lane int, v T, t flow.Time) Event {
	return Event{kind: recordEvent, lane: lane, time: t, rec: typed[T]{v}}
}

// Watermark moves a lane's watermark to t.
func Watermark(lane int, t flow.Time) Event {
	return Event{kind: watermarkEvent, lane: lane, time: t}
}

// Idle says that a lane has nothing to say for now.
func Idle(lane int) Event { return Event{kind: idleEvent, lane: lane} }

// End ends a lane. Lanes that a script does not end are ended behind it.
func End(lane int) Event { return Event{kind: endEvent, lane: lane} }

// Clock moves processing time to t. Timers of processing time fire at Clock events only. It is a Fence as well.
func Clock(t flow.Time) Event { return Event{kind: clockEvent, time: t} }

// Fence stands between what comes before and what comes after it on all lanes when Verify shuffles the lanes.
func Fence() Event { return Event{kind: fenceEvent} }

// Records are several records on one lane, as Record.
func Records[T any](lane int, t flow.Time, values ...T) []Event {
	events := make([]Event, len(values))
	for i, v := range values {
		events[i] = Record(lane, v, t)
	}
	return events
}

// Script joins events and lists of events.
func Script(parts ...any) []Event {
	var all []Event
	for _, p := range parts {
		switch p := p.(type) {
		case Event:
			all = append(all, p)
		case []Event:
			all = append(all, p...)
		default:
			panic(fmt.Sprintf("operatortest: a %T in a script", p))
		}
	}
	return all
}

func (e Event) String() string {
	switch e.kind {
	case recordEvent:
		return fmt.Sprintf("lane %d: record %v at %v", e.lane, e.rec, e.time)
	case watermarkEvent:
		return fmt.Sprintf("lane %d: watermark %v", e.lane, e.time)
	case idleEvent:
		return fmt.Sprintf("lane %d: idle", e.lane)
	case endEvent:
		return fmt.Sprintf("lane %d: end", e.lane)
	case clockEvent:
		return fmt.Sprintf("clock %v", e.time)
	case fenceEvent:
		return "fence"
	}
	return fmt.Sprintf("Event(%d)", e.kind)
}

// onLane reports whether e belongs to one lane.
func (e Event) onLane() bool { return e.kind <= endEvent }

type typed[T any] struct{ v T }

func (r typed[T]) add(b flow.Batch, t flow.Time) flow.Batch {
	records, ok := b.(*flow.Records[T])
	if !ok {
		records = flow.NewRecords[T](4)
	}
	records.Append(&r.v, t)
	return records
}

func (r typed[T]) fits(b flow.Batch) bool {
	_, ok := b.(*flow.Records[T])
	return ok
}

func (r typed[T]) hash(route any) (uint64, error) {
	f, ok := route.(func(*T) uint64)
	if !ok {
		return 0, fmt.Errorf("records of type %v cannot be routed by a %T", reflect.TypeFor[T](), route)
	}
	return f(&r.v), nil
}

func (r typed[T]) String() string { return fmt.Sprintf("%+v", r.v) }

// mark notes a watermark at the end of b.
func mark(b flow.Batch, t flow.Time) {
	marks := reflect.ValueOf(b).Elem().FieldByName("Marks")
	marks.Set(reflect.Append(marks, reflect.ValueOf(flow.Mark{At: b.Len(), Time: t})))
}

// wipe overwrites a batch that was consumed (I1).
func wipe(b flow.Batch) {
	values := reflect.ValueOf(b).Elem().FieldByName("Values")
	for i := range values.Len() {
		values.Index(i).SetZero()
	}
}
