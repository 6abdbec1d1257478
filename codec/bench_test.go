package codec

import (
	"testing"

	"github.com/weirstream/weir/flow"
)

func BenchmarkCodec(b *testing.B) {
	b.Run("eight fields", func(b *testing.B) { compare(b, aWide()) })
	b.Run("nested", func(b *testing.B) { compare(b, anOrder()) })
	b.Run("three integers", func(b *testing.B) { compare(b, accumulator{1_000_000, 1000, 5000}) })
	b.Run("hundred integers", func(b *testing.B) { compare(b, make([]int64, 100)) })
	b.Run("map of ten", func(b *testing.B) {
		compare(b, map[string]int64{"a": 1, "b": 2, "c": 3, "d": 4, "e": 5, "f": 6, "g": 7, "h": 8, "i": 9, "j": 10})
	})
}

func compare[T any](b *testing.B, v T) {
	b.Run("compiled", func(b *testing.B) { measure(b, MustFor[T](), v) })
	b.Run("msgpack", func(b *testing.B) { measure(b, Msgpack[T](), v) })
}

func measure[T any](b *testing.B, c flow.Codec[T], v T) {
	buf, err := c.Append(nil, &v)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("append", func(b *testing.B) {
		b.ReportAllocs()
		scratch := make([]byte, 0, 2*len(buf))
		for range b.N {
			if _, err := c.Append(scratch, &v); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(len(buf)), "bytes")
	})
	b.Run("read", func(b *testing.B) {
		b.ReportAllocs()
		var got T
		for range b.N {
			if _, err := c.Read(buf, &got); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkKey(b *testing.B) {
	benchmarkKey(b, "int64", func(i int) int64 { return int64(i) })
	benchmarkKey(b, "string", func(i int) string { return "user-" + string(rune('a'+i%26)) })
	benchmarkKey(b, "composite", func(i int) issue { return issue{"golang/go", i} })
	benchmarkKey(b, "raw", func(i int) point { return point{int32(i), 1} })
}

func benchmarkKey[K comparable](b *testing.B, name string, key func(i int) K) {
	k, err := KeyFor[K]()
	if err != nil {
		b.Fatal(err)
	}
	keys, out := make([]K, 1024), make([]uint64, 1024)
	for i := range keys {
		keys[i] = key(i)
	}
	b.Run(name+"/hash", func(b *testing.B) {
		b.ReportAllocs()
		for i := range b.N {
			out[0] += k.Hash(&keys[i&1023])
		}
	})
	b.Run(name+"/hash all", func(b *testing.B) {
		b.ReportAllocs()
		for n := 0; n < b.N; n += len(keys) {
			k.HashAll(keys, out)
		}
	})
	b.Run(name+"/compare", func(b *testing.B) {
		b.ReportAllocs()
		for i := range b.N {
			out[0] += uint64(k.Compare(&keys[i&1023], &keys[(i+1)&1023]))
		}
	})
}
