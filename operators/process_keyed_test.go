package operators_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/weirstream/weir/flow"
	"github.com/weirstream/weir/operators"
	. "github.com/weirstream/weir/operators/operatortest"
)

var large = operators.NewTag[int64]("large")

func TestProcessWithSideOutput(t *testing.T) {
	got := Verify(t, Case{
		New: func() operators.Operator {
			return operators.NewProcess(operators.ProcessSpec[sale, string]{
				Sides: []operators.SideOutput{large},
				Process: func(c *operators.ProcessContext[string], v *sale) {
					if v.Amount >= 100 {
						large.Emit(c, v.Amount)
						large.EmitAt(c, v.Amount+1, c.Timestamp()+1)
					}
					c.Emit(fmt.Sprintf("%s after %d", v.User, c.Watermark()))
					c.EmitRef(&v.User)
					c.EmitAt("now", 7)
				},
			})
		},
		Script: Script(Watermark(0, 3), Record(0, sale{"a", 1}, 4), Record(0, sale{"b", 100}, 5)),
	})
	if want := []string{
		"watermark " + flow.Time(3).String(),
		"a after 3 at " + flow.Time(4).String(), "a at " + flow.Time(4).String(), "now at " + flow.Time(7).String(),
		"b after 3 at " + flow.Time(5).String(), "b at " + flow.Time(5).String(), "now at " + flow.Time(7).String(),
		"watermark max",
	}; !slices.Equal(got[0], want) {
		t.Errorf("main output %q, want %q", got[0], want)
	}
	if want := []string{
		"watermark " + flow.Time(3).String(),
		"100 at " + flow.Time(5).String(), "101 at " + flow.Time(6).String(), "watermark max",
	}; !slices.Equal(got[1], want) {
		t.Errorf("side output %q, want %q", got[1], want)
	}
}

func TestUndeclaredSideOutputFails(t *testing.T) {
	h := Open(t, Setup{New: func() operators.Operator {
		return operators.NewProcess(operators.ProcessSpec[sale, string]{
			Process: func(c *operators.ProcessContext[string], v *sale) { large.Emit(c, v.Amount) },
		})
	}})
	if err := h.Fails(func() { Push(h, 0, sale{}, 1) }); err == nil || !strings.Contains(err.Error(), `"large"`) {
		t.Errorf("failed with %v", err)
	}
	err := OpenError(t, Setup{New: func() operators.Operator {
		return operators.NewProcess(operators.ProcessSpec[sale, string]{
			Sides:   []operators.SideOutput{large, large},
			Process: func(c *operators.ProcessContext[string], v *sale) {},
		})
	}})
	if err == nil || !strings.Contains(err.Error(), "twice") {
		t.Errorf("opened with %v", err)
	}
}

// TestCloseIsCalledWithOpen: Close of the user's functions follows Open, also one that failed.
func TestCloseIsCalledWithOpen(t *testing.T) {
	var calls []string
	spec := operators.ProcessSpec[sale, string]{
		Process: func(c *operators.ProcessContext[string], v *sale) {},
		Open: func(o *operators.OpenContext) error {
			calls = append(calls, "open "+o.UID)
			return errors.New("no luck")
		},
		Close: func() error { calls = append(calls, "close"); return nil },
	}
	err := OpenError(t, Setup{New: func() operators.Operator { return operators.NewProcess(spec) }})
	if err == nil || !strings.Contains(err.Error(), "no luck") || !slices.Equal(calls, []string{"open operator", "close"}) {
		t.Errorf("calls %v, error %v", calls, err)
	}
}

type timerContext = operators.TimerContext[string, string]
type keyedContext = operators.KeyedContext[string, string]

// timed makes a keyed process operator for sales whose Process and OnTimer are given.
func timed(process func(c *keyedContext, v *sale), onTimer func(c *timerContext, t flow.Time)) func() operators.Operator {
	return func() operators.Operator {
		return operators.NewKeyedProcess(operators.KeyedProcessSpec[string, sale, string]{
			Key: userOf, KeyType: stringKey, Process: process, OnTimer: onTimer,
		})
	}
}

