package operators_test

import (
	"fmt"
	"testing"

	"github.com/weirstream/weir/codec"
	"github.com/weirstream/weir/flow"
	"github.com/weirstream/weir/operators"
	ot "github.com/weirstream/weir/operators/operatortest"
)

// click is a record with a string key, as keys often are.
type click struct {
	User string
	N    int64
}

// clickWindows is windows over clicks that emit lines of text.
func clickWindows(t *testing.T, a operators.Assigner, trigger operators.Trigger[click], late flow.Time, agg operators.Aggregate[click, []click]) func() operators.Operator {
	key, err := codec.KeyFor[string]()
	if err != nil {
		t.Fatal(err)
	}
	return func() operators.Operator {
		return operators.NewWindow(operators.WindowSpec[string, click, []click, string]{
			Key: func(v *click) string { return v.User }, KeyType: key, Assigner: a, Trigger: trigger, AllowedLateness: late,
			Aggregate: agg,
			Emit: func(f *operators.Firing[string], acc *[]click, out operators.Next[string]) {
				sum := int64(0)
				for _, c := range *acc {
					sum += c.N
				}
				line := fmt.Sprintf("%s %d-%d: %d of %d %v %d", f.Key, f.Window.Start, f.Window.End, sum, len(*acc), f.Pane.Timing, f.Pane.Index)
				out(&line, f.Window.MaxTimestamp())
			},
		})
	}
}

func clickScript() []ot.Event {
	at := func(t flow.Time, users ...string) (events []ot.Event) {
		for i, u := range users {
			events = append(events, ot.Record(0, click{u, int64(i + 1)}, t))
		}
		return events
	}
	return ot.Script(
		at(3, "ann", "bob", "cy"), at(12, "ann", "dora"), at(25, "bob"), at(8, "ann"),
		ot.Watermark(0, 9), ot.Clock(9), at(4, "bob", "ann"), at(14, "eve", "ann", "bob"), at(31, "cy"),
		ot.Watermark(0, 24), ot.Clock(24), at(10, "ann"), at(2, "cy"), at(26, "dora", "eve", "fay"), at(55, "ann", "bob"),
		ot.Watermark(0, 41), ot.Clock(41), at(20, "ann", "bob"), at(35, "gus"), at(90, "ann"),
		ot.Watermark(0, 120), ot.Clock(120), at(100, "bob"), at(125, "ann", "cy", "dora"),
	)
}

// Every kind of window gives the same, however it is batched, paused, snapshot, restored and rescaled.
func TestWindowsVerify(t *testing.T) {
	buffer := operators.BufferAggregate(codec.MustFor[click]())
	// Adding to a buffer at its end and taking away from its front is a Retract as good as any.
	retract := buffer
	retract.Retract = func(acc, other *[]click) {
		left := append([]click(nil), *acc...)
		for _, o := range *other {
			for i := range left {
				if left[i] == o {
					left = append(left[:i], left[i+1:]...)
					break
				}
			}
		}
		*acc = left
	}
	for _, c := range []struct {
		name    string
		a       operators.Assigner
		trigger operators.Trigger[click]
		late    flow.Time
		agg     operators.Aggregate[click, []click]
	}{
		{"tumbling", operators.Tumbling{Size: 10}, nil, 0, buffer},
		{"tumbling late", operators.Tumbling{Size: 10, Offset: 3}, nil, 25, buffer},
		{"sliding stacks", operators.Sliding{Size: 30, Slide: 7}, nil, 0, buffer},
		{"sliding stacks late", operators.Sliding{Size: 30, Slide: 7}, nil, 25, buffer},
		{"sliding retract", operators.Sliding{Size: 30, Slide: 10}, nil, 15, retract},
		{"sliding gaps", operators.Sliding{Size: 7, Slide: 10}, nil, 10, buffer},
		{"sessions", operators.Session{Gap: 10}, nil, 0, buffer},
		{"sessions late", operators.Session{Gap: 10}, nil, 25, buffer},
		{"sessions by record", operators.SessionBy[click]{Gap: func(v *click) flow.Time { return flow.Time(5 * v.N) }}, nil, 0, buffer},
		{"count", operators.Global{}, operators.Purging(operators.CountTrigger[click](2)), 0, buffer},
		{"continuous", operators.Sliding{Size: 40, Slide: 20}, operators.ContinuousEventTimeTrigger[click](9), 15, buffer},
		{"continuous sessions", operators.Session{Gap: 12}, operators.ContinuousEventTimeTrigger[click](9), 15, buffer},
		{"continuous clock", operators.Tumbling{Size: 40}, operators.ContinuousProcessingTimeTrigger[click](10), 0, buffer},
	} {
		t.Run(c.name, func(t *testing.T) {
			out := ot.Verify(t, ot.Case{
				New: clickWindows(t, c.a, c.trigger, c.late, c.agg), Script: clickScript(), AnyOrder: true,
				Routes: []any{func(v *click) uint64 { return flow.HashString(v.User) }},
			})
			if len(out[0]) == 0 {
				t.Error("no window fired")
			}
		})
	}
}

// A window of another size does not read the slices of this one.
func TestSlicesRefuseOtherWindows(t *testing.T) {
	buffer := operators.BufferAggregate(codec.MustFor[click]())
	h := ot.Open(t, ot.Setup{New: clickWindows(t, operators.Tumbling{Size: 10}, nil, 0, buffer)})
	h.Do(clickScript()[:4]...)
	other := ot.Setup{
		New: clickWindows(t, operators.Tumbling{Size: 20}, nil, 0, buffer), Restore: []*ot.Snapshot{h.Snapshot()},
	}
	if err := ot.OpenError(t, other); err == nil {
		t.Error("slices of 10 ms were taken for slices of 20 ms")
	}
}
