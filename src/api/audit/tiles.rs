//! The log as C2SP tlog-tiles wants it, verbatim: tiles of hashes, and bundles of entries.

use super::records::Scope;
use crate::api::Api;
use crate::api::input::{Named, Nothing, Params};
use crate::api::problem::{Details, Problem};
use crate::api::visit::Visit;
use crate::audit::Reader;
use crate::audit::tree::{Prover, WIDTH};
use crate::policy::{AdminAction, Level};
use axum::Extension;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::CONTENT_TYPE;
use std::sync::Arc;

/// What a path names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tile {
    Hashes { level: u32, index: u64, width: u64 },
    Entries { index: u64, width: u64 },
}

impl Tile {
    /// `<L>/<N>[.p/<W>]` or `entries/<N>[.p/<W>]`; N in groups of three digits, all but the last marked with `x`.
    fn parse(path: &str) -> Option<Self> {
        let (what, rest) = path.split_once('/')?;
        let (number, width) = match rest.split_once(".p/") {
            Some((number, width)) => (number, digits(width).filter(|width| (1..WIDTH).contains(width))?),
            None => (rest, WIDTH),
        };
        let index = index(number)?;
        if what == "entries" {
            return Some(Self::Entries { index, width });
        }
        let level = digits(what).and_then(|level| u32::try_from(level).ok())?;
        Some(Self::Hashes { level, index, width })
    }

    /// The first record that it covers, and the first behind it.
    fn records(index: u64, width: u64) -> Option<(u64, u64)> {
        let first = index.checked_mul(WIDTH)?;
        Some((first, first.checked_add(width)?))
    }
}

/// A number without leading zeros.
fn digits(text: &str) -> Option<u64> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    if plain { text.parse().ok() } else { None }
}

fn index(text: &str) -> Option<u64> {
    let mut groups: Vec<&str> = text.split('/').collect();
    let last = groups.pop()?;
    let group = |digits: &str| {
        let three = digits.len() == 3 && digits.bytes().all(|byte| byte.is_ascii_digit());
        if three { digits.parse::<u64>().ok() } else { None }
    };
    let mut number = 0_u64;
    for (at, marked) in groups.iter().enumerate() {
        let digits = group(marked.strip_prefix('x')?)?;
        if at == 0 && digits == 0 {
            return None;
        }
        number = number.checked_mul(1000)?.checked_add(digits)?;
    }
    number.checked_mul(1000)?.checked_add(group(last)?)
}

/// A tile of hashes, or a bundle of entries (C2SP tlog-tiles)
///
/// `<L>/<N>[.p/<W>]`: Cedar action `VerifyAudit`. `entries/<N>[.p/<W>]`: `ExportAudit`, and every record in it must be
/// your tenant's.
#[utoipa::path(get, path = "/audit/v1/tile/{*tile}", tag = "proofs",
    params(("tile" = String, Path, description = "`0/x001/234`, `0/000.p/17`, `entries/000.p/17`: it holds slashes.")),
    responses((status = 200, body = Vec<u8>, content_type = "application/octet-stream"),
    (status = "default", body = Details, content_type = "application/problem+json")))]
pub(super) async fn tile(
    State(api): State<Arc<Api>>,
    Extension(visit): Extension<Arc<Visit>>,
    Named(path): Named<String>,
    Params(_none): Params<Nothing>,
) -> Result<Response, Problem> {
    let tenant = visit.tenant(None);
    let tile = Tile::parse(&path);
    if let Some(Tile::Entries { width, .. }) = tile {
        visit.may(AdminAction::ExportAudit, &tenant, visit.reading(width, Level::Records))?;
    } else {
        visit.may(AdminAction::VerifyAudit, &tenant, visit.reading(0, Level::Hashes))?;
    }
    let tile = tile.ok_or(Problem::NotFound("tile"))?;
    let seen = visit.clone();
    let bytes = api.reading(move |api| match tile {
        Tile::Hashes { level, index, width } => {
            seen.param("index", index);
            seen.param("level", level);
            seen.param("width", width);
            Ok(Prover::open(&api.folder)?.tile(level, index, width)?)
        }
        Tile::Entries { index, width } => {
            seen.param("entries", index);
            seen.param("width", width);
            entries(api, &seen, &tenant, (index, width))
        }
    });
    Ok(([(CONTENT_TYPE, "application/octet-stream")], bytes.await?).into_response())
}

/// A bundle cannot leave out what belongs to somebody else.
fn entries(api: &Api, visit: &Visit, tenant: &str, (index, width): (u64, u64)) -> Result<Vec<u8>, Problem> {
    let (first, end) = Tile::records(index, width).ok_or(Problem::NotFound("tile"))?;
    let reader = Reader::open(&api.folder)?;
    let mut scope = Scope::new(api, &reader, tenant);
    for entry in reader.since(first, end - first)? {
        if !scope.has(&entry)? {
            return Err(Problem::Foreign(
                "the tile holds records of other tenants: list your own, or export them",
            ));
        }
    }
    visit.rows(usize::try_from(width).unwrap_or(usize::MAX));
    Ok(Prover::open(&api.folder)?.entries(index, width)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn paths_are_read_as_the_specification_writes_them() {
        let hashes = |level, index, width| Some(Tile::Hashes { level, index, width });
        assert_eq!(Tile::parse("0/000"), hashes(0, 0, 256));
        assert_eq!(Tile::parse("2/x001/x234/067"), hashes(2, 1_234_067, 256));
        assert_eq!(Tile::parse("0/x001/000.p/17"), hashes(0, 1000, 17));
        assert_eq!(Tile::parse("entries/003.p/255"), Some(Tile::Entries { index: 3, width: 255 }));
        for bad in [
            "",
            "0",
            "0/",
            "0/1",
            "00/000",
            "+1/000",
            "0/000.p/0",
            "0/000.p/256",
            "0/000.p/017",
            "0/x000/001",
            "0/001/002",
            "0/x1/002",
            "0/x001",
            "data/000",
            "0/x999/x999/x999/x999/x999/x999/x999/999",
            "-1/000",
        ] {
            assert_eq!(Tile::parse(bad), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn every_index_reads_back(index in 0..u64::MAX >> 9, width in 1..WIDTH) {
            let mut groups = vec![format!("{:03}", index % 1000)];
            let mut rest = index / 1000;
            while rest > 0 {
                groups.push(format!("x{:03}", rest % 1000));
                rest /= 1000;
            }
            groups.reverse();
            let path = format!("entries/{}.p/{width}", groups.join("/"));
            prop_assert_eq!(Tile::parse(&path), Some(Tile::Entries { index, width }));
        }

        #[test]
        fn no_text_panics(text in ".{0,60}") {
            let _ = Tile::parse(&text);
        }
    }
}
