package flow

import (
	"encoding/binary"
	"fmt"
	"math/bits"
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
	return (h ^ h>>32) * mulB
}

// HashString hashes a string key.
func HashString(s string) uint64 {
	h := uint64(len(s)) * mulA
	for len(s) >= 8 {
		hi, lo := bits.Mul64(load64(s)^h^mulC, mulA)
		h = hi ^ lo
		s = s[8:]
	}
	if len(s) > 0 {
		var tail uint64
		for i := range len(s) {
			tail |= uint64(s[i]) << (8 * i)
		}
		hi, lo := bits.Mul64(tail^h^mulB, mulA)
		h = hi ^ lo
	}
	h = (h ^ h>>32) * mulB
	return h ^ h>>29
}

// HashBytes hashes the encoded form of a key; HashBytes(b) == HashString(string(b)).
func HashBytes(b []byte) uint64 {
	h := uint64(len(b)) * mulA
	for len(b) >= 8 {
		hi, lo := bits.Mul64(binary.LittleEndian.Uint64(b)^h^mulC, mulA)
		h = hi ^ lo
		b = b[8:]
	}
	if len(b) > 0 {
		var tail uint64
		for i, c := range b {
			tail |= uint64(c) << (8 * i)
		}
		hi, lo := bits.Mul64(tail^h^mulB, mulA)
		h = hi ^ lo
	}
	h = (h ^ h>>32) * mulB
	return h ^ h>>29
}

func load64(s string) uint64 {
	_ = s[7]
	return uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
		uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
}
