package operators_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/weirstream/weir/flow"
	"github.com/weirstream/weir/operators"
	. "github.com/weirstream/weir/operators/operatortest"
	"github.com/weirstream/weir/state"
)

// visit is what the session counter of the tests keeps for a user.
type visit struct {
	Count   int64
	TimeOut flow.Time
}

// sessions counts each user's sales until there are none for 50 ms.
func sessions() operators.Operator {
	var visits state.Value[visit]
	return operators.NewKeyedProcess(operators.KeyedProcessSpec[string, sale, string]{
		Key: userOf, KeyType: stringKey,
		Open: func(o *operators.OpenContext) error {
			visits = state.NewValue[visit](o, "visits")
			return nil
		},
		Process: func(c *keyedContext, _ *sale) {
			visits.Update(c, func(v *visit) {
				if v.Count > 0 {
					c.DeleteEventTimer(v.TimeOut)
				}
				v.Count++
				v.TimeOut = c.Timestamp() + 50
				c.RegisterEventTimer(v.TimeOut)
			})
		},
		OnTimer: func(c *timerContext, t flow.Time) {
			c.Emit(fmt.Sprintf("%s:%d@%d", c.Key(), visits.Get(c).Count, t))
			visits.Clear(c)
		},
	})
}

func TestKeyedStateAndTimersTogether(t *testing.T) {
	sold := func(user string, at flow.Time) Event { return Record(0, sale{user, 1}, at) }
	got := Verify(t, Case{
		New: sessions,
		Script: Script(
			sold("a", 0), sold("b", 10), sold("a", 40), Watermark(0, 40), sold("c", 45), sold("b", 55), Watermark(0, 89),
			Watermark(0, 90), sold("a", 95), sold("d", 96), Watermark(0, 120), sold("a", 130),
		),
		Routes: []any{byUser},
	})
	var fired []string
	for _, line := range got[0] {
		if f := strings.Fields(line); f[0] != "watermark" {
			fired = append(fired, f[0])
		}
	}
	want := []string{"a:2@90", "c:1@95", "b:2@105", "d:1@146", "a:2@180"}
	if !slices.Equal(fired, want) {
		t.Errorf("fired %v, want %v", fired, want)
	}
}

func TestKeyedStateNeedsAKey(t *testing.T) {
	err := OpenError(t, Setup{New: func() operators.Operator {
		return operators.NewProcess(operators.ProcessSpec[sale, string]{
			Process: func(c *operators.ProcessContext[string], v *sale) {},
			Open:    func(o *operators.OpenContext) error { state.NewValue[int64](o, "n"); return nil },
		})
	}})
	if err == nil || !strings.Contains(err.Error(), "has no key") {
		t.Errorf("opened with %v", err)
	}
}

// TestStateDeclaredTwiceFails: what is wrong with a declaration comes out of Open, though declaring returns no error.
func TestStateDeclaredTwiceFails(t *testing.T) {
	err := OpenError(t, Setup{New: func() operators.Operator {
		return operators.NewKeyedProcess(operators.KeyedProcessSpec[string, sale, string]{
			Key: userOf, KeyType: stringKey, Process: func(c *keyedContext, v *sale) {},
			Open: func(o *operators.OpenContext) error {
				state.NewValue[int64](o, "n")
				state.NewValue[string](o, "n")
				state.NewOperatorList[string](o, "list")
				state.NewUnionList[string](o, "list")
				return nil
			},
		})
	}})
	if err == nil || strings.Count(err.Error(), "declared twice") != 2 {
		t.Errorf("opened with %v", err)
	}
}

// TestOperatorList: a plain process function keeps a list that is dealt out anew when the parallelism changes.
func TestOperatorList(t *testing.T) {
	newest := func() operators.Operator {
		var seen state.OperatorList[int64]
		return operators.NewProcess(operators.ProcessSpec[sale, string]{
			Open: func(o *operators.OpenContext) error {
				seen = state.NewOperatorList[int64](o, "seen")
				return nil
			},
			Process: func(c *operators.ProcessContext[string], v *sale) {
				seen.Append(v.Amount)
				c.Emit(fmt.Sprint(slices.Collect(seen.All())))
			},
		})
	}
	got := Verify(t, Case{New: newest, Script: Records(0, 1, sale{"", 1}, sale{"", 2}, sale{"", 3}, sale{"", 4})})
	if want := "[1 2 3 4] at " + flow.Time(1).String(); got[0][3] != want {
		t.Errorf("got %q, want %q", got[0], want)
	}
	h := Open(t, Setup{New: newest})
	h.Do(Records(0, 1, sale{"", 1}, sale{"", 2}, sale{"", 3}, sale{"", 4})...)
	s := h.Snapshot()
	for i, want := range []string{"[1 2 9]", "[3 4 9]"} {
		part := Open(t, Setup{New: newest, Subtask: i, Parallelism: 2, Restore: []*Snapshot{s}})
		Push(part, 0, sale{"", 9}, 1)
		if got := Take[string](part, 0); !slices.Equal(got, []string{want}) {
			t.Errorf("subtask %d has %q, want %q", i, got, want)
		}
	}
}

