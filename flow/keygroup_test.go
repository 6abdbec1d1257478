package flow

import (
	"fmt"
	"math"
	"math/bits"
	"math/rand/v2"
	"strconv"
	"testing"
)

// The hashes in these tables are on disk. A test that fails here says that old state would not be found again (I4).

func TestHashUint64Frozen(t *testing.T) {
	minusOne := int64(-1)
	for _, c := range []struct{ key, hash uint64 }{
		{0, 0x1be7b7ec14a76667},
		{1, 0xaa8a9d080f382720},
		{2, 0x97a1de0910628337},
		{42, 0x449b5bf8f9592c59},
		{1 << 32, 0xa1833d16e6f0b2fd},
		{math.MaxInt64, 0x81658c1d7ddd18a5},
		{uint64(minusOne), 0xe61bc1ef9113cded},
	} {
		if got := HashUint64(c.key); got != c.hash {
			t.Errorf("HashUint64(%d) = %#016x, frozen as %#016x", c.key, got, c.hash)
		}
	}
}

func TestHashStringFrozen(t *testing.T) {
	for _, c := range []struct {
		key  string
		hash uint64
	}{
		{"", 0},
		{"a", 0xffa0ca118225e856},
		{"ab", 0x3d564543a1beec2a},
		{"abc", 0x84d0e0525eee17dc},
		{"user", 0xec8bc0689f91a487},
		{"user-1", 0x6025daffa7f899e8},
		{"user-12", 0xae13d0e9f369b2d4},
		{"user-123", 0xc0f99b715d0630b6},
		{"user-1234", 0x72fb287f67be366b},
		{"a\x00", 0x21c69b278725bc78},
		{"golang/go/issues/12345", 0x2785032dc4d00f7c},
		{"Größe", 0x9c4d4c1cfc21c728},
	} {
		if got := HashString(c.key); got != c.hash {
			t.Errorf("HashString(%q) = %#016x, frozen as %#016x", c.key, got, c.hash)
		}
		if got := HashBytes([]byte(c.key)); got != c.hash {
			t.Errorf("HashBytes(%q) = %#016x, frozen as %#016x", c.key, got, c.hash)
		}
	}
}

func TestKeyGroupFrozen(t *testing.T) {
	for _, c := range []struct {
		hash       uint64
		max, group int
	}{
		{0, 128, 0},
		{math.MaxUint64, 128, 127},
		{math.MaxUint64, MaxKeyGroups, MaxKeyGroups - 1},
		{1 << 63, 128, 64},
		{1<<63 - 1, 128, 63},
		{0xffffffff, 128, 0}, // the lower half belongs to tables
		{HashUint64(1), 128, 85},
		{HashUint64(2), 128, 75},
		{HashUint64(42), 1000, 267},
		{HashString("user-123"), 128, 96},
		{HashString("user-123"), MaxKeyGroups, 24700},
	} {
		if got := KeyGroup(c.hash, c.max); got != c.group {
			t.Errorf("KeyGroup(%#x, %d) = %d, frozen as %d", c.hash, c.max, got, c.group)
		}
	}
}

func TestRangeFrozen(t *testing.T) {
	for _, c := range []struct {
		index, parallelism, max int
		want                    string
	}{
		{0, 1, 128, "[0,128)"},
		{0, 3, 128, "[0,43)"},
		{1, 3, 128, "[43,86)"},
		{2, 3, 128, "[86,128)"},
		{127, 128, 128, "[127,128)"},
		{6, 7, 10, "[9,10)"},
	} {
		if got := Range(c.index, c.parallelism, c.max).String(); got != c.want {
			t.Errorf("Range(%d, %d, %d) = %v, frozen as %v", c.index, c.parallelism, c.max, got, c.want)
		}
	}
}

