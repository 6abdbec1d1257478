package state

import "math/bits"

// none is no row.
const none = ^uint32(0)

// bitset has one bit per row.
type bitset []uint64

func (s bitset) has(r uint32) bool {
	i := int(r >> 6)
	return i < len(s) && s[i]>>(r&63)&1 != 0
}

func (s *bitset) set(r uint32) {
	for int(r>>6) >= len(*s) {
		*s = append(*s, 0)
	}
	(*s)[r>>6] |= 1 << (r & 63)
}

func (s bitset) unset(r uint32) { s[r>>6] &^= 1 << (r & 63) }

// next is the first set bit from r on, or none. It looks at no more than budget words and returns what is left of it;
// when the budget is used up, r is where to go on.
func (s bitset) next(r uint32, budget int) (at uint32, left int) {
	for i := int(r >> 6); i < len(s); i++ {
		w := s[i]
		if i == int(r>>6) {
			w = w >> (r & 63) << (r & 63)
		}
		if w != 0 {
			return uint32(i<<6 + bits.TrailingZeros64(w)), budget
		}
		if budget--; budget <= 0 {
			return uint32((i + 1) << 6), 0
		}
	}
	return none, budget
}

// all calls visit for every set bit in order until it returns false.
func (s bitset) all(visit func(r uint32) bool) {
	for i, w := range s {
		for ; w != 0; w &= w - 1 {
			if !visit(uint32(i<<6 + bits.TrailingZeros64(w))) {
				return
			}
		}
	}
}

// keptBlocks bounds the memory that a pool keeps when its last row is released.
const keptBlocks = 16

// pool hands out rows and takes them back. A row keeps its number and its place while it lives (the rows of a small
// first block are moved once or twice as it grows).
type pool[E any] struct {
	blocks[E]
	live  bitset
	free  []uint32 // released rows, taken again last first
	end   uint32   // rows ≥ end were never handed out
	n     int
	noPtr bool // E holds no pointers
}

// take returns a zero row.
func (p *pool[E]) take() (uint32, *E) {
	var r uint32
	if n := len(p.free); n > 0 {
		r = p.free[n-1]
		p.free = p.free[:n-1]
	} else {
		r = p.end
		if r == none-1 {
			panic(errTooManyRows)
		}
		p.extend(r)
		p.end++
	}
	e := p.write(r)
	*e = *new(E)
	p.live.set(r)
	p.n++
	return r, e
}

// release takes row r back.
func (p *pool[E]) release(r uint32) {
	if !p.noPtr {
		*p.write(r) = *new(E)
	}
	p.live.unset(r)
	p.n--
	if p.n == 0 {
		p.free, p.end = p.free[:0], 0
		if len(p.base) > keptBlocks {
			p.drop()
			p.free, p.live = nil, nil
		}
		return
	}
	p.free = append(p.free, r)
}

// reset releases all rows at once and keeps their memory, unless a Frozen holds it.
func (p *pool[E]) reset() {
	if p.cow() {
		p.drop()
	} else if !p.noPtr {
		p.clearAll()
	}
	p.free, p.end, p.n = p.free[:0], 0, 0
	clear(p.live)
}

func (p *pool[E]) bytes() int64 {
	return p.blocks.bytes() + int64(cap(p.live))*8 + int64(cap(p.free))*4
}

// freezeRows returns the rows as they are now.
func (p *pool[E]) freezeRows() frozenPool[E] {
	return frozenPool[E]{frozenBlocks: p.freeze(), live: append(bitset(nil), p.live...), n: p.n}
}

type frozenPool[E any] struct {
	frozenBlocks[E]
	live bitset
	n    int
}