// rule is a broadcast record: from what amount on a user's sales are reported; 0 takes the rule away.
type rule struct {
	User string
	From int64
}

func changeRules(rules operators.BroadcastState[string, int64], c operators.BroadcastWriter, r *rule) {
	if r.From == 0 {
		rules.Delete(c, r.User)
	} else {
		rules.Put(c, r.User, r.From)
	}
}

func describe(rules operators.BroadcastState[string, int64]) string {
	var all []string
	for user, from := range rules.All() {
		all = append(all, fmt.Sprintf("%s≥%d", user, from))
	}
	return strings.Join(all, ",")
}

var ruleScript = Script(
	Record(0, sale{"a", 5}, 1), Fence(),
	Records(1, 2, rule{"b", 10}, rule{"a", 3}, rule{"c", 1}), Fence(),
	Records(0, 3, sale{"a", 5}, sale{"b", 5}, sale{"c", 0}), Watermark(0, 5), Watermark(1, 5), Fence(),
	Records(1, 6, rule{"b", 4}, rule{"a", 0}, rule{"z", 0}), Fence(),
	Records(0, 7, sale{"a", 5}, sale{"b", 5}),
)

func TestBroadcastProcess(t *testing.T) {
	got := Verify(t, Case{
		New: func() operators.Operator {
			var rules operators.BroadcastState[string, int64]
			return operators.NewBroadcastProcess(operators.BroadcastProcessSpec[sale, rule, string]{
				Open: func(o *operators.OpenContext) error {
					rules = operators.NewBroadcastState[string, int64](o, "rules")
					return nil
				},
				Process: func(c *operators.ProcessContext[string], v *sale) {
					if from, ok := rules.Get(v.User); ok && v.Amount >= from {
						c.Emit(fmt.Sprintf("%s:%d [%s]", v.User, v.Amount, describe(rules)))
					}
				},
				ProcessBroadcast: func(c *operators.BroadcastContext[string], r *rule) { changeRules(rules, c, r) },
			})
		},
		Script: ruleScript,
		Routes: []any{byUser, nil},
	})
	want := []string{
		"a:5 [a≥3,b≥10,c≥1] at " + flow.Time(3).String(), "watermark " + flow.Time(5).String(),
		"b:5 [b≥4,c≥1] at " + flow.Time(7).String(), "watermark max",
	}
	if !slices.Equal(got[0], want) {
		t.Errorf("got %q, want %q", got[0], want)
	}
}

func TestKeyedBroadcastProcess(t *testing.T) {
	got := Verify(t, Case{
		New: func() operators.Operator {
			var rules operators.BroadcastState[string, int64]
			var sums state.Value[int64]
			return operators.NewKeyedBroadcastProcess(operators.KeyedBroadcastProcessSpec[string, sale, rule, string]{
				Key: userOf, KeyType: stringKey,
				Open: func(o *operators.OpenContext) error {
					sums = state.NewValue[int64](o, "sums")
					rules = operators.NewBroadcastState[string, int64](o, "rules")
					return nil
				},
				Process: func(c *keyedContext, v *sale) {
					sums.Update(c, func(sum *int64) { *sum += v.Amount })
					c.RegisterEventTimer(c.Timestamp() + 1)
				},
				ProcessBroadcast: func(c *operators.BroadcastContext[string], r *rule) { changeRules(rules, c, r) },
				OnTimer: func(c *timerContext, t flow.Time) {
					if from, ok := rules.Get(c.Key()); ok && sums.Get(c) >= from {
						c.Emit(fmt.Sprintf("%s:%d@%d", c.Key(), sums.Get(c), t))
					}
				},
			})
		},
		Script: ruleScript,
		Routes: []any{byUser, nil},
	})
	want := []string{
		"a:10@2 at " + flow.Time(2).String(), "a:10@4 at " + flow.Time(4).String(), "watermark " + flow.Time(5).String(),
		"b:10@8 at " + flow.Time(8).String(), "watermark max",
	}
	if !slices.Equal(got[0], want) {
		t.Errorf("got %q, want %q", got[0], want)
	}
}

// BenchmarkKeyedProcessState is a count by key in a process function: one look-up a record.
func BenchmarkKeyedProcessState(b *testing.B) {
	key := mustKey[uint64]()
	var counts state.Value[int64]
	in := opened(b, operators.NewKeyedProcess(operators.KeyedProcessSpec[uint64, amount, int64]{
		Key: func(v *amount) uint64 { return v.Key }, KeyType: key,
		Open: func(o *operators.OpenContext) error {
			counts = state.NewValue[int64](o, "counts")
			return nil
		},
		Process: func(c *operators.KeyedContext[uint64, int64], v *amount) {
			n := counts.Get(c) + v.N
			counts.Set(c, n)
			c.Emit(n)
		},
	}))
	batch := flow.NewRecords[amount](operators.BatchRecords)
	for i := range operators.BatchRecords {
		batch.Append(&amount{uint64(i), 1}, 0)
	}
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		in[0].Consume(batch, 0, batch.Len())
		n++
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(n)/operators.BatchRecords, "ns/record")
}