func reportTimer(c *timerContext, t flow.Time) {
	c.Emit(fmt.Sprintf("%v %s@%d", c.Domain(), c.Key(), t))
}

func TestEventTimersFireInOrder(t *testing.T) {
	got := Verify(t, Case{
		New: timed(func(c *keyedContext, v *sale) { c.RegisterEventTimer(flow.Time(v.Amount)) }, reportTimer),
		Script: Script(
			Records(0, 1, sale{"c", 20}, sale{"a", 20}, sale{"b", 10}, sale{"a", 20}, sale{"b", 20}, sale{"a", 40}),
			Watermark(0, 30), Records(0, 2, sale{"d", 25}, sale{"c", 50}), Watermark(0, 40),
		),
		Routes: []any{byUser},
	})
	var want []string
	for _, f := range []string{"b@10", "a@20", "b@20", "c@20", "30", "d@25", "a@40", "40", "c@50", "max"} {
		user, at, timer := strings.Cut(f, "@")
		switch {
		case timer:
			var ms flow.Time
			fmt.Sscan(at, &ms)
			want = append(want, fmt.Sprintf("EVENT_TIME %s@%s at %v", user, at, ms))
		case f == "max":
			want = append(want, "watermark max")
		default:
			var ms flow.Time
			fmt.Sscan(f, &ms)
			want = append(want, "watermark "+ms.String())
		}
	}
	if !slices.Equal(got[0], want) {
		t.Errorf("got %q, want %q", got[0], want)
	}
}

// TestTimersRegisteredByTimers counts down: each timer registers the next one, all in the pass of one watermark.
func TestTimersRegisteredByTimers(t *testing.T) {
	got := Verify(t, Case{
		New: timed(func(c *keyedContext, v *sale) { c.RegisterEventTimer(flow.Time(v.Amount)) },
			func(c *timerContext, at flow.Time) {
				reportTimer(c, at)
				if at > 97 && at <= 100 {
					c.RegisterEventTimer(at - 1) // the past: due at once
				}
				if at == 100 {
					c.RegisterEventTimer(200) // not due
				}
			}),
		Script: Script(Records(0, 1, sale{"a", 100}, sale{"b", 99}), Watermark(0, 150)),
		Routes: []any{byUser},
	})
	var fired []string
	for _, line := range got[0] {
		if f := strings.Fields(line); f[0] == "EVENT_TIME" {
			fired = append(fired, f[1])
		}
	}
	want := []string{"b@99", "b@98", "b@97", "a@100", "a@99", "a@98", "a@97", "a@200"}
	if !slices.Equal(fired, want) {
		t.Errorf("fired %v, want %v", fired, want)
	}
}

func TestDeletedTimersDoNotFire(t *testing.T) {
	got := Verify(t, Case{
		New: timed(func(c *keyedContext, v *sale) {
			if v.Amount < 0 {
				c.DeleteEventTimer(flow.Time(-v.Amount))
				c.DeleteProcessingTimer(flow.Time(-v.Amount))
			} else {
				c.RegisterEventTimer(flow.Time(v.Amount))
				c.RegisterProcessingTimer(flow.Time(v.Amount))
			}
		}, reportTimer),
		Script: Script(
			Records(0, 1, sale{"a", 10}, sale{"b", 10}, sale{"a", -10}, sale{"a", 20}, sale{"b", -99}),
			Clock(30), Watermark(0, 30),
		),
		Routes: []any{byUser},
	})
	if want := []string{
		"PROCESSING_TIME b@10 at min", "PROCESSING_TIME a@20 at min",
		"EVENT_TIME b@10 at " + flow.Time(10).String(), "EVENT_TIME a@20 at " + flow.Time(20).String(),
		"watermark max",
	}; !slices.Equal(got[0][:4], want[:4]) || got[0][len(got[0])-1] != want[4] {
		t.Errorf("got %q, want %q", got[0], want)
	}
}

