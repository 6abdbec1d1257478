package codec

import (
	"reflect"
	"strings"
	"unsafe"
)

// op says how a step is done; the frequent ones need no call.
type op uint8

const (
	opCall op = iota // whatever step.plan does
	opWord           // 8 raw bytes
	opRun            // step.n raw bytes: neighbouring fields without padding between them
	opString
)

// step stores one field of a struct, or several neighbours.
type step struct {
	op   op
	off  uintptr // in the struct
	n    uintptr // of opWord and opRun, in bytes
	plan *plan
	path string
}

// structPlan stores the fields in order, those of structs within in their place.
func (c *compiler) structPlan(t reflect.Type, path string) (*plan, error) {
	p := &plan{size: t.Size()}
	var format strings.Builder
	for i := range t.NumField() {
		f := t.Field(i)
		if f.Name == "_" {
			continue
		}
		fp, err := c.plan(f.Type, path+"."+f.Name)
		if err != nil {
			return nil, err
		}
		if format.Len() > 0 {
			format.WriteByte(';')
		}
		format.WriteString(f.Name + " " + fp.format)
		p.min += fp.min
		p.steps = join(p.steps, fieldSteps(fp, f.Offset, path+"."+f.Name))
	}
	p.format = "struct{" + format.String() + "}"
	if p.min == 0 && p.size > 0 { // nothing but _: one byte, so that I3 holds
		return blankPlan(p), nil
	}
	if p.min == 0 || len(p.steps) == 1 && p.steps[0].n == p.size {
		steps, raw := p.steps, rawPlan(p.size, p.format)
		raw.steps = steps
		return raw, nil
	}
	for i, s := range p.steps {
		if s.op == opRun && s.n == 8 {
			p.steps[i].op = opWord
		}
	}
	steps := p.steps
	p.append = func(buf []byte, v unsafe.Pointer) ([]byte, error) { return appendSteps(steps, buf, v) }
	p.read = func(buf []byte, v unsafe.Pointer) ([]byte, error) { return readSteps(steps, buf, v) }
	return p, nil
}

// fieldSteps are the steps of a field at off.
func fieldSteps(p *plan, off uintptr, path string) []step {
	switch {
	case p.raw && p.size == 0:
		return nil
	case p.raw:
		return []step{{op: opRun, off: off, n: p.size, path: path}}
	case p.format == "string":
		return []step{{op: opString, off: off, path: path}}
	case p.steps == nil:
		return []step{{op: opCall, off: off, plan: p, path: path}}
	}
	steps := make([]step, len(p.steps))
	for i, s := range p.steps {
		s.off += off
		if s.op == opWord {
			s.op = opRun
		}
		steps[i] = s
	}
	return steps
}

// join appends b to a; a raw step that begins where one ends in memory becomes part of it.
func join(a, b []step) []step {
	for _, s := range b {
		if last := len(a) - 1; last >= 0 && s.op == opRun && a[last].op == opRun && a[last].off+a[last].n == s.off {
			a[last].n += s.n
			continue
		}
		a = append(a, s)
	}
	return a
}

func appendSteps(steps []step, buf []byte, p unsafe.Pointer) ([]byte, error) {
	for i := range steps {
		s := &steps[i]
		f := unsafe.Add(p, s.off)
		switch s.op {
		case opWord:
			buf = appendWord(buf, f)
		case opRun:
			buf = append(buf, unsafe.Slice((*byte)(f), s.n)...)
		case opString:
			buf = appendString(buf, *(*string)(f))
		default:
			var err error
			if buf, err = s.plan.append(buf, f); err != nil {
				return nil, at(s.path, err)
			}
		}
	}
	return buf, nil
}

func readSteps(steps []step, buf []byte, p unsafe.Pointer) ([]byte, error) {
	for i := range steps {
		s := &steps[i]
		f := unsafe.Add(p, s.off)
		switch s.op {
		case opWord:
			if len(buf) < 8 {
				return nil, at(s.path, short(8, buf))
			}
			readWord(buf, f)
			buf = buf[8:]
		case opRun:
			if uintptr(len(buf)) < s.n {
				return nil, at(s.path, short(s.n, buf))
			}
			copy(unsafe.Slice((*byte)(f), s.n), buf)
			buf = buf[s.n:]
		case opString:
			rest, err := readString(buf, f)
			if err != nil {
				return nil, at(s.path, err)
			}
			buf = rest
		default:
			rest, err := s.plan.read(buf, f)
			if err != nil {
				return nil, at(s.path, err)
			}
			buf = rest
		}
	}
	return buf, nil
}

// blankPlan stores a struct that has only fields named _.
func blankPlan(p *plan) *plan {
	p.min, p.format = 1, "struct{_}"
	p.append = func(buf []byte, _ unsafe.Pointer) ([]byte, error) { return append(buf, 0), nil }
	p.read = func(buf []byte, _ unsafe.Pointer) ([]byte, error) {
		if len(buf) == 0 || buf[0] != 0 {
			return nil, damaged("0 expected")
		}
		return buf[1:], nil
	}
	return p
}