// Every key group is in the Range of exactly one subtask, the one that SubtaskOf says, and the ranges are of even length.
func TestRangeCoversAllGroupsOnce(t *testing.T) {
	check := func(parallelism, max int) {
		next := 0
		for index := range parallelism {
			r := Range(index, parallelism, max)
			if r.From != next || r.Len() < max/parallelism || r.Len() > max/parallelism+1 {
				t.Fatalf("Range(%d, %d, %d) = %v after %d", index, parallelism, max, r, next)
			}
			for g := r.From; g < r.To; g++ {
				if got := SubtaskOf(g, parallelism, max); got != index {
					t.Fatalf("SubtaskOf(%d, %d, %d) = %d, but it is in the range %v of %d", g, parallelism, max, got, r, index)
				}
			}
			if r.Contains(r.From-1) || r.Contains(r.To) || !r.Contains(r.From) || !r.Contains(r.To-1) {
				t.Fatalf("Contains of %v disagrees with its ends", r)
			}
			next = r.To
		}
		if next != max {
			t.Fatalf("parallelism %d covers [0,%d) of %d groups", parallelism, next, max)
		}
	}
	for max := 1; max <= 130; max++ {
		for parallelism := 1; parallelism <= max; parallelism++ {
			check(parallelism, max)
		}
	}
	for _, parallelism := range []int{1, 2, 3, 7, 100, 1000, 32767, MaxKeyGroups} {
		check(parallelism, MaxKeyGroups)
	}
}

func TestHashBytesIsHashString(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for n := range 80 {
		b := make([]byte, n+1) // one longer: nothing beyond the end may be read
		for range 20 {
			for i := range b {
				b[i] = byte(random.Uint32())
			}
			want := wordByWord(b[:n])
			if s, h := HashString(string(b[:n])), HashBytes(b[:n]); s != want || h != want {
				t.Fatalf("HashString %#x, HashBytes %#x, want %#x for % x", s, h, want, b[:n])
			}
		}
	}
}

// wordByWord is HashString said plainly.
func wordByWord(b []byte) uint64 {
	fold := func(x uint64) uint64 { hi, lo := bits.Mul64(x, 0x9e3779b97f4a7c15); return hi ^ lo }
	h := uint64(len(b)) * 0x9e3779b97f4a7c15
	for len(b) > 0 {
		var word uint64
		n := min(8, len(b))
		for i := range n {
			word |= uint64(b[i]) << (8 * i)
		}
		if n == 8 {
			h = fold(word ^ h ^ 0xa0761d6478bd642f)
		} else {
			h = fold(word ^ h ^ 0xd6e8feb86659fd93)
		}
		b = b[n:]
	}
	h = (h ^ h>>32) * 0xd6e8feb86659fd93
	return h ^ h>>29
}

// keySets are keys as people have them.
func keySets() map[string]func(i int) uint64 {
	random := rand.New(rand.NewPCG(3, 4))
	return map[string]func(i int) uint64{
		"sequential":   func(i int) uint64 { return HashUint64(uint64(i)) },
		"negative":     func(i int) uint64 { return HashUint64(uint64(-i)) },
		"times 1000":   func(i int) uint64 { return HashUint64(uint64(i) * 1000) },
		"times 2^16":   func(i int) uint64 { return HashUint64(uint64(i) << 16) },
		"times 2^32":   func(i int) uint64 { return HashUint64(uint64(i) << 32) },
		"upper bits":   func(i int) uint64 { return HashUint64(bits.Reverse64(uint64(i))) },
		"minutes":      func(i int) uint64 { return HashUint64(1_700_000_000_000 + 60_000*uint64(i)) },
		"random":       func(i int) uint64 { return HashUint64(random.Uint64()) },
		"user-i":       func(i int) uint64 { return HashString("user-" + strconv.Itoa(i)) },
		"decimal":      func(i int) uint64 { return HashString(strconv.Itoa(i)) },
		"hex 32":       func(i int) uint64 { return HashString(fmt.Sprintf("%032x", i)) },
		"two integers": func(i int) uint64 { return HashBytes([]byte{15: byte(i >> 8), 0: byte(i), 4: byte(i >> 16)}) },
	}
}

