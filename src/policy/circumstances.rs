//! The parts of a context that every question has: `request` and `session`.

use cedar_policy::{EntityTypeName, EntityUid, RestrictedExpression};
use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::actions::uid;
use super::question::{Circumstances, Reading};
use super::reads::Reads;

/// A record of named values. The names are ours, so they are never there twice.
pub(super) fn record<const N: usize>(
    fields: [(&str, Option<RestrictedExpression>); N],
) -> Result<RestrictedExpression, Unbuildable> {
    let fields = fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
    RestrictedExpression::new_record(fields).map_err(|_| Unbuildable)
}

/// A question that could not be put to the engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Unbuildable;

pub(super) fn text(value: &str) -> RestrictedExpression {
    RestrictedExpression::new_string(value.to_owned())
}

pub(super) fn texts<'a>(values: impl IntoIterator<Item = &'a str>) -> RestrictedExpression {
    RestrictedExpression::new_set(values.into_iter().map(text))
}

/// `context.request`, with time and address only if a policy looks at them: they cost most.
pub(super) fn request(
    agent: &EntityUid,
    now: &Circumstances,
    zone: &TimeZone,
    reads: &Reads,
) -> Result<RestrictedExpression, Unbuildable> {
    let (mut instant, mut hour, mut weekday) = (None, None, None);
    if reads.time {
        let moment = Timestamp::from_microsecond(now.now_us).map_err(|_| Unbuildable)?;
        let local = moment.to_zoned(zone.clone());
        instant = Some(datetime(moment));
        hour = Some(RestrictedExpression::new_long(i64::from(local.hour())));
        weekday = Some(RestrictedExpression::new_long(i64::from(local.weekday().to_monday_one_offset())));
    }
    let address = now.source_ip.filter(|_| reads.source_ip);
    record([
        ("agent", Some(RestrictedExpression::new_entity_uid(agent.clone()))),
        (
            "client",
            Some(record([
                ("name", Some(text(&now.client_name))),
                ("version", Some(text(&now.client_version))),
            ])?),
        ),
        ("protocol", Some(text(&now.protocol))),
        ("transport", Some(text(&now.transport))),
        ("now", instant),
        ("hour", hour),
        ("weekday", weekday),
        ("sourceIp", address.map(|address| RestrictedExpression::new_ip(address.to_canonical().to_string()))),
    ])
}

/// `context.reading`
pub(super) fn reading(asked: &Reading) -> Result<RestrictedExpression, Unbuildable> {
    let moment = |us| Timestamp::from_microsecond(us).map(datetime).map_err(|_| Unbuildable);
    record([
        ("from", Some(moment(asked.from_us)?)),
        ("to", Some(moment(asked.to_us)?)),
        ("rows", Some(RestrictedExpression::new_long(i64::try_from(asked.rows).unwrap_or(i64::MAX)))),
        ("level", Some(text(asked.level.as_str()))),
    ])
}

/// `context.session`
pub(super) fn session(
    now: &Circumstances,
    reads: &Reads,
    tool: &EntityTypeName,
) -> Result<RestrictedExpression, Unbuildable> {
    let started = if reads.session_start {
        let moment = Timestamp::from_microsecond(now.session_started_us).map_err(|_| Unbuildable)?;
        Some(datetime(moment))
    } else {
        None
    };
    record([
        ("id", Some(text(&now.session_id))),
        ("calls", Some(RestrictedExpression::new_long(now.session_calls))),
        ("startedAt", started),
        ("taint", reads.taint.then(|| texts(now.session_taint.iter().map(String::as_str)))),
        ("toolsCalled", reads.tools_called.then(|| tools(&now.session_tools, tool))),
    ])
}

fn tools(names: &[String], kind: &EntityTypeName) -> RestrictedExpression {
    let entities = names.iter().map(|name| RestrictedExpression::new_entity_uid(uid(kind, name)));
    RestrictedExpression::new_set(entities)
}

/// An instant in Cedar's spelling, with whole milliseconds.
fn datetime(moment: Timestamp) -> RestrictedExpression {
    RestrictedExpression::new_datetime(moment.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string())
}
