package flow

import (
	"fmt"
	"math/bits"
	"unsafe"
)

// DefaultMaxParallelism is the number of key groups of an operator that does not say otherwise.
const DefaultMaxParallelism = 128

// MaxKeyGroups bounds MaxParallelism.
const MaxKeyGroups = 1 << 15

// KeyGroup maps the hash of a key to one of max key groups. It uses the upper half of the hash; tables use the lower.
func KeyGroup(hash uint64, max int) int {
	return int((hash >> 32) * uint64(max) >> 32)
}

// KeyGroupRange is the key groups From ≤ g < To of one subtask.
type KeyGroupRange struct{ From, To int }

// Range is the key groups of subtask index among parallelism subtasks: contiguous, complete, and never empty while
// parallelism ≤ max.
func Range(index, parallelism, max int) KeyGroupRange {
	return KeyGroupRange{From: (index*max + parallelism - 1) / parallelism, To: ((index+1)*max + parallelism - 1) / parallelism}
}

// SubtaskOf is the subtask whose Range has key group g.
func SubtaskOf(g, parallelism, max int) int { return g * parallelism / max }

// Len is the number of key groups in r.
func (r KeyGroupRange) Len() int { return r.To - r.From }

// Contains reports whether g is in r.
func (r KeyGroupRange) Contains(g int) bool { return g >= r.From && g < r.To }

func (r KeyGroupRange) String() string { return fmt.Sprintf("[%d,%d)", r.From, r.To) }

const (
	mulA = 0x9e3779b97f4a7c15
	mulB = 0xd6e8feb86659fd93
	mulC = 0xa0761d6478bd642f
)

// HashUint64 hashes an integer key of any width, widened to 64 bits.
func HashUint64(k uint64) uint64 {
	hi, lo := bits.Mul64(k^mulC, mulA)
	h := hi ^ lo
	h = (h ^ h>>32) * mulB
	return h ^ h>>29
}

// HashString hashes a string key: eight bytes at a time, and what is left as one word with zeroes above it. The length is
// part of the hash.
func HashString(s string) uint64 {
	h := uint64(len(s)) * mulA
	last := s
	for len(s) >= 8 {
		hi, lo := bits.Mul64(load64(s)^h^mulC, mulA)
		h = hi ^ lo
		s = s[8:]
	}
	if n := len(s); n > 0 {
		var tail uint64
		switch { // the same word each time, with as few loads as can be
		case len(last) >= 8:
			tail = load64(last[len(last)-8:]) >> (64 - 8*n)
		case n >= 4:
			tail = load32(s) | load32(s[n-4:])<<(8*(n-4))
		default:
			tail = uint64(s[0]) | uint64(s[n/2])<<(8*(n/2)) | uint64(s[n-1])<<(8*(n-1))
		}
		hi, lo := bits.Mul64(tail^h^mulB, mulA)
		h = hi ^ lo
	}
	h = (h ^ h>>32) * mulB
	return h ^ h>>29
}

// HashBytes hashes the encoded form of a key; HashBytes(b) == HashString(string(b)).
func HashBytes(b []byte) uint64 { return HashString(unsafe.String(unsafe.SliceData(b), len(b))) }

func load64(s string) uint64 {
	_ = s[7]
	return uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
		uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
}

func load32(s string) uint64 {
	_ = s[3]
	return uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24
}
