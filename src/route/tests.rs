use super::*;
use crate::mcp::{Edition, Method, Object};
use crate::upstream::Listing;
use proptest::prelude::*;
use std::sync::Arc;

fn listing(tools: &[&str]) -> Arc<Listing> {
    Arc::new(Listing {
        edition: Edition::LATEST,
        tools: tools.iter().map(|n| format!("{{\"name\":\"{n}\",\"x-vendor\":1.0}}")).collect(),
        prompts: vec!["{\"name\":\"p\"}".into()],
        resources: vec![
            "{\"uri\":\"a://1\",\"name\":\"r\"}".into(),
            "{\"uri\":\"https://x.example/\"}".into(),
        ],
        templates: vec!["{\"uriTemplate\":\"a://{id}\"}".into()],
        completions: true,
        subscriptions: false,
        tasks: false,
        instructions: None,
    })
}

fn catalog(parts: &[(&str, &[&str])]) -> Catalog {
    let sources = parts
        .iter()
        .map(|(server, tools)| Source {
            server: (*server).into(),
            listing: Some(listing(tools)),
            down: None,
            silenced: false,
            extensions: Vec::new(),
        })
        .collect();
    Catalog::build(sources, &Open)
}

struct Open;

impl Gatekeeper for Open {
    fn clean(&self, definition: String) -> Result<String, String> {
        Ok(definition)
    }

    fn admit(&self, _: Offered<'_>) -> Result<Admission, String> {
        Ok(Admission::default())
    }
}

fn params(text: &str) -> Object<'_> {
    Object::parse(text).unwrap()
}

#[test]
fn names_are_prefixed_and_resolved_by_the_map() {
    let catalog = catalog(&[("weather-api", &["get_weather"]), ("weather", &["api_get_weather"])]);
    assert!(catalog.tools.contains_key("weather-api_get_weather"));
    let Resolved::Found(found) =
        catalog.resolve(&Front::All, Method::ToolsCall, &params("{\"name\":\"weather_api_get_weather\"}"))
    else {
        panic!("not found")
    };
    assert_eq!((found.server.as_str(), found.own.as_str()), ("weather", "api_get_weather"));
    assert_eq!(found.rewrite, Some(("name", "\"api_get_weather\"".into())));
}

#[test]
fn one_server_keeps_its_own_names() {
    let catalog = catalog(&[("a", &["t"]), ("b", &["t"])]);
    let front = Front::Server("b".into());
    let Resolved::Found(found) = catalog.resolve(&front, Method::ToolsCall, &params("{\"name\":\"t\"}"))
    else {
        panic!("not found")
    };
    assert_eq!((found.server.as_str(), found.rewrite), ("b", None));
    assert_eq!(catalog.resolve(&front, Method::ToolsCall, &params("{\"name\":\"a_t\"}")), Resolved::Unknown);
}

#[test]
fn long_and_odd_names_are_shortened_alike_each_time() {
    let long = "x".repeat(100);
    let name = exposed_name("srv", &long);
    assert_eq!(name.len(), 64);
    assert_eq!(name, exposed_name("srv", &long));
    assert_ne!(name, exposed_name("srv", &format!("{long}y")));
    assert_ne!(exposed_name("s", "a.b"), exposed_name("s", "a_b"));
}

#[test]
fn a_name_listed_twice_is_reported_and_not_shown() {
    let catalog = catalog(&[("a", &["t", "t", "u"])]);
    assert_eq!(catalog.tools.len(), 1);
    assert_eq!(catalog.problems.len(), 2);
}

#[test]
fn uris_are_shown_with_their_server_everywhere_but_on_the_web() {
    let catalog = catalog(&[("a", &[])]);
    assert!(catalog.resources.contains_key("a+a://1"));
    assert!(catalog.resources.contains_key("https://x.example/"));
    assert!(catalog.templates.contains_key("a+a://{id}"));
    let result = r#"{"content":[{"type":"resource","resource":{"uri":"a://1","text":"a://1"}}]}"#;
    assert_eq!(
        expose_uris(Method::ToolsCall, "a", result),
        r#"{"content":[{"type":"resource","resource":{"uri":"a+a://1","text":"a://1"}}]}"#
    );
    let Resolved::Found(found) =
        catalog.resolve(&Front::All, Method::ResourcesRead, &params("{\"uri\":\"a+a://unlisted\"}"))
    else {
        panic!("not found")
    };
    assert_eq!(found.own, "a://unlisted");
    assert_eq!(
        catalog.resolve(&Front::All, Method::ResourcesRead, &params("{\"uri\":\"nobody+a://1\"}")),
        Resolved::Unknown
    );
}

#[test]
fn a_cursor_is_good_for_its_view_only() {
    let key = CursorKey::random().unwrap();
    let cursor = key.cursor("v1", 20);
    assert_eq!(key.offset("v1", &cursor), Some(20));
    assert_eq!(key.offset("v2", &cursor), None);
    assert_eq!(key.offset("v1", "x"), None);
    assert_eq!(CursorKey::random().unwrap().offset("v1", &cursor), None);
}

proptest! {
    #[test]
    fn every_name_becomes_one_that_clients_accept(own in "\\PC{0,100}") {
        let name = exposed_name("srv-1", &own);
        prop_assert!(name.len() <= 64);
        prop_assert!(name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-'));
    }
}
