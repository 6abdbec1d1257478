package flow

import (
	"math"
	"strconv"
	"time"
)

// Time is event time or processing time: milliseconds since the Unix epoch, UTC.
type Time int64

const (
	// MinTime is before every event. A channel on which no watermark has come stands at MinTime.
	MinTime Time = math.MinInt64
	// MaxTime is after every event. A watermark of MaxTime says that no more records will come.
	MaxTime Time = math.MaxInt64
)

// TimeOf converts a time.Time, cut to whole milliseconds.
func TimeOf(t time.Time) Time { return Time(t.UnixMilli()) }

// Duration converts d to whole milliseconds, the unit of Time.
func Duration(d time.Duration) Time { return Time(d.Milliseconds()) }

// Add returns t+d, stopping at MinTime and MaxTime instead of wrapping around.
func (t Time) Add(d Time) Time {
	s := t + d
	switch {
	case d > 0 && s < t:
		return MaxTime
	case d < 0 && s > t:
		return MinTime
	}
	return s
}

// Std converts t to a time.Time in UTC.
func (t Time) Std() time.Time { return time.UnixMilli(int64(t)).UTC() }

// String prints t as RFC 3339 with milliseconds, or "min" or "max".
func (t Time) String() string {
	switch t {
	case MinTime:
		return "min"
	case MaxTime:
		return "max"
	}
	if t > -62135596800000 && t < 253402300800000 {
		return t.Std().Format("2006-01-02T15:04:05.000Z")
	}
	return strconv.FormatInt(int64(t), 10)
}
