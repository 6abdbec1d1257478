package state

import (
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/weirstream/weir/codec"
	"github.com/weirstream/weir/flow"
)

type sumCount struct{ Sum, Count int64 }

const benchBatch = 1024

// cpuTime is the time the process has spent on a core, which other processes cannot lengthen as they do the wall's.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// reportCPU reports the CPU time since from per operation.
func reportCPU(b *testing.B, from time.Duration) {
	b.ReportMetric(float64(cpuTime()-from)/float64(b.N), "cpu-ns/op")
}

func benchKeys(n, distinct int) ([]int64, []uint64) {
	r := rand.New(rand.NewPCG(7, 8))
	keys, hashes := make([]int64, n), make([]uint64, n)
	for i := range keys {
		keys[i] = int64(r.IntN(distinct)) * 7919
		hashes[i] = flow.HashUint64(uint64(keys[i]))
	}
	return keys, hashes
}

func fillSums(t Table[int64, sumCount], distinct int) {
	for i := range distinct {
		k := int64(i) * 7919
		v, _ := t.Upsert(flow.HashUint64(uint64(k)), &k)
		v.Count = 1
	}
}

func mustKey[K comparable](tb testing.TB) codec.Key[K] {
	k, err := codec.KeyFor[K]()
	if err != nil {
		tb.Fatal(err)
	}
	return k
}

func mustCodec[T any](tb testing.TB) flow.Codec[T] {
	c, err := codec.For[T]()
	if err != nil {
		tb.Fatal(err)
	}
	return c
}

// BenchmarkUpsertBatch is one update of {sum, count} by batches of 1,024 int64 keys, hashing included.
func BenchmarkUpsertBatch(b *testing.B) {
	for _, distinct := range []int{1e3, 1e5, 1e6, 1e7} {
		for _, kind := range []string{"table", "keyed128", "gomap"} {
			if distinct == 1e7 && testing.Short() {
				continue
			}
			b.Run(fmt.Sprintf("%s/%d", kind, distinct), func(b *testing.B) {
				keys, _ := benchKeys(1<<20, distinct)
				if kind == "gomap" {
					m := make(map[int64]sumCount)
					for i := range distinct {
						m[int64(i)*7919] = sumCount{}
					}
					b.ReportAllocs()
					b.ResetTimer()
					defer reportCPU(b, cpuTime())
					for i := range b.N {
						k := keys[i&(1<<20-1)]
						v := m[k]
						v.Sum += k
						v.Count++
						m[k] = v
					}
					return
				}
				t := NewTable(mustKey[int64](b), mustCodec[sumCount](b))
				if kind != "table" {
					t = NewKeyedTable(mustKey[int64](b), mustCodec[sumCount](b), flow.KeyGroupRange{From: 0, To: 128}, 128).Table
				}
				fillSums(t, distinct)
				hashAll := mustKey[int64](b).HashAll
				out, hashes := make([]*sumCount, benchBatch), make([]uint64, benchBatch)
				b.ReportAllocs()
				b.ResetTimer()
				start := cpuTime()
				for i := 0; i < b.N; i += benchBatch {
					at := i & (1<<20 - 1)
					ks := keys[at : at+benchBatch]
					hashAll(ks, hashes)
					t.UpsertBatch(hashes, ks, out)
					for j, v := range out {
						v.Sum += ks[j]
						v.Count++
					}
				}
				b.StopTimer()
				reportCPU(b, start)
				if distinct == 1e7 {
					runtime.GC()
					t0 := cpuTime()
					runtime.GC()
					b.ReportMetric(float64((cpuTime()-t0).Microseconds())/1e3, "gc-cpu-ms")
					b.ReportMetric(float64(t.Bytes())/1e7, "B/key")
				}
			})
		}
	}
}

func BenchmarkUpsert(b *testing.B) {
	for _, distinct := range []int{1e3, 1e5, 1e6} {
		b.Run(fmt.Sprint(distinct), func(b *testing.B) {
			keys, hashes := benchKeys(1<<20, distinct)
			t := NewTable(mustKey[int64](b), mustCodec[sumCount](b))
			fillSums(t, distinct)
			b.ReportAllocs()
			b.ResetTimer()
			for i := range b.N {
				i &= 1<<20 - 1
				v, _ := t.Upsert(hashes[i], &keys[i])
				v.Count++
			}
		})
	}
}

// BenchmarkInsert fills a table with new keys, one by one.
func BenchmarkInsert(b *testing.B) {
	t := NewTable(mustKey[int64](b), mustCodec[sumCount](b))
	b.ReportAllocs()
	b.ResetTimer()
	for i := range b.N {
		k := int64(i)
		v, _ := t.Upsert(flow.HashUint64(uint64(k)), &k)
		v.Count++
	}
}

// BenchmarkFreeze freezes and writes a million keys of 128 key groups.
func BenchmarkFreeze(b *testing.B) {
	t := NewTable(mustKey[int64](b), mustCodec[sumCount](b))
	fillSums(t, 1e6)
	b.Run("freeze", func(b *testing.B) {
		for b.Loop() {
			t.Freeze(128).Release()
		}
	})
	b.Run("write", func(b *testing.B) {
		for b.Loop() {
			var s Snapshot
			f := t.Freeze(128)
			s.Add(func(w *SnapshotWriter) error { return f.Write(w, Section{Kind: Keyed}) })
			if _, _, err := s.WriteFile(io.Discard); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("pause", func(b *testing.B) { // batches over all keys while frozen
		keys, hashes := benchKeys(1<<20, 1e6)
		out := make([]*sumCount, benchBatch)
		var worst time.Duration
		for b.Loop() {
			f := t.Freeze(128)
			for at := 0; at < 1<<20; at += benchBatch {
				t0 := time.Now()
				t.UpsertBatch(hashes[at:at+benchBatch], keys[at:at+benchBatch], out)
				worst = max(worst, time.Since(t0))
			}
			f.Release()
		}
		b.ReportMetric(float64(worst.Microseconds()), "worst-µs")
	})
}
