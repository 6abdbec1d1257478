package state

import (
	"fmt"
	"unsafe"

	"github.com/weirstream/weir/codec"
	"github.com/weirstream/weir/flow"
)

// keyDirectory is the directory of a KeyedBackend. The pointers it is given are *K: a Scope does not know K.
type keyDirectory[K comparable] struct {
	rows store[K, uint32] // how many states use the key
	key  codec.Key[K]
	from int
	max  int
}

func (d *keyDirectory[K]) find(shard int, hash uint64, k unsafe.Pointer) uint32 {
	return d.rows.find(shard, hash, (*K)(k))
}

func (d *keyDirectory[K]) add(shard int, hash uint64, k unsafe.Pointer) uint32 {
	r, _ := d.rows.add(shard, hash, (*K)(k))
	return r
}

func (d *keyDirectory[K]) use(shard int, r uint32) { *d.rows.write(shard, r)++ }

func (d *keyDirectory[K]) disuse(shard int, r uint32) bool {
	n := d.rows.write(shard, r)
	if *n--; *n > 0 {
		return false
	}
	d.rows.remove(shard, r)
	return true
}

func (d *keyDirectory[K]) tidy(shard int, r uint32) {
	if *d.rows.at(shard, r) == 0 {
		d.rows.remove(shard, r)
	}
}

func (d *keyDirectory[K]) read(shard int, buf []byte) (r uint32, rest []byte, err error) {
	var k K
	rest, err = d.key.Codec.Read(buf, &k)
	if err != nil {
		return none, buf, err
	}
	hash := d.key.Hash(&k)
	if g := flow.KeyGroup(hash, d.max); g != d.from+shard {
		return none, buf, fmt.Errorf("it belongs to key group %d", g)
	}
	if r = d.rows.find(shard, hash, &k); r == none {
		r, _ = d.rows.add(shard, hash, &k)
	}
	return r, rest, nil
}

func (d *keyDirectory[K]) freeze() frozenDirectory { return d.rows.freeze(d.max) }
func (d *keyDirectory[K]) format() string          { return d.key.Codec.Fingerprint() }
func (d *keyDirectory[K]) len() int                { return d.rows.Len() }
func (d *keyDirectory[K]) bytes() int64            { return d.rows.Bytes() }