// For every kind of keys the hashes fall evenly: over key groups, over the upper and lower bits, and over the lower bits
// of the keys of one key group, which is what a table sees. The bounds are on chi² divided by its degrees of freedom,
// which is near 1 for a random function; a function that is worse than random is above.
func TestHashesAreBalanced(t *testing.T) {
	const n = 1 << 17
	for name, hash := range keySets() {
		hashes := make([]uint64, n)
		for i := range hashes {
			hashes[i] = hash(i)
		}
		var group []uint64
		for _, h := range hashes {
			if KeyGroup(h, 128) == 77 {
				group = append(group, h)
			}
		}
		for _, c := range []struct {
			what    string
			hashes  []uint64
			buckets int
			pick    func(h uint64) int
		}{
			{"128 key groups", hashes, 128, func(h uint64) int { return KeyGroup(h, 128) }},
			{"1000 key groups", hashes, 1000, func(h uint64) int { return KeyGroup(h, 1000) }},
			{"32768 key groups", hashes, MaxKeyGroups, func(h uint64) int { return KeyGroup(h, MaxKeyGroups) }},
			{"lower 16 bits", hashes, 1 << 16, func(h uint64) int { return int(h & 0xffff) }},
			{"upper 16 bits", hashes, 1 << 16, func(h uint64) int { return int(h >> 48) }},
			{"lower 7 bits", hashes, 1 << 7, func(h uint64) int { return int(h & 0x7f) }},
			{"lower 6 bits within a key group", group, 1 << 6, func(h uint64) int { return int(h & 0x3f) }},
		} {
			counts := make([]float64, c.buckets)
			for _, h := range c.hashes {
				counts[c.pick(h)]++
			}
			mean, chi, most := float64(len(c.hashes))/float64(c.buckets), 0.0, 0.0
			for _, k := range counts {
				chi += (k - mean) * (k - mean) / mean
				most = max(most, k)
			}
			freedom := float64(c.buckets - 1)
			if chi/freedom > 1+5*math.Sqrt(2/freedom) {
				t.Errorf("%s over %s: chi²/%v = %.3f", name, c.what, freedom, chi/freedom)
			}
			if most > mean+7*math.Sqrt(mean)+7 {
				t.Errorf("%s over %s: %v in one bucket, %v on average", name, c.what, most, mean)
			}
		}
	}
}

// Each bit of a key changes each bit of its hash half of the time.
func TestHashesAvalanche(t *testing.T) {
	const trials = 2000
	random := rand.New(rand.NewPCG(5, 6))
	check := func(name string, bit int, differ func() uint64) {
		var flips [64]int
		for range trials {
			d := differ()
			for j := range flips {
				flips[j] += int(d >> j & 1)
			}
		}
		for j, n := range flips {
			if rate := float64(n) / trials; rate < 0.4 || rate > 0.6 {
				t.Errorf("%s: bit %d changes bit %d of the hash with probability %.3f", name, bit, j, rate)
			}
		}
	}
	for bit := range 64 {
		check("HashUint64", bit, func() uint64 { x := random.Uint64(); return HashUint64(x) ^ HashUint64(x^1<<bit) })
	}
	for _, n := range []int{5, 8, 13, 24} {
		b := make([]byte, n)
		for bit := range 8 * n {
			check(fmt.Sprintf("HashBytes of %d", n), bit, func() uint64 {
				for i := range b {
					b[i] = byte(random.Uint32())
				}
				h := HashBytes(b)
				b[bit/8] ^= 1 << (bit % 8)
				return h ^ HashBytes(b)
			})
		}
	}
}

var hashSink uint64

func BenchmarkHashUint64(b *testing.B) {
	b.ReportAllocs()
	for i := range b.N {
		hashSink += HashUint64(uint64(i))
	}
}

func BenchmarkHashString(b *testing.B) {
	for _, s := range []string{"user", "user-1234567", "golang/go/issues/12345"} {
		b.Run(strconv.Itoa(len(s)), func(b *testing.B) {
			b.ReportAllocs()
			for range b.N {
				hashSink += HashString(s)
			}
		})
	}
}
