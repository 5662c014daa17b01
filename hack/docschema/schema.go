package main

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// schema is a JSON Schema, as far as it is needed (json-schema.org, draft 2020-12). It
// forbids no further fields, which later versions of Vicinity may have.
type schema struct {
	Dialect     string     `json:"$schema,omitempty"`
	Title       string     `json:"title,omitempty"`
	Ref         string     `json:"$ref,omitempty"`
	Description string     `json:"description,omitempty"`
	Type        string     `json:"type,omitempty"`
	Format      string     `json:"format,omitempty"`
	Const       string     `json:"const,omitempty"`
	Enum        []string   `json:"enum,omitempty"`
	AnyOf       []schema   `json:"anyOf,omitempty"`
	Items       *schema    `json:"items,omitempty"`
	Properties  properties `json:"properties,omitempty"`
	Required    []string   `json:"required,omitempty"`
	Defs        properties `json:"$defs,omitempty"`
}

// properties are written in their order.
type properties []property

type property struct {
	name   string
	schema schema
}

// MarshalJSON writes an object.
func (p properties) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	for i, each := range p {
		if i > 0 {
			b.WriteByte(',')
		}
		text, err := json.Marshal(each.schema)
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(&b, "%q:%s", each.name, text)
	}
	return fmt.Appendf(nil, "{%s}", b.Bytes()), nil
}

// schemaOf returns the schema of the first object, with definitions of the others.
func schemaOf(objects []*object) ([]byte, error) {
	whole := objectSchema(objects[0])
	whole.Dialect, whole.Title = "https://json-schema.org/draft/2020-12/schema", "vicinity replay -o json"
	for _, o := range objects[1:] {
		if o.value {
			whole.Defs = append(whole.Defs, property{o.name, objectSchema(o)})
		}
	}
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(whole); err != nil {
		return nil, fmt.Errorf("writing the schema: %w", err)
	}
	return b.Bytes(), nil
}

// objectSchema has the fields of an embedded object among its own, as in JSON.
func objectSchema(o *object) schema {
	s := schema{Type: "object", Description: o.meaning}
	for ; o != nil; o = o.embedded {
		for _, f := range o.fields {
			s.Properties = append(s.Properties, property{f.name, fieldSchema(f)})
			if f.missing == "" {
				s.Required = append(s.Required, f.name)
			}
		}
	}
	return s
}

func fieldSchema(f field) schema {
	s := kindSchema(f.kind)
	s.Const = f.always
	if f.null != "" {
		s = schema{AnyOf: []schema{s, {Type: "null"}}}
	}
	s.Description = f.meaning
	if f.null != "" {
		s.Description += " Null " + f.null + "."
	}
	if f.missing != "" {
		s.Description += " Missing " + f.missing + "."
	}
	return s
}

func kindSchema(k kind) schema {
	switch {
	case k.object != nil:
		return schema{Ref: "#/$defs/" + k.object.name}
	case k.element != nil:
		items := kindSchema(*k.element)
		return schema{Type: k.name, Items: &items}
	case k.time:
		return schema{Type: k.name, Format: "date-time"}
	}
	return schema{Type: k.name, Enum: k.values}
}
