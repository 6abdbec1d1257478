package stream

import (
	"time"

	"github.com/weirstream/weir/flow"
	"github.com/weirstream/weir/operators"
)

// Trigger says when the windows of a key fire. The functions below make the usual ones; operators.Trigger says what one of
// your own has to do.
type Trigger[T any] = operators.Trigger[T]

// EventTimeTrigger fires once the watermark passes the end of the window, and at once for every late record.
func EventTimeTrigger[T any]() Trigger[T] { return operators.EventTimeTrigger[T]() }

// ProcessingTimeTrigger fires once the clock passes the end of the window.
func ProcessingTimeTrigger[T any]() Trigger[T] { return operators.ProcessingTimeTrigger[T]() }

// CountTrigger fires at every n-th record of a window of a key, and not at the window's end.
func CountTrigger[T any](n int64) Trigger[T] { return operators.CountTrigger[T](n) }

// ContinuousEventTimeTrigger fires whenever the watermark passes a multiple of every, and at the window's end.
func ContinuousEventTimeTrigger[T any](every time.Duration) Trigger[T] {
	return operators.ContinuousEventTimeTrigger[T](flow.Duration(every))
}

// ContinuousProcessingTimeTrigger fires whenever the clock passes a multiple of every.
func ContinuousProcessingTimeTrigger[T any](every time.Duration) Trigger[T] {
	return operators.ContinuousProcessingTimeTrigger[T](flow.Duration(every))
}

// Purging makes t drop the window's records whenever it fires, so that the next firing begins anew.
func Purging[T any](t Trigger[T]) Trigger[T] { return operators.Purging(t) }
