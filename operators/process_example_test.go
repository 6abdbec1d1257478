package operators_test

import (
	"fmt"

	"github.com/weirstream/weir/codec"
	"github.com/weirstream/weir/flow"
	"github.com/weirstream/weir/operators"
	. "github.com/weirstream/weir/operators/operatortest"
	"github.com/weirstream/weir/state"
)

// print shows what leaves the first output of an operator.
func print(op func() operators.Operator, script []Event) {
	lines, err := Run(Setup{New: op}, script)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, line := range lines[0] {
		fmt.Println(line)
	}
}

// Every order is to be paid for within a minute of event time.
func ExampleNewKeyedProcess() {
	type event struct {
		Order string
		Paid  bool
	}
	const minute = flow.Time(60_000)
	watch := func() operators.Operator {
		var deadline state.Value[flow.Time] // of each order
		return operators.NewKeyedProcess(operators.KeyedProcessSpec[string, event, string]{
			Key: func(e *event) string { return e.Order }, KeyType: stringKey,
			Open: func(o *operators.OpenContext) error {
				deadline = state.NewValue[flow.Time](o, "deadline")
				return nil
			},
			Process: func(c *operators.KeyedContext[string, string], e *event) {
				if e.Paid {
					c.DeleteEventTimer(deadline.Get(c))
					deadline.Clear(c)
					return
				}
				deadline.Set(c, c.Timestamp()+minute)
				c.RegisterEventTimer(deadline.Get(c))
			},
			OnTimer: func(c *operators.TimerContext[string, string], t flow.Time) {
				c.Emit(c.Key() + " was not paid")
				deadline.Clear(c)
			},
		})
	}
	print(watch, Script(
		Record(0, event{"A", false}, 1_000), Record(0, event{"B", false}, 2_000), Record(0, event{"A", true}, 5_000),
		Watermark(0, 100_000),
	))
	// Output:
	// B was not paid at 1970-01-01T00:01:02.000Z
	// watermark max
}

// The running sum by key.
func ExampleNewReduce() {
	sum := func() operators.Operator {
		return operators.NewReduce(operators.ReduceSpec[string, sale]{
			Key: userOf, KeyType: stringKey, Codec: codec.MustFor[sale](),
			Reduce: func(acc, v *sale) { acc.Amount += v.Amount },
		})
	}
	print(sum, Records(0, 1, sale{"ann", 1}, sale{"bob", 5}, sale{"ann", 2}))
	// Output:
	// {User:ann Amount:1} at 1970-01-01T00:00:00.001Z
	// {User:bob Amount:5} at 1970-01-01T00:00:00.001Z
	// {User:ann Amount:3} at 1970-01-01T00:00:00.001Z
	// watermark max
}

// Words of one input pass once the other has allowed them.
func ExampleNewCoProcess() {
	gate := func() operators.Operator {
		allowed := map[string]bool{}
		return operators.NewCoProcess(operators.CoProcessSpec[string, string, string]{
			ProcessA: func(c *operators.ProcessContext[string], word *string) {
				if allowed[*word] {
					c.Emit(*word)
				}
			},
			ProcessB: func(c *operators.ProcessContext[string], word *string) { allowed[*word] = true },
		})
	}
	print(gate, Script(Record(0, "early", 1), Record(1, "early", 2), Record(1, "late", 2), Records(0, 3, "late", "never")))
	// Output:
	// late at 1970-01-01T00:00:00.003Z
	// watermark max
}
