package state

import (
	"fmt"
	"reflect"
	"unsafe"

	"github.com/weirstream/weir/codec"
)

// keyForm knows how the keys of a table are stored: inline in the row, or in the arena. Strings are stored there as they
// are, so that comparing and handing them out need no decoding; all other keys in their codec's form, which is equal for
// equal keys only (codec.Key).
type keyForm[K comparable] struct {
	codec.Key[K]
	plain bool // K is a string
}

func newKeyForm[K comparable](key codec.Key[K]) *keyForm[K] {
	return &keyForm[K]{Key: key, plain: reflect.TypeFor[K]().Kind() == reflect.String}
}

func (f *keyForm[K]) hash(k *K) uint64 { return f.Key.Hash(k) }

// arenaForm is the bytes of k in the arena: its own, or written behind buf.
func (f *keyForm[K]) arenaForm(buf []byte, k *K) (enc, longer []byte) {
	if f.plain {
		s := *(*string)(unsafe.Pointer(k))
		return unsafe.Slice(unsafe.StringData(s), len(s)), buf
	}
	at := len(buf)
	buf, err := f.Codec.Append(buf, k)
	if err != nil {
		panic(fmt.Errorf("state: a key cannot be encoded: %w", err))
	}
	return buf[at:], buf
}

// read sets *k from its form in the arena, whose memory it shares.
func (f *keyForm[K]) read(b []byte, k *K) {
	if f.plain {
		*(*string)(unsafe.Pointer(k)) = unsafe.String(unsafe.SliceData(b), len(b))
		return
	}
	if _, err := f.Codec.Read(b, k); err != nil {
		panic(fmt.Errorf("state: a key that was stored cannot be read: %w", err))
	}
}

// inlineKey and arenaKey see a row's key as what it is: K when keys are inline, else a ref.
func inlineKey[K comparable, S any](s *S) *K { return (*K)(unsafe.Pointer(s)) }
func arenaKey[S any](s *S) *ref              { return (*ref)(unsafe.Pointer(s)) }

// same reports whether e is the entry of k, whose form in the arena is enc.
func (t *table[K, S, V]) same(e *row[S, V], k *K, enc []byte) bool {
	if t.arena == nil {
		return *inlineKey[K](&e.key) == *k
	}
	return t.sameBytes(*arenaKey(&e.key), enc)
}

func (t *table[K, S, V]) sameBytes(r ref, enc []byte) bool {
	return r.len() == len(enc) && string(t.arena.get(r)) == string(enc)
}
