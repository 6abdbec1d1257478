package codec_test

import (
	"fmt"

	"github.com/weirstream/weir/codec"
	"github.com/weirstream/weir/flow"
)

type Star struct {
	Repo string
	N    int64
}

func ExampleFor() {
	c, err := codec.For[Star]()
	if err != nil {
		fmt.Println(err)
		return
	}
	buf, err := c.Append(nil, &Star{"golang/go", 3})
	if err != nil {
		fmt.Println(err)
		return
	}
	var s Star
	rest, err := c.Read(buf, &s)
	fmt.Println(c.Fingerprint())
	fmt.Println(len(buf), s, len(rest), err)
	// Output:
	// w1:struct{Repo string;N int64}
	// 18 {golang/go 3} 0 <nil>
}

func ExampleFor_refused() {
	type Order struct {
		ID       int64
		Callback func()
	}
	_, err := codec.For[Order]()
	fmt.Println(err)
	// Output:
	// codec: Order.Callback: func() cannot be stored; leave the field out of the record, or give the step a codec of your own, or one from codec.Msgpack
}

func ExampleMustFor() {
	c := codec.MustFor[map[string]bool]()
	buf, err := c.Append(nil, &map[string]bool{"b": true, "a": false})
	fmt.Printf("%q %v\n", buf, err)
	// Output:
	// "\x03\x01a\x00\x01b\x01" <nil>
}

func ExampleMsgpack() {
	c := codec.Msgpack[map[string]any]()
	buf, err := c.Append(nil, &map[string]any{"repo": "golang/go", "n": 3})
	if err != nil {
		fmt.Println(err)
		return
	}
	var m map[string]any
	_, err = c.Read(buf, &m)
	fmt.Println(c.Fingerprint(), m, err)
	// Output:
	// m1:map[string]interface {} map[n:3 repo:golang/go] <nil>
}

func ExampleKeyFor() {
	k, err := codec.KeyFor[Star]()
	if err != nil {
		fmt.Println(err)
		return
	}
	a, b := Star{"golang/go", 1}, Star{"golang/go", 2}
	fmt.Println(flow.KeyGroup(k.Hash(&a), 128), flow.KeyGroup(k.Hash(&b), 128), k.Compare(&a, &b), k.Inline)

	_, err = codec.KeyFor[*Star]()
	fmt.Println(err)
	// Output:
	// 10 16 -1 false
	// codec: *codec_test.Star: *codec_test.Star cannot be part of a key: equal keys must have equal bytes in every process; use integers, strings, or structs and arrays of them
}

func ExampleShareable() {
	fmt.Println(codec.Shareable[Star](), codec.Shareable[[]Star](), codec.Shareable[struct{ Star *Star }]())
	// Output: true false false
}

func ExamplePointerFree() {
	fmt.Println(codec.PointerFree[struct{ Sum, Count int64 }](), codec.PointerFree[Star]())
	// Output: true false
}
