//! The tools of both profiles, as `tools/list` shows them. Names and arguments are part of the example policies.

use serde_json::{Value, json};

use super::card::{Card, Effect};
use super::ops::{MAX_DELAY_MS, MAX_STEPS};

/// The tools of `crm`.
pub(super) fn crm() -> Vec<Value> {
    [search_card(), get_card(), update_card(), delete_card(), export_card()].map(Card::into_json).into()
}

/// The tools of `ops`.
pub(super) fn ops() -> Vec<Value> {
    let cards = [list_card(), restart_card(), report_card(), echo_card(), runbook_card(), failing_card()];
    cards.map(Card::into_json).into()
}

fn id_property() -> Value {
    json!({"type": "string", "description": "The customer's id, such as c-001"})
}

fn search_card() -> Card {
    Card {
        name: "search_customers",
        title: "Search customers",
        description: "Find customers by any text in their record: name, company, city, e-mail, notes",
        effect: Effect::Reads,
        properties: json!({
            "query": {"type": "string", "description": "Text to look for, in any case"},
            "limit": {"type": "integer", "minimum": 1, "maximum": 100, "description": "At most this many (10)"},
        }),
        required: &["query"],
        output: Some(json!({
            "type": "object",
            "properties": {
                "customers": {"type": "array", "items": {"type": "object"}},
                "total": {"type": "integer"},
            },
            "required": ["customers", "total"],
        })),
    }
}

fn get_card() -> Card {
    Card {
        name: "get_customer",
        title: "Get a customer",
        description: "One customer's whole record",
        effect: Effect::Reads,
        properties: json!({"id": id_property()}),
        required: &["id"],
        output: Some(json!({
            "type": "object",
            "properties": {
                "id": {"type": "string"},
                "name": {"type": "string"},
                "email": {"type": "string"},
                "notes": {"type": "string"},
            },
            "required": ["id", "name", "email"],
        })),
    }
}

fn update_card() -> Card {
    Card {
        name: "update_customer",
        title: "Update a customer",
        description: "Change the e-mail address, phone number or notes of a customer",
        effect: Effect::Changes,
        properties: json!({
            "id": id_property(),
            "fields": {
                "type": "object",
                "properties": {
                    "email": {"type": "string"},
                    "phone": {"type": "string"},
                    "notes": {"type": "string"},
                },
                "additionalProperties": false,
            },
        }),
        required: &["id", "fields"],
        output: Some(json!({
            "type": "object",
            "properties": {
                "id": {"type": "string"},
                "changed": {"type": "array", "items": {"type": "string"}},
            },
            "required": ["id", "changed"],
        })),
    }
}

fn delete_card() -> Card {
    Card {
        name: "delete_customer",
        title: "Delete a customer",
        description: "Delete a customer's record for good",
        effect: Effect::Destroys,
        properties: json!({"id": id_property()}),
        required: &["id"],
        output: None,
    }
}

fn export_card() -> Card {
    Card {
        name: "export_customers",
        title: "Export customers",
        description: "All customers in one file, without personal data unless it is asked for",
        effect: Effect::Reads,
        properties: json!({
            "format": {"type": "string", "enum": ["csv", "json"]},
            "include_pii": {"type": "boolean", "description": "With names, addresses and notes (false)"},
        }),
        required: &["format"],
        output: None,
    }
}

fn list_card() -> Card {
    Card {
        name: "list_incidents",
        title: "List incidents",
        description: "Incidents, newest last",
        effect: Effect::Reads,
        properties: json!({"status": {"type": "string", "enum": ["open", "closed"]}}),
        required: &[],
        output: Some(json!({
            "type": "object",
            "properties": {"incidents": {"type": "array", "items": {"type": "object"}}},
            "required": ["incidents"],
        })),
    }
}

fn restart_card() -> Card {
    Card {
        name: "restart_service",
        title: "Restart a service",
        description: "Restart all instances of a service; requests in flight are lost",
        effect: Effect::Operates,
        properties: json!({
            "service": {"type": "string", "description": "Such as checkout or ledger"},
            "environment": {"type": "string", "enum": ["staging", "production"]},
        }),
        required: &["service", "environment"],
        output: Some(json!({
            "type": "object",
            "properties": {
                "service": {"type": "string"},
                "environment": {"type": "string"},
                "restarts": {"type": "integer"},
            },
            "required": ["service", "environment", "restarts"],
        })),
    }
}

fn report_card() -> Card {
    Card {
        name: "long_report",
        title: "Write a long report",
        description: "Go through all systems step by step; tells its progress and can be cancelled",
        effect: Effect::Reads,
        properties: json!({
            "steps": {"type": "integer", "minimum": 1, "maximum": MAX_STEPS, "description": "Steps (5)"},
            "delay_ms": {"type": "integer", "minimum": 0, "maximum": MAX_DELAY_MS, "description": "Milliseconds a step (50)"},
        }),
        required: &[],
        output: None,
    }
}

fn echo_card() -> Card {
    Card {
        name: "echo",
        title: "Echo",
        description: "Give the text back",
        effect: Effect::Reads,
        properties: json!({"text": {"type": "string"}}),
        required: &["text"],
        output: None,
    }
}

fn runbook_card() -> Card {
    Card {
        name: "fetch_runbook",
        title: "Fetch a runbook",
        description: "The text of a runbook; runbook://index has the names",
        effect: Effect::Reads,
        properties: json!({"name": {"type": "string", "description": "Such as restart-checkout"}}),
        required: &["name"],
        output: None,
    }
}

fn failing_card() -> Card {
    Card {
        name: "failing_tool",
        title: "Page the person on call",
        description: "Always fails, as a provider without quota does",
        effect: Effect::Reads,
        properties: json!({}),
        required: &[],
        output: None,
    }
}
