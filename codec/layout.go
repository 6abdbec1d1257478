package codec

import (
	"reflect"
	"strings"
	"time"
)

// PointerFree reports whether a T has no pointers in it, so that the garbage collector need not look at it and tables may
// keep it in memory of their own.
func PointerFree[T any]() bool { return pointerFree(reflect.TypeFor[T]()) }

// Shareable reports whether a shallow copy of a T is isolated from later changes to the original: a T has no pointers,
// or only those of strings and other values that never change.
func Shareable[T any]() bool { return shareable(reflect.TypeFor[T]()) }

func pointerFree(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Array:
		return t.Len() == 0 || pointerFree(t.Elem())
	case reflect.Struct:
		return all(t, pointerFree)
	case reflect.String:
		return false
	}
	return isScalar(t)
}

func shareable(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Array:
		return t.Len() == 0 || shareable(t.Elem())
	case reflect.Struct:
		return isTime(t) || isHandle(t) || all(t, shareable)
	case reflect.String:
		return true
	}
	return isScalar(t)
}

// canonical reports whether == on values of t compares what they say and not where they lie.
func canonical(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Array:
		return canonical(t.Elem())
	case reflect.Struct:
		return isHandle(t) || all(t, canonical)
	case reflect.String:
		return true
	}
	return isScalar(t)
}

// isScalar reports whether t is a boolean or a number, uintptr among them.
func isScalar(t reflect.Type) bool { return reflect.Bool <= t.Kind() && t.Kind() <= reflect.Complex128 }

func all(t reflect.Type, is func(reflect.Type) bool) bool {
	for i := range t.NumField() {
		if !is(t.Field(i).Type) {
			return false
		}
	}
	return true
}

// isTime reports whether t is time.Time or defined as it.
func isTime(t reflect.Type) bool {
	return t.Kind() == reflect.Struct && t.ConvertibleTo(reflect.TypeFor[time.Time]())
}

// isHandle reports whether t is a unique.Handle: a pointer that is equal when what it points to is.
func isHandle(t reflect.Type) bool {
	return t.PkgPath() == "unique" && strings.HasPrefix(t.Name(), "Handle[")
}
