package state

import (
	"fmt"
	"reflect"

	"github.com/weirstream/weir/codec"
	"github.com/weirstream/weir/flow"
)

// Option changes how a state is kept.
type Option func(*options)

type options struct {
	life  lifetime
	codec any // a flow.Codec[T]
	err   error
}

// WithTTL lets the state expire.
func WithTTL(t TTL) Option {
	return func(o *options) {
		var err error
		if o.life, err = t.lifetime(); err != nil {
			o.err = err
		}
	}
}

// WithCodec has the state's values (the elements of a list, the values of a map, the accumulators of an aggregating
// state) written by c instead of the compiled codec of their type.
func WithCodec[T any](c flow.Codec[T]) Option {
	return func(o *options) { o.codec = c }
}

func apply(opts []Option) options {
	var o options
	for _, f := range opts {
		f(&o)
	}
	return o
}

// codecFor is the codec that was chosen for T.
func codecFor[T any](o options) (flow.Codec[T], error) {
	if o.err != nil {
		return noCodec[T]{}, o.err
	}
	if o.codec == nil {
		c, err := codec.For[T]()
		if err != nil {
			return noCodec[T]{}, err
		}
		return c, nil
	}
	c, ok := o.codec.(flow.Codec[T])
	if !ok {
		return noCodec[T]{}, fmt.Errorf("its codec is a %T, which is not for values of type %v", o.codec, reflect.TypeFor[T]())
	}
	return c, nil
}

// noCodec stands in where there was an error, so that handles can be made all the same; nothing is ever written by it.
type noCodec[T any] struct{}

func (noCodec[T]) Append(buf []byte, _ *T) ([]byte, error) { return buf, errNoCodec[T]() }
func (noCodec[T]) Read(buf []byte, _ *T) ([]byte, error)   { return buf, errNoCodec[T]() }
func (noCodec[T]) Fingerprint() string                     { return "none" }

func errNoCodec[T any]() error { return fmt.Errorf("there is no codec for %v", reflect.TypeFor[T]()) }
