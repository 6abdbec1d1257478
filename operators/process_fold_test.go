package operators_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/weirstream/weir/codec"
	"github.com/weirstream/weir/flow"
	"github.com/weirstream/weir/operators"
	. "github.com/weirstream/weir/operators/operatortest"
	"github.com/weirstream/weir/timeservice"
)

// sale is a record of the tests: an amount for a user.
type sale struct {
	User   string
	Amount int64
}

func userOf(v *sale) string { return v.User }

// mustKey is the key of a type that is known to be good.
func mustKey[K comparable]() codec.Key[K] {
	k, err := codec.KeyFor[K]()
	if err != nil {
		panic(err)
	}
	return k
}

var stringKey = mustKey[string]()

// byUser routes sales as the exchange does.
func byUser(v *sale) uint64 { return stringKey.Hash(&v.User) }

// salesOf makes n sales of several users, with a watermark after every tenth.
func salesOf(n int) []Event {
	var events []Event
	for i := range n {
		user := string(rune('a' + i*i%7))
		events = append(events, Record(0, sale{user, int64(i)}, flow.Time(10*i)))
		if i%10 == 9 {
			events = append(events, Watermark(0, flow.Time(10*i-20)))
		}
	}
	return events
}

func TestReduce(t *testing.T) {
	got := Verify(t, Case{
		New: func() operators.Operator {
			return operators.NewReduce(operators.ReduceSpec[string, sale]{
				Key: userOf, KeyType: stringKey, Codec: codec.MustFor[sale](),
				Reduce: func(acc, v *sale) { acc.Amount += v.Amount },
			})
		},
		Script: salesOf(50), Routes: []any{byUser},
	})
	sums := map[string]int64{}
	var want []string
	for i := range 50 {
		user := string(rune('a' + i*i%7))
		sums[user] += int64(i)
		want = append(want, fmt.Sprintf("{User:%s Amount:%d} at %v", user, sums[user], flow.Time(10*i)))
	}
	var records []string
	for _, line := range got[0] {
		if !strings.HasPrefix(line, "watermark") {
			records = append(records, line)
		}
	}
	if !slices.Equal(records, want) {
		t.Errorf("got %v, want %v", records, want)
	}
}

type spending struct {
	Sum   int64
	Sales int32
}

func TestFold(t *testing.T) {
	fold := operators.FoldSpec[string, sale, spending, string]{
		Key: userOf, KeyType: stringKey,
		Aggregate: operators.Aggregate[sale, spending]{
			Create: func() spending { return spending{Sum: 1000} },
			Add:    func(acc *spending, v *sale) { acc.Sum += v.Amount; acc.Sales++ },
			Codec:  codec.MustFor[spending](),
		},
		Emit: func(k *string, acc *spending, t flow.Time, out operators.Next[string]) {
			if acc.Sales%2 == 0 {
				s := fmt.Sprintf("%s %d", *k, acc.Sum)
				out(&s, t)
			}
		},
	}
	got := Verify(t, Case{
		New:    func() operators.Operator { return operators.NewFold(fold) },
		Script: Script(Records(0, 1, sale{"a", 1}, sale{"b", 2}, sale{"a", 3}, sale{"a", 4}, sale{"a", 5}, sale{"b", 6})),
		Routes: []any{byUser},
	})
	at := " at " + flow.Time(1).String()
	if want := []string{"a 1004" + at, "a 1013" + at, "b 1008" + at, "watermark max"}; !slices.Equal(got[0], want) {
		t.Errorf("got %q, want %q", got[0], want)
	}
}

func TestFoldReportsMistakes(t *testing.T) {
	whole := operators.ReduceSpec[string, sale]{
		Key: userOf, KeyType: stringKey, Codec: codec.MustFor[sale](), Reduce: func(acc, v *sale) {},
	}
	for want, spoil := range map[string]func(*operators.ReduceSpec[string, sale]){
		"no key":      func(s *operators.ReduceSpec[string, sale]) { s.Key = nil },
		"no function": func(s *operators.ReduceSpec[string, sale]) { s.Reduce = nil },
		"no codec":    func(s *operators.ReduceSpec[string, sale]) { s.Codec = nil },
	} {
		s := whole
		spoil(&s)
		err := OpenError(t, Setup{New: func() operators.Operator { return operators.NewReduce(s) }})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: opened with %v", want, err)
		}
	}
}

// deaf is a Task for benchmarks.
type deaf struct{ operators.Task }

func (deaf) WakeAt(flow.Time) {}
func (deaf) Full() bool       { return false }

// opened opens op outside a subtask, for benchmarks of its bare cost.
func opened(b *testing.B, op operators.Operator) []operators.InputPort {
	in, _ := op.Ports()
	err := op.Open(&operators.Context{
		UID: "bench", Parallelism: 1, MaxParallelism: flow.DefaultMaxParallelism,
		Groups:   flow.KeyGroupRange{From: 0, To: flow.DefaultMaxParallelism},
		Clock:    timeservice.NewManual(0),
		Counters: &operators.Counters{},
		Task:     deaf{},
	})
	if err != nil {
		b.Fatal(err)
	}
	return in
}

type amount struct {
	Key uint64
	N   int64
}

// BenchmarkKeyedSum is the sum by key over a batch of records of random known keys.
func BenchmarkKeyedSum(b *testing.B) {
	for _, keys := range []int{1000, 1_000_000} {
		b.Run(fmt.Sprintf("keys=%d", keys), func(b *testing.B) {
			in := opened(b, operators.NewReduce(operators.ReduceSpec[uint64, amount]{
				Key: func(v *amount) uint64 { return v.Key }, KeyType: mustKey[uint64](), Codec: codec.MustFor[amount](),
				Reduce: func(acc, v *amount) { acc.N += v.N },
			}))
			const batches = 256
			var in256 [batches]*flow.Records[amount]
			seed := uint64(1)
			for i := range in256 {
				in256[i] = flow.NewRecords[amount](operators.BatchRecords)
				for range operators.BatchRecords {
					seed = flow.HashUint64(seed)
					in256[i].Append(&amount{seed % uint64(keys), 1}, 0)
				}
			}
			all := flow.NewRecords[amount](keys)
			for k := range keys {
				all.Append(&amount{uint64(k), 1}, 0)
			}
			in[0].Consume(all, 0, keys)
			b.ReportAllocs()
			b.ResetTimer()
			n := 0
			for b.Loop() {
				in[0].Consume(in256[n%batches], 0, operators.BatchRecords)
				n++
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(n)/operators.BatchRecords, "ns/record")
		})
	}
}
