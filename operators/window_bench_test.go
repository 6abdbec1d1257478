package operators

import (
	"testing"

	"github.com/weirstream/weir/codec"
	"github.com/weirstream/weir/flow"
	"github.com/weirstream/weir/state"
)

// benchKeys is the number of keys of the benchmarks, benchSlide how many milliseconds a slice of theirs has. One record
// comes in each benchEach-th of a millisecond, so that a slice has ten records for each key.
const (
	benchKeys  = 100_000
	benchSlide = 1000
	benchEach  = 1000
)

func openBench(b testing.TB, a Assigner, agg Aggregate[hit, stat]) *rig {
	r := openRig(b, NewWindow(statSpec(b, a, agg)), 0, 1, 0, nil, flow.MinTime)
	return r
}

// hitSource makes batches of records whose keys jump about, in the order of time.
type hitSource struct {
	n, rng uint64
	b      *flow.Records[hit]
}

func (s *hitSource) next() *flow.Records[hit] {
	s.b.Reset()
	for range BatchRecords {
		s.rng = s.rng*6364136223846793005 + 1442695040888963407
		s.b.Append(&hit{int64(s.rng >> 33 % benchKeys), 1}, flow.Time(s.n/benchEach))
		s.n++
	}
	return s.b
}

// benchWindow runs b.N records through a window operator. results counts what comes out.
func benchWindow(b *testing.B, a Assigner, agg Aggregate[hit, stat]) {
	spec := statSpec(b, a, agg)
	results := 0
	spec.Emit = func(*Firing[int64], *stat, Next[result]) { results++ }
	r := openRig(b, NewWindow(spec), 0, 1, 0, nil, flow.MinTime)
	src := &hitSource{b: flow.NewRecords[hit](BatchRecords)}
	run := func(n int) {
		for i := 0; i < n; i += BatchRecords {
			batch := src.next()
			r.in.Consume(batch, 0, batch.Len())
			r.repeat(func() bool { return r.op.Watermark(flow.Watermark{Time: batch.Times[batch.Len()-1] - 1}) })
		}
	}
	run(2 * benchSlide * benchEach)
	b.ReportAllocs()
	b.ResetTimer()
	run(b.N)
	b.ReportMetric(float64(results)/float64(b.N), "results/op")
}

func BenchmarkWindow(b *testing.B) {
	b.Run("Source", func(b *testing.B) { // what the others spend on making the records
		src := &hitSource{b: flow.NewRecords[hit](BatchRecords)}
		for i := 0; i < b.N; i += BatchRecords {
			src.next()
		}
	})
	b.Run("HandLoop", func(b *testing.B) { // the same work as Tumbling, without an operator
		key := keyOf[int64](b)
		table := state.NewTable(key, codec.MustFor[stat]())
		src := &hitSource{b: flow.NewRecords[hit](BatchRecords)}
		keys, hashes, accs := make([]int64, BatchRecords), make([]uint64, BatchRecords), make([]*stat, BatchRecords)
		sum, end := int64(0), flow.Time(benchSlide)
		b.ReportAllocs()
		for i := 0; i < b.N; i += BatchRecords {
			batch := src.next()
			for j := range batch.Values {
				keys[j] = batch.Values[j].Key
			}
			key.HashAll(keys, hashes)
			table.UpsertBatch(hashes, keys, accs)
			for j := range batch.Values {
				accs[j].Sum += batch.Values[j].Val
				accs[j].Count++
			}
			if batch.Times[0] >= end {
				end += benchSlide
				table.Read(0, 1<<30, func(_ uint64, _ *int64, a *stat) bool { sum += a.Sum; return true })
				table.Reset()
			}
		}
	})
	b.Run("Tumbling", func(b *testing.B) { benchWindow(b, Tumbling{Size: benchSlide}, sumAgg()) })
	b.Run("Sliding60/Retract", func(b *testing.B) { benchWindow(b, Sliding{Size: 60 * benchSlide, Slide: benchSlide}, sumAgg()) })
	b.Run("Sliding60/Stacks", func(b *testing.B) { benchWindow(b, Sliding{Size: 60 * benchSlide, Slide: benchSlide}, maxAgg()) })
	b.Run("Session", func(b *testing.B) { benchWindow(b, Session{Gap: benchSlide}, maxAgg()) })
}

