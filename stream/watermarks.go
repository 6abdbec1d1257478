package stream

import (
	"time"

	"github.com/weirstream/weir/timeservice"
)

// WatermarkGenerator makes the watermarks of one split of a source; see CustomWatermarks.
type WatermarkGenerator[T any] = timeservice.WatermarkGenerator[T]

// Monotonous is for times that never go back within a split of the source.
func Monotonous[T any]() WatermarkStrategy[T] { return timeservice.Monotonous[T]() }

// BoundedOutOfOrderness is for records that come at most d later than a record of a later time.
func BoundedOutOfOrderness[T any](d time.Duration) WatermarkStrategy[T] {
	return timeservice.BoundedOutOfOrderness[T](d)
}

// Punctuated is for records that say themselves how far event time has come: mark is called with every record and returns
// a watermark, or false.
func Punctuated[T any](mark func(v *T, t Time) (Time, bool)) WatermarkStrategy[T] {
	return timeservice.Punctuated(mark)
}

// CustomWatermarks is for generators of your own. make is called once for each split.
func CustomWatermarks[T any](make func() WatermarkGenerator[T]) WatermarkStrategy[T] {
	return timeservice.Custom(make)
}

// NoWatermarks is for jobs that do not use event time: the only watermark comes at the end of the input.
func NoWatermarks[T any]() WatermarkStrategy[T] { return timeservice.NoWatermarks[T]() }
