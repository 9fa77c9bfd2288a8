package main

import (
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// findReferences reports every key_strindex and string_value_strindex: old peers read neither.
func (c *comparison) findReferences(messages []message) {
	for _, m := range messages {
		eachMessage(m.pb.ProtoReflect(), func(inner protoreflect.Message) {
			switch x := inner.Interface().(type) {
			case *commonpb.KeyValue:
				if x.GetKeyStrindex() != 0 {
					c.report("%s: key_strindex %d is used", m.origin, x.GetKeyStrindex())
				}
			case *commonpb.AnyValue:
				if _, ok := x.GetValue().(*commonpb.AnyValue_StringValueStrindex); ok {
					c.report("%s: string_value_strindex %d is used", m.origin, x.GetStringValueStrindex())
				}
			}
		})
	}
}

func eachMessage(m protoreflect.Message, visit func(protoreflect.Message)) {
	visit(m)
	m.Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		switch {
		case f.Message() == nil:
		case f.IsList():
			for i := range v.List().Len() {
				eachMessage(v.List().Get(i).Message(), visit)
			}
		default:
			eachMessage(v.Message(), visit)
		}
		return true
	})
}
