package main

import (
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"
)

// Field numbers of the releases before 1.10: 1.10 renumbered Sample, 1.9 had dropped Profile.comment_strindices (7).
var (
	sampleTo19  = map[protowire.Number]protowire.Number{2: 3, 3: 4, 4: 2}
	profileTo18 = map[protowire.Number]protowire.Number{7: 8, 8: 9, 9: 10, 10: 11, 11: 12}
)

// rewrite copies a message, renumbers its fields and hands the content of the fields in `inside` on.
func rewrite(message []byte, numbers map[protowire.Number]protowire.Number, inside map[protowire.Number]func([]byte) ([]byte, error)) ([]byte, error) {
	var out []byte
	for len(message) > 0 {
		number, kind, n := protowire.ConsumeTag(message)
		if n < 0 {
			return nil, protowire.ParseError(n)
		}
		size := protowire.ConsumeFieldValue(number, kind, message[n:])
		if size < 0 {
			return nil, protowire.ParseError(size)
		}
		field := message[n : n+size]
		message = message[n+size:]
		to := number
		if renumbered, ok := numbers[number]; ok {
			to = renumbered
		}
		out = protowire.AppendTag(out, to, kind)
		convert := inside[number]
		if convert == nil || kind != protowire.BytesType {
			out = append(out, field...)
			continue
		}
		content, _ := protowire.ConsumeBytes(field)
		converted, err := convert(content)
		if err != nil {
			return nil, err
		}
		out = protowire.AppendBytes(out, converted)
	}
	return out, nil
}

// toLayout renumbers a current request as an older sender would have written it.
func toLayout(request []byte, layout string) ([]byte, error) {
	var profileNumbers map[protowire.Number]protowire.Number
	switch layout {
	case "1.10":
		return request, nil
	case "1.9":
	case "1.8":
		profileNumbers = profileTo18
	default:
		return nil, fmt.Errorf("unknown layout %q (1.8, 1.9, 1.10)", layout)
	}
	type fields = map[protowire.Number]func([]byte) ([]byte, error)
	sample := func(b []byte) ([]byte, error) { return rewrite(b, sampleTo19, nil) }
	profile := func(b []byte) ([]byte, error) { return rewrite(b, profileNumbers, fields{2: sample}) }
	scope := func(b []byte) ([]byte, error) { return rewrite(b, nil, fields{2: profile}) }
	resource := func(b []byte) ([]byte, error) { return rewrite(b, nil, fields{2: scope}) }
	return rewrite(request, nil, fields{1: resource})
}
