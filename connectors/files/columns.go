package files

import (
	"encoding"
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"
)

// column is a field of a struct that is a column of a CSV file.
type column struct {
	name     string
	tagged   bool
	optional bool
	index    []int
	parse    func(f reflect.Value, cell string) error
	append   func(buf []byte, f reflect.Value) ([]byte, error)
}

// columnsOf lists the columns of a struct type.
func columnsOf(t reflect.Type) ([]column, error) {
	if t.Kind() != reflect.Struct {
		return nil, fmt.Errorf("files: records of CSV files are structs, and %v is none", t)
	}
	var columns []column
	seen := map[string]string{}
	for _, f := range reflect.VisibleFields(t) {
		tag, hasTag := f.Tag.Lookup("csv")
		if tag == "-" || f.Anonymous && f.Type.Kind() == reflect.Struct && !hasTag {
			continue // the fields of an embedded struct are listed by themselves
		}
		if !f.IsExported() {
			if hasTag {
				return nil, fmt.Errorf("files: field %s of %v is not exported, so it cannot be a column", f.Name, t)
			}
			continue
		}
		c := column{name: f.Name, index: f.Index}
		name, rest, _ := strings.Cut(tag, ",")
		switch rest {
		case "optional":
			c.optional = true
		case "":
		default:
			return nil, fmt.Errorf("files: field %s of %v has the tag csv:%q; behind the name only \"optional\" is known", f.Name, t, tag)
		}
		if name != "" {
			c.name, c.tagged = name, true
		}
		if other, twice := seen[c.name]; twice {
			return nil, fmt.Errorf("files: fields %s and %s of %v are both column %q", other, f.Name, t, c.name)
		}
		seen[c.name] = f.Name
		if err := c.compile(t, f); err != nil {
			return nil, err
		}
		columns = append(columns, c)
	}
	if len(columns) == 0 {
		return nil, fmt.Errorf("files: %v has no exported fields, so no columns", t)
	}
	return columns, nil
}

// compile finds the functions for the field's type.
func (c *column) compile(t reflect.Type, f reflect.StructField) error {
	for i := range f.Index[:len(f.Index)-1] {
		if t.FieldByIndex(f.Index[:i+1]).Type.Kind() == reflect.Pointer {
			return fmt.Errorf("files: field %s of %v is reached through an embedded pointer; embed the struct itself, or tag the pointer csv:\"-\"", f.Name, t)
		}
	}
	kind := f.Type
	pointer := kind.Kind() == reflect.Pointer && !kind.Implements(textUnmarshaler)
	if pointer {
		kind = kind.Elem()
	}
	parse, write, ok := cellOf(kind)
	if !ok {
		return fmt.Errorf("files: field %s of %v is of type %v, which no cell of a CSV file can hold; give it an UnmarshalText and MarshalText, or tag it csv:\"-\"", f.Name, t, f.Type)
	}
	c.parse, c.append = parse, write
	if pointer {
		c.parse = func(f reflect.Value, cell string) error {
			if cell == "" {
				return nil
			}
			f.Set(reflect.New(kind))
			return parse(f.Elem(), cell)
		}
		c.append = func(buf []byte, f reflect.Value) ([]byte, error) {
			if f.IsNil() {
				return buf, nil
			}
			return write(buf, f.Elem())
		}
	}
	return nil
}

var (
	textUnmarshaler = reflect.TypeFor[encoding.TextUnmarshaler]()
	textMarshaler   = reflect.TypeFor[encoding.TextMarshaler]()
)

type (
	parseCell  = func(f reflect.Value, cell string) error
	appendCell = func(buf []byte, f reflect.Value) ([]byte, error)
)

// cellOf returns how a type is read from a cell and written to one.
func cellOf(t reflect.Type) (parseCell, appendCell, bool) {
	if p := reflect.PointerTo(t); p.Implements(textUnmarshaler) && p.Implements(textMarshaler) {
		return parseText, appendText, true
	}
	switch t.Kind() {
	case reflect.String:
		return func(f reflect.Value, cell string) error { f.SetString(cell); return nil },
			func(buf []byte, f reflect.Value) ([]byte, error) { return append(buf, f.String()...), nil }, true
	case reflect.Bool:
		return parseBool, func(buf []byte, f reflect.Value) ([]byte, error) { return strconv.AppendBool(buf, f.Bool()), nil }, true
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		bits := t.Bits()
		return func(f reflect.Value, cell string) error {
			n, err := strconv.ParseInt(cell, 10, bits)
			f.SetInt(n)
			return cellError(cell, t, err)
		}, func(buf []byte, f reflect.Value) ([]byte, error) { return strconv.AppendInt(buf, f.Int(), 10), nil }, true
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		bits := t.Bits()
		return func(f reflect.Value, cell string) error {
			n, err := strconv.ParseUint(cell, 10, bits)
			f.SetUint(n)
			return cellError(cell, t, err)
		}, func(buf []byte, f reflect.Value) ([]byte, error) { return strconv.AppendUint(buf, f.Uint(), 10), nil }, true
	case reflect.Float32, reflect.Float64:
		bits := t.Bits()
		return func(f reflect.Value, cell string) error {
				x, err := strconv.ParseFloat(cell, bits)
				f.SetFloat(x)
				return cellError(cell, t, err)
			}, func(buf []byte, f reflect.Value) ([]byte, error) {
				return strconv.AppendFloat(buf, f.Float(), 'g', -1, bits), nil
			}, true
	}
	return nil, nil, false
}

func parseBool(f reflect.Value, cell string) error {
	b, err := strconv.ParseBool(cell)
	f.SetBool(b)
	return cellError(cell, f.Type(), err)
}

func parseText(f reflect.Value, cell string) error {
	return cellError(cell, f.Type(), f.Addr().Interface().(encoding.TextUnmarshaler).UnmarshalText([]byte(cell)))
}

func appendText(buf []byte, f reflect.Value) ([]byte, error) {
	text, err := f.Addr().Interface().(encoding.TextMarshaler).MarshalText()
	return append(buf, text...), err
}

func cellError(cell string, t reflect.Type, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, strconv.ErrRange):
		return fmt.Errorf("%.100q does not fit %v", cell, t)
	}
	return fmt.Errorf("%.100q is no %v", cell, t)
}
