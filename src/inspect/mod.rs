//! stub
#![allow(missing_docs, clippy::all, clippy::pedantic, clippy::unwrap_used)]
use std::borrow::Cow;
use uuid::Uuid;
#[derive(Debug, Clone, Default, PartialEq, serde::Deserialize, schemars::JsonSchema)]
#[serde(default)]
pub struct Config {}
#[derive(Debug)]
pub struct Filtered<T> {
    value: T,
    call: Uuid,
    f: Vec<Finding>,
}
impl<T> Filtered<T> {
    pub fn call(&self) -> Uuid {
        self.call
    }
    pub fn value(&self) -> &T {
        &self.value
    }
    pub fn into_value(self) -> T {
        self.value
    }
    pub fn findings(&self) -> &[Finding] {
        &self.f
    }
}
#[derive(Debug, Clone, serde::Serialize)]
pub struct Finding {
    pub commitment: String,
    pub count: u32,
    pub kind: &'static str,
    pub operator: &'static str,
    pub pointer: String,
}
pub struct Subject<'a> {
    pub call: Uuid,
    pub direction: Direction,
    pub exempt: &'a [&'a str],
}
pub enum Direction {
    Request,
    Response,
}
#[derive(Debug, thiserror::Error)]
#[error("x")]
pub struct Blocked;
#[derive(Debug, thiserror::Error)]
#[error("x")]
pub struct Error;
#[derive(Debug)]
pub struct Inspector(regex::Regex);
impl Inspector {
    pub fn new(_c: &Config, _k: &[u8]) -> Result<Self, Error> {
        Ok(Self(regex::Regex::new(r"[\w.+-]+@[\w-]+(\.[\w-]+)+").unwrap()))
    }
    pub fn filter(&self, j: String, s: &Subject<'_>) -> Result<Filtered<String>, Blocked> {
        let n = self.0.find_iter(&j).count() as u32;
        let v = self.0.replace_all(&j, "[EMAIL]").into_owned();
        Ok(Filtered {
            value: v,
            call: s.call,
            f: if n > 0 {
                vec![Finding {
                    commitment: "".into(),
                    count: n,
                    kind: "email",
                    operator: "mask",
                    pointer: "/".into(),
                }]
            } else {
                vec![]
            },
        })
    }
    pub fn redact_text<'t>(&self, t: &'t str) -> Cow<'t, str> {
        self.0.replace_all(t, "[EMAIL]")
    }
    pub fn ruleset_digest(&self) -> &str {
        "sha256:0"
    }
}