// BenchmarkWindowUpdate is the path of a record alone: existing keys, nothing fires.
func BenchmarkWindowUpdate(b *testing.B) {
	for name, a := range map[string]Assigner{"Tumbling": Tumbling{Size: 1 << 40}, "Session": Session{Gap: 1 << 40}} {
		b.Run(name, func(b *testing.B) {
			r := openBench(b, a, sumAgg())
			src := &hitSource{b: flow.NewRecords[hit](BatchRecords)}
			var batches []*flow.Records[hit]
			for range 2000 {
				src.b = flow.NewRecords[hit](BatchRecords)
				batches = append(batches, src.next())
				r.in.Consume(src.b, 0, BatchRecords)
			}
			b.ReportAllocs()
			b.ResetTimer()
			for i := 0; i < b.N; i += BatchRecords {
				r.in.Consume(batches[i/BatchRecords%len(batches)], 0, BatchRecords)
			}
		})
	}
}

// The path of a record allocates nothing: in order, over slices in turn, and late.
func TestWindowRecordsDoNotAllocate(t *testing.T) {
	for name, c := range map[string]struct {
		a     Assigner
		agg   Aggregate[hit, stat]
		late  flow.Time
		start flow.Time // watermark
		times func(i int) flow.Time
	}{
		"tumbling":         {Tumbling{Size: 1000}, sumAgg(), 0, 0, func(i int) flow.Time { return 5 }},
		"mixed slices":     {Sliding{Size: 1000, Slide: 100}, maxAgg(), 0, 0, func(i int) flow.Time { return flow.Time(i % 700) }},
		"late and dropped": {Tumbling{Size: 10}, sumAgg(), 0, 500, func(i int) flow.Time { return flow.Time(490 + i%20) }},
		"late, fired again": {
			Sliding{Size: 100, Slide: 10}, sumAgg(), 10_000, 500, func(i int) flow.Time { return flow.Time(490 + i%20) },
		},
		"session": {Session{Gap: 1000}, maxAgg(), 0, 0, func(i int) flow.Time { return flow.Time(i) }},
	} {
		t.Run(name, func(t *testing.T) {
			spec := statSpec(t, c.a, c.agg)
			spec.AllowedLateness = c.late
			spec.Emit = func(*Firing[int64], *stat, Next[result]) {}
			op := NewWindow(spec)
			r := openRig(t, op, 0, 1, 0, nil, flow.MinTime)
			_, outs := op.Ports()
			switch p := op.(type) { // the rig keeps late records, which takes memory
			case *sliceWindow[int64, hit, stat, result]:
				p.lateNext = func(*hit, flow.Time) {}
			case *paneWindow[int64, hit, stat, result]:
				p.lateNext = func(*hit, flow.Time) {}
			}
			if len(outs) != 2 {
				t.Fatal("no late output")
			}
			b := flow.NewRecords[hit](BatchRecords)
			for i := range BatchRecords {
				b.Append(&hit{int64(i % 50), 1}, c.times(i))
			}
			r.in.Consume(b, 0, b.Len())
			r.watermark(c.start)
			r.in.Consume(b, 0, b.Len())
			if n := testing.AllocsPerRun(20, func() { r.in.Consume(b, 0, b.Len()) }); n > 0 {
				t.Errorf("%v allocations a batch", n)
			}
			record := r.in.(*Input[hit]).Record
			if n := testing.AllocsPerRun(20, func() { record(&b.Values[3], b.Times[3]) }); n > 0 {
				t.Errorf("%v allocations a record", n)
			}
		})
	}
}
