//! From JSON Schema to Cedar types.

use serde_json::{Map, Value, json};

use super::super::generate::generate;
use super::super::shape::{RecordShape, Shape};
use super::{build, server, tool};

fn of_property(property: Value) -> (Option<Shape>, Vec<String>) {
    let generated = generate(Some(&json!({
        "type": "object",
        "properties": {"x": property},
        "$defs": {
            "Long": {"type": "integer"},
            "Again": {"$ref": "#/$defs/Long"},
            "Loop": {"$ref": "#/$defs/Loop"},
            "Tree": {"type": "object", "properties": {"left": {"$ref": "#/$defs/Tree"}, "size": {"type": "integer"}}},
        },
    })));
    let mut fields = generated.args.unwrap().fields;
    (fields.shift_remove("x").map(|field| field.shape), generated.lost)
}

#[test]
fn each_type_has_its_counterpart() {
    let set = |shape| Shape::Set(Box::new(shape));
    let table = [
        (json!({"type": "boolean"}), Shape::Bool),
        (json!({"type": "integer"}), Shape::Long),
        (json!({"type": "number"}), Shape::Decimal),
        (json!({"type": "string"}), Shape::Text),
        (json!({"type": "string", "enum": ["a", "b"]}), Shape::Text),
        (json!({"type": "string", "format": "date-time"}), Shape::Datetime),
        (json!({"type": "string", "format": "date"}), Shape::Datetime),
        (json!({"type": "string", "format": "ipv4"}), Shape::Ip),
        (json!({"type": "string", "format": "ipv6"}), Shape::Ip),
        (json!({"type": "string", "format": "uuid"}), Shape::Text),
        (json!({"type": "string", "format": "duration"}), Shape::Text),
        (json!({"type": ["string", "null"]}), Shape::Text),
        (json!({"anyOf": [{"type": "integer"}, {"type": "null"}]}), Shape::Long),
        (json!({"oneOf": [{"type": "string", "format": "uuid"}, {"type": "string"}]}), Shape::Text),
        (json!({"allOf": [{"type": "integer"}]}), Shape::Long),
        (json!({"const": "fixed"}), Shape::Text),
        (json!({"const": 3}), Shape::Long),
        (json!({"enum": ["a", null]}), Shape::Text),
        (json!({"enum": [1, 2]}), Shape::Long),
        (json!({"$ref": "#/$defs/Again"}), Shape::Long),
        (json!({"type": "array", "items": {"type": "string"}}), set(Shape::Text)),
        (
            json!({"type": "array", "items": {"type": "array", "items": {"type": "integer"}}}),
            set(set(Shape::Long)),
        ),
        (json!({"type": "object", "additionalProperties": {"type": "string"}}), Shape::Pairs),
    ];
    for (property, expected) in table {
        let (shape, lost) = of_property(property.clone());
        assert_eq!((shape, lost), (Some(expected), Vec::new()), "{property}");
    }
}

#[test]
fn what_has_no_counterpart_is_listed_as_lost() {
    let table = [
        json!(true),
        json!({}),
        json!({"type": "null"}),
        json!({"type": "object"}),
        json!({"type": "object", "additionalProperties": true}),
        json!({"type": ["string", "integer"]}),
        json!({"anyOf": [{"type": "string"}, {"type": "integer"}]}),
        json!({"allOf": [{"type": "string"}, {"minLength": 3}]}),
        json!({"enum": ["a", 1]}),
        json!({"const": null}),
        json!({"type": 7}),
        json!({"type": "quaternion"}),
        json!({"$ref": "https://example.com/schema.json"}),
        json!({"$ref": "other.json#/x"}),
        json!({"$ref": "#/$defs/Nothing"}),
        json!({"$ref": "#/$defs/Loop"}),
        json!({"$ref": 1}),
    ];
    for property in table {
        assert_eq!(of_property(property.clone()), (None, vec!["x".to_owned()]), "{property}");
    }
}

#[test]
fn an_array_without_item_types_still_has_its_count() {
    for items in [json!({}), json!({"type": ["string", "integer"]}), json!({"type": ["string", "null"]})] {
        let (shape, lost) = of_property(json!({"type": "array", "items": items}));
        assert_eq!(shape, Some(Shape::CountOnly));
        assert_eq!(lost, ["x"]);
    }
}

#[test]
fn a_bad_property_costs_nothing_but_itself() {
    let generated = generate(Some(&json!({
        "properties": {
            "good": {"type": "integer"},
            "bad": {"anyOf": [{"type": "string"}, {"type": "object"}]},
            "inner": {"properties": {"good": {"type": "string"}, "bad": {"type": []}}, "required": ["good"]},
        },
        "required": ["good", "bad"],
    })));
    let fields = generated.args.unwrap().fields;
    assert_eq!(fields.keys().collect::<Vec<_>>(), ["good", "inner"]);
    assert!(fields["good"].required);
    assert_eq!(generated.lost, ["bad", "inner.bad"]);
}

