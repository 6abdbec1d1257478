package operators_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/weirstream/weir/flow"
	"github.com/weirstream/weir/operators"
	. "github.com/weirstream/weir/operators/operatortest"
)

func TestCoProcess(t *testing.T) {
	got := Verify(t, Case{
		New: func() operators.Operator {
			return operators.NewCoProcess(operators.CoProcessSpec[sale, string, string]{
				Sides: []operators.SideOutput{large},
				ProcessA: func(c *operators.ProcessContext[string], v *sale) {
					c.Emit("a " + v.User)
					if v.Amount >= 100 {
						large.Emit(c, v.Amount)
					}
				},
				ProcessB: func(c *operators.ProcessContext[string], v *string) { c.Emit("b " + *v) },
			})
		},
		Script: Script(
			Record(0, sale{"x", 100}, 1), Record(1, "y", 2), Watermark(0, 5), Watermark(1, 3), Fence(),
			Record(0, sale{"z", 1}, 6),
		),
	})
	want := []string{
		"a x at " + flow.Time(1).String(), "b y at " + flow.Time(2).String(), "watermark " + flow.Time(3).String(),
		"a z at " + flow.Time(6).String(), "watermark max",
	}
	if !slices.Equal(got[0], want) {
		t.Errorf("main output %q, want %q", got[0], want)
	}
	if want := "100 at " + flow.Time(1).String(); len(got[1]) == 0 || got[1][0] != want {
		t.Errorf("side output %q, want %q", got[1], want)
	}
}

// TestKeyedCoProcessSharesTimers: one input registers a time-out for a key, the other takes it back.
func TestKeyedCoProcessSharesTimers(t *testing.T) {
	got := Verify(t, Case{
		New: func() operators.Operator {
			return operators.NewKeyedCoProcess(operators.KeyedCoProcessSpec[string, sale, string, string]{
				KeyA: userOf, KeyB: func(v *string) string { return *v }, KeyType: stringKey,
				ProcessA: func(c *keyedContext, v *sale) { c.RegisterEventTimer(flow.Time(v.Amount)) },
				ProcessB: func(c *keyedContext, v *string) { c.DeleteEventTimer(20) },
				OnTimer:  func(c *timerContext, at flow.Time) { c.Emit(fmt.Sprintf("%s@%d", c.Key(), at)) },
			})
		},
		Script: Script(
			Records(0, 1, sale{"p", 20}, sale{"q", 20}, sale{"r", 30}, sale{"q", 40}), Fence(),
			Records(1, 2, "q", "r"), Watermark(1, 25), Watermark(0, 25), Fence(),
			Record(1, "s", 3), Watermark(1, 50), Watermark(0, 35),
		),
		Routes: []any{byUser, func(v *string) uint64 { return stringKey.Hash(v) }},
	})
	var fired []string
	for _, line := range got[0] {
		if f := strings.Fields(line); f[0] != "watermark" {
			fired = append(fired, f[0])
		}
	}
	if want := []string{"p@20", "r@30", "q@40"}; !slices.Equal(fired, want) {
		t.Errorf("fired %v, want %v", fired, want)
	}
}

func TestCoProcessReportsMistakes(t *testing.T) {
	for want, op := range map[string]operators.Operator{
		"both inputs need one": operators.NewCoProcess(operators.CoProcessSpec[sale, string, string]{
			ProcessA: func(c *operators.ProcessContext[string], v *sale) {},
		}),
		"no key": operators.NewKeyedCoProcess(operators.KeyedCoProcessSpec[string, sale, string, string]{
			KeyA: userOf, KeyType: stringKey,
		}),
	} {
		err := OpenError(t, Setup{New: func() operators.Operator { return op }})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("opened with %v, want %q", err, want)
		}
	}
}
