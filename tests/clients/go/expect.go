// What checks say when something is not as it must be.
package main

import (
	"errors"
	"fmt"
	"reflect"
	"strings"

	"github.com/apache/arrow-adbc/go/adbc"
)

// failure is what a check panics with.
type failure string

func fail(format string, arguments ...any) {
	panic(failure("   " + fmt.Sprintf(format, arguments...)))
}

func must[T any](value T, err error) T {
	succeeds(err)
	return value
}

func succeeds(err error) {
	if err != nil {
		fail("%v", err)
	}
}

func equal(found, expected any) {
	if !reflect.DeepEqual(found, expected) {
		fail("found %#v, expected %#v", found, expected)
	}
}

func isTrue(holds bool, format string, arguments ...any) {
	if !holds {
		fail(format, arguments...)
	}
}

// refused checks an error of the driver: its status, and that its message says something.
func refused(err error, code adbc.Status, says string) {
	var found adbc.Error
	switch {
	case err == nil:
		fail("it was not refused; expected %v", code)
	case !errors.As(err, &found):
		fail("an error of another kind: %T %v", err, err)
	case found.Code != code:
		fail("found %v, expected %v: %v", found.Code, code, err)
	case !strings.Contains(found.Msg, says):
		fail("the message does not say %q: %v", says, err)
	}
}
