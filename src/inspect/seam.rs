//! Values that were cut and stand in neighbouring strings of one array.

use std::borrow::Cow;
use std::ops::Range;

use super::Blocked;
use super::found::{Around, Evidence};
use super::frame::Piece;
use super::lexer::Escapes;
use super::pass::{Edit, Named, Pass, Seen};
use super::shifts::{Shifts, unescape};

/// Bytes of a long piece that are joined to its neighbour.
const REACH: usize = 128;

/// The part of a value that stands in one piece.
pub(super) struct Cut {
    /// Bytes of the walked text.
    pub source: Range<usize>,
    /// The number of the piece.
    pub piece: usize,
    /// With its place in the piece's string.
    pub seen: Seen,
}

/// A piece as it is meant, and how its offsets lie in the text.
type Content<'t> = (Cow<'t, str>, Option<Shifts>);

/// A stretch of the joined text and the piece that it comes from.
struct Stretch {
    /// Bytes of the joined text.
    joined: Range<usize>,
    piece: usize,
    /// Offset in the piece's string of the stretch's first byte.
    offset: usize,
}

/// Values that reach over a seam and that no piece holds by itself.
pub(super) fn find(
    pass: &Pass<'_, '_>,
    text: &str,
    pieces: &[Piece],
    edits: &[Edit],
    around: &Around<'_>,
) -> Result<Vec<Cut>, Blocked> {
    let mut contents: Vec<Content<'_>> = Vec::with_capacity(pieces.len());
    for piece in pieces {
        let raw = text.get(piece.quoted.start..piece.quoted.end).unwrap_or_default();
        contents.push(match piece.quoted.escapes {
            Escapes::None => (Cow::Borrowed(raw), None),
            Escapes::Simple | Escapes::Hiding => {
                let (plain, shifts) = unescape(raw);
                (Cow::Owned(plain), Some(shifts))
            }
        });
    }
    let (joined, stretches) = join(&contents);
    let leads = pass.engine.leads(&joined);
    if leads.is_empty() && joined.is_ascii() {
        return Ok(Vec::new());
    }
    let mut cuts = Vec::new();
    for seen in pass.look_once(&joined, &leads, around, Named::No)? {
        let parts: Vec<&Stretch> = stretches
            .iter()
            .filter(|stretch| stretch.joined.start < seen.end && seen.start < stretch.joined.end)
            .collect();
        let strong = seen.evidence >= Evidence::Prefix && pass.engine.stands_alone(seen.rule);
        let new = |stretch: &&&Stretch| {
            let piece = pieces.get(stretch.piece);
            piece.is_some_and(|piece| {
                !overlaps(
                    edits.get(piece.edits.clone()).unwrap_or_default(),
                    piece,
                    &contents,
                    stretch,
                    &seen,
                )
            })
        };
        let (Some(first), Some(last)) = (parts.first(), parts.last()) else { continue };
        if parts.len() < 2
            || !strong
            || parts.iter().filter(new).count() < parts.len()
            || !whole(first, last, &seen, &contents)
        {
            continue;
        }
        for stretch in parts {
            cuts.extend(cut(pieces, &contents, stretch, &seen, pass)?);
        }
    }
    Ok(cuts)
}

/// A value begins or ends at the border of a piece, or between words: not inside of one that only happens to meet it.
fn whole(first: &Stretch, last: &Stretch, seen: &Seen, contents: &[Content<'_>]) -> bool {
    let border = |stretch: &Stretch, at: usize| {
        let content = contents.get(stretch.piece).map_or("", |content| content.0.as_ref());
        let at = stretch.offset + at.saturating_sub(stretch.joined.start);
        at == 0
            || at >= content.len()
            || content.as_bytes().get(at - 1).is_none_or(|byte| !byte.is_ascii_alphanumeric())
            || content.as_bytes().get(at).is_none_or(|byte| !byte.is_ascii_alphanumeric())
    };
    border(first, seen.start) && border(last, seen.end)
}

/// Whether the part in one piece has been found already.
fn overlaps(edits: &[Edit], piece: &Piece, contents: &[Content<'_>], stretch: &Stretch, seen: &Seen) -> bool {
    let part = local(stretch, seen);
    let source = source(piece, contents, stretch, &part);
    edits.iter().any(|edit| edit.start < source.end && source.start < edit.end)
}

fn local(stretch: &Stretch, seen: &Seen) -> Range<usize> {
    let start = seen.start.max(stretch.joined.start) - stretch.joined.start + stretch.offset;
    let end = seen.end.min(stretch.joined.end) - stretch.joined.start + stretch.offset;
    start..end
}

fn source(piece: &Piece, contents: &[Content<'_>], stretch: &Stretch, part: &Range<usize>) -> Range<usize> {
    let shifts = contents.get(stretch.piece).and_then(|content| content.1.as_ref());
    let at = |here: usize| piece.quoted.start + shifts.map_or(here, |shifts| shifts.source(here));
    at(part.start)..at(part.end)
}

fn cut(
    pieces: &[Piece],
    contents: &[Content<'_>],
    stretch: &Stretch,
    seen: &Seen,
    pass: &Pass<'_, '_>,
) -> Result<Option<Cut>, Blocked> {
    let Some(piece) = pieces.get(stretch.piece) else { return Ok(None) };
    let part = local(stretch, seen);
    let mut own = Seen { start: part.start, end: part.end, ..seen.clone() };
    own.decoded.insert(0, "joined");
    own.with = pass.operators.replace(pass.engine, &own, "")?;
    Ok(Some(Cut { source: source(piece, contents, stretch, &part), piece: stretch.piece, seen: own }))
}

/// All pieces in a row; of a long one only what may meet its neighbours.
fn join(contents: &[Content<'_>]) -> (String, Vec<Stretch>) {
    let mut joined = String::new();
    let mut stretches = Vec::new();
    for (piece, (content, _)) in contents.iter().enumerate() {
        let mut add = |from: usize, to: usize| {
            let start = joined.len();
            joined.push_str(content.get(from..to).unwrap_or_default());
            stretches.push(Stretch { joined: start..joined.len(), piece, offset: from });
        };
        if content.len() <= 2 * REACH {
            add(0, content.len());
        } else {
            add(0, content.floor_char_boundary(REACH));
            add(content.ceil_char_boundary(content.len() - REACH), content.len());
            // What stands between the two ends keeps them apart.
            let at = stretches.last().map_or(0, |stretch| stretch.joined.start);
            joined.insert_str(at, "\n\n");
            if let Some(last) = stretches.last_mut() {
                last.joined = at + 2..joined.len();
            }
        }
    }
    (joined, stretches)
}