func TestProcessingTimers(t *testing.T) {
	got := Verify(t, Case{
		New: timed(func(c *keyedContext, v *sale) { c.RegisterProcessingTimer(c.ProcessingTime() + flow.Time(v.Amount)) },
			func(c *timerContext, at flow.Time) {
				reportTimer(c, at)
				if at < 1100 {
					c.RegisterProcessingTimer(at + 100)
				}
			}),
		Start: 1000,
		Script: Script(
			Records(0, 1, sale{"b", 50}, sale{"a", 50}, sale{"c", 500}),
			Clock(1040), Clock(1050), Clock(1149), Record(0, sale{"d", 1}, 2), Clock(1200),
			Record(0, sale{"e", 1}, 2), // pending at the end: dropped, as c is
		),
		Routes: []any{byUser},
	})
	want := []string{
		"PROCESSING_TIME a@1050 at min", "PROCESSING_TIME b@1050 at min",
		"PROCESSING_TIME a@1150 at min", "PROCESSING_TIME b@1150 at min", "PROCESSING_TIME d@1150 at min",
		"watermark max",
	}
	if !slices.Equal(got[0], want) {
		t.Errorf("got %q, want %q", got[0], want)
	}
}

// TestLongFiringsComeInTurns: a watermark that many timers wait for is paused by its budget and by full outputs.
func TestLongFiringsComeInTurns(t *testing.T) {
	const timers = 10_000
	full := 0
	for _, c := range []struct {
		name string
		full func() bool
	}{{"budget", nil}, {"full outputs", func() bool { full++; return true }}} {
		t.Run(c.name, func(t *testing.T) {
			h := Open(t, Setup{New: timed(func(c *keyedContext, v *sale) { c.RegisterEventTimer(5) }, reportTimer), Full: c.full})
			for i := range timers {
				Push(h, 0, sale{fmt.Sprintf("%05d", timers-i), 0}, 1)
			}
			h.Watermark(0, 10)
			if got := Take[string](h, 0); len(got) != timers || !slices.IsSorted(got) {
				t.Errorf("%d timers fired in order %v", len(got), slices.IsSorted(got))
			}
			if n := h.Counters().Fired.Load(); n != timers {
				t.Errorf("%d timers counted", n)
			}
		})
	}
	if full < timers/64 {
		t.Errorf("the outputs were looked at %d times", full)
	}
}

func TestTimersWithoutOnTimer(t *testing.T) {
	register := func(c *keyedContext, v *sale) { c.RegisterEventTimer(1) }
	h := Open(t, Setup{New: timed(register, nil)})
	if err := h.Fails(func() { Push(h, 0, sale{}, 1) }); err == nil || !strings.Contains(err.Error(), "no OnTimer") {
		t.Errorf("failed with %v", err)
	}
	h = Open(t, Setup{New: timed(register, reportTimer)})
	Push(h, 0, sale{}, 1)
	err := OpenError(t, Setup{New: timed(register, nil), Restore: []*Snapshot{h.Snapshot()}})
	if err == nil || !strings.Contains(err.Error(), "no OnTimer") {
		t.Errorf("opened with %v", err)
	}
}

func BenchmarkKeyedProcessTimers(b *testing.B) {
	op := operators.NewKeyedProcess(operators.KeyedProcessSpec[uint64, amount, int64]{
		Key: func(v *amount) uint64 { return v.Key }, KeyType: mustKey[uint64](),
		Process: func(c *operators.KeyedContext[uint64, int64], v *amount) { c.RegisterEventTimer(c.Timestamp()) },
		OnTimer: func(c *operators.TimerContext[uint64, int64], t flow.Time) { c.Emit(int64(t)) },
	})
	in := opened(b, op)
	batch := flow.NewRecords[amount](operators.BatchRecords)
	for i := range operators.BatchRecords {
		batch.Append(&amount{uint64(i), 1}, flow.Time(i%64))
	}
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		in[0].Consume(batch, 0, batch.Len())
		for !op.Watermark(flow.Watermark{Time: 64}) {
		}
		n++
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(n)/operators.BatchRecords, "ns/timer")
}
