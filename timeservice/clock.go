package timeservice

import (
	"time"

	"github.com/weirstream/weir/flow"
)

// Clock tells processing time. Below actors nothing else does.
type Clock interface {
	// Now is the processing time.
	Now() flow.Time
	// Nanos is a monotonic reading in nanoseconds, for measuring durations.
	Nanos() int64
	// AfterFunc calls f once, on any goroutine, when d has passed. f must not block.
	AfterFunc(d time.Duration, f func()) Alarm
}

// Alarm is a pending AfterFunc.
type Alarm interface {
	// Stop cancels it. It reports whether f will not be called any more because of this call.
	Stop() bool
}

// Wall is the clock of this machine.
type Wall struct{}

var wallStart = time.Now()

func (Wall) Now() flow.Time { return flow.TimeOf(time.Now()) }

func (Wall) Nanos() int64 { return int64(time.Since(wallStart)) }

func (Wall) AfterFunc(d time.Duration, f func()) Alarm { return time.AfterFunc(d, f) }

// Manual is a clock that stands still until it is told to move; for tests. It is not safe for concurrent use.
type Manual struct {
	now    flow.Time
	alarms []*manualAlarm
}

// NewManual makes a clock that stands at now.
func NewManual(now flow.Time) *Manual { return &Manual{now: now} }

type manualAlarm struct {
	at   flow.Time
	f    func()
	dead bool
}

func (a *manualAlarm) Stop() bool {
	was := !a.dead
	a.dead = true
	return was
}

func (m *Manual) Now() flow.Time { return m.now }
func (m *Manual) Nanos() int64   { return int64(m.now) * int64(time.Millisecond) }

func (m *Manual) AfterFunc(d time.Duration, f func()) Alarm {
	ms := (d + time.Millisecond - 1) / time.Millisecond
	a := &manualAlarm{at: m.now.Add(flow.Time(ms)), f: f}
	m.alarms = append(m.alarms, a)
	return a
}

// Set moves the clock to now and calls what has come due, in the order of its time and then of its making.
func (m *Manual) Set(now flow.Time) {
	for {
		var due *manualAlarm
		for _, a := range m.alarms {
			if !a.dead && a.at <= now && (due == nil || a.at < due.at) {
				due = a
			}
		}
		if due == nil {
			break
		}
		m.now = max(m.now, due.at)
		due.dead = true
		due.f()
	}
	m.now = now
	live := m.alarms[:0]
	for _, a := range m.alarms {
		if !a.dead {
			live = append(live, a)
		}
	}
	m.alarms = live
}
