package generator

import (
	"time"

	"github.com/weirstream/weir/flow"
	"github.com/weirstream/weir/timeservice"
)

// maxBurst is how much of the past a split may catch up on: after a pause it goes on at its rate, not with a flood.
const maxBurst = 100 * time.Millisecond

// limiter says how many records are due. It reads the clock once or twice per Poll.
type limiter struct {
	clock timeservice.Clock
	rate  float64 // records per second
	base  int64   // clock.Nanos from which sent counts
	sent  int64
}

func newLimiter(clock timeservice.Clock, rate float64) *limiter {
	return &limiter{clock: clock, rate: rate, base: clock.Nanos()}
}

// take returns how many records, at most most, may go out now, and counts them as sent. For none, next is when the next
// one is due.
func (l *limiter) take(most int) (n int, next flow.Time) {
	now := l.clock.Nanos()
	allowed := float64(now-l.base) * l.rate / float64(time.Second)
	due := int64(allowed) - l.sent
	// A single record that is late is no burst, however low the rate.
	if burst := max(1, int64(l.rate*maxBurst.Seconds())); due > burst {
		l.base, l.sent = now-int64(float64(burst)/l.rate*float64(time.Second)), 0
		due = burst
	}
	if due <= 0 {
		wait := (float64(l.sent+1) - allowed) / l.rate * float64(time.Second) // nanoseconds
		ms := flow.Time(wait/float64(time.Millisecond)) + 1
		return 0, l.clock.Now().Add(ms)
	}
	n = int(min(due, int64(most)))
	l.sent += int64(n)
	return n, flow.MaxTime
}