#[test]
fn nullable_and_inexact_values_are_optional() {
    let shape = generate(Some(&json!({
        "type": "object",
        "properties": {
            "plain": {"type": "string"},
            "nullable": {"type": ["string", "null"]},
            "number": {"type": "number"},
            "numbers": {"type": "array", "items": {"type": "number"}},
        },
        "required": ["plain", "nullable", "number", "numbers"],
    })));
    let cedar = shape.args.unwrap().to_cedar();
    let required = |name: &str| cedar["attributes"][name]["required"] == json!(true);
    assert!(required("plain") && required("numbers_count"));
    assert!(!required("nullable") && !required("number") && !required("numbers"));
}

#[test]
fn a_property_keeps_its_name_when_a_count_would_take_it() {
    let generated = generate(Some(&json!({
        "type": "object",
        "properties": {"x": {"type": "array", "items": {"type": "string"}}, "x_count": {"type": "string"}},
    })));
    let fields = generated.args.unwrap().fields;
    assert_eq!(fields["x"].count, None);
    assert_eq!(fields["x_count"].shape, Shape::Text);
}

#[test]
fn a_tool_without_types_has_its_arguments_as_text() {
    for schema in [
        json!(null),
        json!(true),
        json!({}),
        json!({"type": "array"}),
        json!({"type": "object", "additionalProperties": true}),
        json!({"type": "object", "additionalProperties": {"type": "string"}}),
        json!({"$ref": "#"}),
        json!({"anyOf": [{"type": "object"}]}),
    ] {
        assert!(generate(Some(&schema)).args.is_none(), "{schema}");
    }
    assert!(generate(None).args.is_none());
    for schema in [
        json!({"type": "object"}),
        json!({"type": "object", "properties": {}, "additionalProperties": false}),
    ] {
        assert_eq!(generate(Some(&schema)).args, Some(RecordShape::default()), "{schema}");
    }
}

fn hostile_schemas() -> Vec<Value> {
    let mut deep = json!({"type": "string"});
    for _ in 0..60 {
        deep = json!({"type": "object", "properties": {"d": deep}});
    }
    let many: Map<String, Value> =
        (0..5000).map(|index| (format!("p{index}"), json!({"type": "string"}))).collect();
    let names = [
        "",
        " ",
        "a\"b",
        "a\\b",
        "a\nb",
        "if",
        "in",
        "true",
        "__entity",
        "__extn",
        "__cedar",
        "has",
        "like",
        "$filter",
        "grace-period",
        "a.b",
        "a::b",
        "\u{202e}evil",
        "ключ",
        "\0",
        "💥",
        "}; permit (principal",
    ];
    let odd: Map<String, Value> =
        names.iter().map(|name| ((*name).to_owned(), json!({"type": "string"}))).collect();
    let bomb = json!({
        "type": "object",
        "properties": {"x": {"$ref": "#/$defs/a"}},
        "$defs": {"a": {"type": "object", "properties": {
            "l": {"$ref": "#/$defs/a"}, "m": {"$ref": "#/$defs/a"}, "r": {"$ref": "#/$defs/a"}, "n": {"type": "integer"},
        }}},
    });
    vec![
        deep,
        json!({"type": "object", "properties": many}),
        json!({"type": "object", "properties": odd}),
        json!({"type": "object", "properties": {"n".repeat(100_000): {"type": "string"}, "ok": {"type": "string"}}}),
        bomb,
        json!({"type": "object", "properties": {"x": {"anyOf": [{"$ref": "#"}, {"$ref": "#"}]}}}),
        json!({"type": "object", "properties": [], "required": {}}),
        json!({"type": "object", "properties": {"x": null, "y": 1, "z": "s", "w": []}}),
        json!({"$ref": "#/properties/x", "properties": {"x": {"$ref": "#"}}}),
    ]
}

#[test]
fn hostile_schemas_are_bounded_and_still_load() {
    let schemas = hostile_schemas();
    for schema in &schemas {
        let generated = generate(Some(schema));
        assert!(generated.lost.len() <= 64);
        let count = generated.args.map_or(0, |args| args.to_cedar().to_string().matches("\"type\"").count());
        assert!(count < 2000, "{count} types");
    }
    let tools =
        schemas.into_iter().enumerate().map(|(index, schema)| tool(&format!("s_{index}"), schema)).collect();
    let policy = r#"@id("odd") permit (principal, action == Action::"s_2", resource)
        when { context.args has "a\"b" && context.args["a\"b"] == "x" };"#;
    let policies = build(policy, &[server("s", tools)]).unwrap();
    assert!(super::call(&policies, "s_2", &json!({"a\"b": "x", "if": "y", "\u{202e}evil": "z"})).is_ok());
    assert!(super::call(&policies, "s_2", &json!({"a\"b": "y"})).is_err());
    assert!(policies.schema_text().contains("Action") || policies.schema_text().contains("action"));
}
