//! One pass over the matching documents: how many, which ones come first, and all counts.

use super::super::field::Field;
use super::super::gathered::{Gathered, Order, Wanted};
use super::super::tally::{Aggregation, Tally, coarse};
use std::collections::{BTreeMap, HashMap};
use tantivy::collector::{Collector, SegmentCollector};
use tantivy::columnar::{Cardinality, Column, StrColumn};
use tantivy::{COLLECT_BLOCK_BUFFER_LEN, DocId, Score, SegmentOrdinal, SegmentReader};

/// Documents that are looked at together: columns are read much faster so than one by one.
const BLOCK: usize = COLLECT_BLOCK_BUFFER_LEN;

/// What one segment gives.
type Part = tantivy::Result<Gathered>;

/// The collector.
pub(super) struct Gather {
    snapshot: i64,
    order: Order,
    before: Option<i64>,
    after: Option<i64>,
    limit: usize,
    counts: Vec<Aggregation>,
}

impl Gather {
    pub(super) fn new(wanted: &Wanted<'_>) -> Self {
        let signed = |seq: u64| i64::try_from(seq).unwrap_or(i64::MAX);
        Self {
            snapshot: signed(wanted.snapshot),
            order: wanted.order,
            before: wanted.before.map(signed),
            after: wanted.after.map(signed),
            limit: wanted.limit,
            counts: wanted.counts.to_vec(),
        }
    }
}

impl Collector for Gather {
    type Fruit = Gathered;
    type Child = Segment;

    fn for_segment(&self, _: SegmentOrdinal, reader: &SegmentReader) -> tantivy::Result<Segment> {
        let counts = self.counts.iter().map(|count| Count::new(count, reader)).collect::<Result<_, _>>()?;
        let (seq, after) = (numbers(reader, Field::Seq)?, self.after.unwrap_or(-1));
        let inside = |seq: &Column<i64>| {
            seq.get_cardinality() == Cardinality::Full
                && seq.min_value() > after
                && seq.max_value() < self.snapshot
        };
        Ok(Segment {
            unread: self.limit == 0 && seq.as_ref().is_some_and(inside),
            seq,
            snapshot: self.snapshot,
            before: self.before.unwrap_or(i64::MAX),
            after,
            page: Page::new(self.order, self.limit),
            total: 0,
            counts,
        })
    }

    fn requires_scoring(&self) -> bool {
        false
    }

    fn merge_fruits(&self, parts: Vec<Part>) -> tantivy::Result<Gathered> {
        let mut all = Gathered {
            total: 0,
            seqs: Vec::new(),
            tallies: self.counts.iter().map(Tally::of).collect(),
            archived: 0,
        };
        let mut page = Page::new(self.order, self.limit);
        for part in parts {
            let part = part?;
            all.total += part.total;
            part.seqs.into_iter().for_each(|seq| page.offer(i64::try_from(seq).unwrap_or(i64::MAX)));
            all.tallies.iter_mut().zip(part.tallies).for_each(|(tally, other)| tally.merge(other));
        }
        all.seqs = page.finish();
        Ok(all)
    }
}

fn numbers(reader: &SegmentReader, field: Field) -> tantivy::Result<Option<Column<i64>>> {
    reader.fast_fields().column_opt::<i64>(field.name())
}

/// The state in one segment.
pub(super) struct Segment {
    seq: Option<Column<i64>>,
    /// All its documents count and none comes on a page, so that no number need be read.
    unread: bool,
    snapshot: i64,
    before: i64,
    after: i64,
    page: Page,
    total: u64,
    counts: Vec<Count>,
}

impl SegmentCollector for Segment {
    type Fruit = Part;

    fn collect(&mut self, doc: DocId, _: Score) {
        self.block(&[doc]);
    }

    fn collect_block(&mut self, docs: &[DocId]) {
        docs.chunks(BLOCK).for_each(|docs| self.block(docs));
    }

    fn harvest(self) -> Part {
        let tallies = self.counts.into_iter().map(Count::finish).collect::<std::io::Result<_>>()?;
        Ok(Gathered { total: self.total, seqs: self.page.finish(), tallies, archived: 0 })
    }
}

impl Segment {
    /// Takes in at most [`BLOCK`] documents.
    fn block(&mut self, docs: &[DocId]) {
        let mut counted = [0; BLOCK];
        let docs = if self.unread {
            docs
        } else {
            let Some(column) = &self.seq else { return };
            let mut length = 0;
            for (doc, seq) in docs.iter().zip(firsts(column, docs)) {
                let Some(seq) = seq.filter(|seq| (self.after + 1..self.snapshot).contains(seq)) else {
                    continue;
                };
                if seq < self.before {
                    self.page.offer(seq);
                }
                if let Some(place) = counted.get_mut(length) {
                    *place = *doc;
                    length += 1;
                }
            }
            counted.get(..length).unwrap_or_default()
        };
        self.total += docs.len() as u64;
        for count in &mut self.counts {
            count.add(docs);
        }
    }
}

/// The first value of each of at most [`BLOCK`] documents.
fn firsts<T: PartialOrd + Copy + std::fmt::Debug + Send + Sync + 'static>(
    column: &Column<T>,
    docs: &[DocId],
) -> [Option<T>; BLOCK] {
    let mut values = [None; BLOCK];
    if let Some(values) = values.get_mut(..docs.len()) {
        column.first_vals(docs, values);
    }
    values
}

/// The first few by number, in constant time each: twice as many are kept before the rest is thrown away.
struct Page {
    order: Order,
    limit: usize,
    kept: Vec<i64>,
    /// What does not beat this is not among them.
    bar: Option<i64>,
}

impl Page {
    fn new(order: Order, limit: usize) -> Self {
        Self { order, limit, kept: Vec::new(), bar: None }
    }

    fn offer(&mut self, seq: i64) {
        // Larger is better; of the oldest first, smaller.
        let rank = if self.order == Order::Newest { seq } else { -seq };
        if self.limit == 0 || self.bar.is_some_and(|bar| rank <= bar) {
            return;
        }
        self.kept.push(rank);
        if self.kept.len() >= 2 * self.limit.max(32) {
            self.cut();
        }
    }

    fn cut(&mut self) {
        if self.kept.len() > self.limit {
            let (_, last, _) = self.kept.select_nth_unstable_by(self.limit - 1, |a, b| b.cmp(a));
            self.bar = Some(*last);
            self.kept.truncate(self.limit);
        }
    }

    fn finish(mut self) -> Vec<u64> {
        self.cut();
        self.kept.sort_unstable_by(|a, b| b.cmp(a));
        self.kept.into_iter().map(i64::unsigned_abs).collect()
    }
}

/// Values of a keyword by their number in the segment.
struct Values {
    column: Option<StrColumn>,
    counts: Vec<u64>,
}

impl Values {
    fn new(field: Field, reader: &SegmentReader) -> tantivy::Result<Self> {
        let column = reader.fast_fields().str(field.name())?;
        let counts = vec![0; column.as_ref().map_or(0, |column| column.num_terms())];
        Ok(Self { column, counts })
    }

    fn add(&mut self, docs: &[DocId]) {
        let Some(column) = &self.column else { return };
        let mut one = |ord: u64| {
            if let Some(count) = usize::try_from(ord).ok().and_then(|ord| self.counts.get_mut(ord)) {
                *count += 1;
            }
        };
        if column.ords().get_cardinality() == Cardinality::Multivalued {
            docs.iter().flat_map(|doc| column.term_ords(*doc)).for_each(one);
        } else {
            firsts(column.ords(), docs).into_iter().flatten().for_each(&mut one);
        }
    }

    /// The counts by value, from zero again.
    fn take(&mut self) -> std::io::Result<BTreeMap<String, u64>> {
        let mut named = BTreeMap::new();
        let Some(column) = &self.column else { return Ok(named) };
        let met = self.counts.iter().zip(0u64..).filter(|(count, _)| **count > 0);
        let (counts, ords): (Vec<u64>, Vec<u64>) = met.map(|(count, ord)| (*count, ord)).unzip();
        let mut counts = counts.into_iter();
        // In their order, so that no block of the dictionary is read twice.
        column.dictionary().sorted_ords_to_term_cb(&ords, |name| {
            named.extend(counts.next().map(|count| (String::from_utf8_lossy(name).into_owned(), count)));
        })?;
        self.counts.fill(0);
        Ok(named)
    }
}

/// One aggregation in one segment.
enum Count {
    Values(Field, Values),
    Spans(Box<Spans>),
    Numbers { field: Field, column: Option<Column<i64>>, counts: HashMap<i64, u64>, run: (i64, u64) },
}

/// A histogram: documents are in the order of time, nearly, so the span of the one before is at hand.
struct Spans {
    tally: Tally,
    interval: super::super::tally::Interval,
    time: Option<Column<i64>>,
    /// Where the span at hand begins and ends, and how many are in it.
    begin: i64,
    end: i64,
    count: u64,
    by: Option<Values>,
    failed: Option<std::io::Error>,
}

impl Spans {
    fn add(&mut self, docs: &[DocId]) {
        let Some(column) = &self.time else { return };
        // Documents of one span in a row are counted together.
        let (mut from, times) = (0, firsts(column, docs));
        for (at, time) in times.iter().take(docs.len()).enumerate() {
            if time.is_some_and(|time| (self.begin..self.end).contains(&time)) {
                continue;
            }
            self.count(docs.get(from..at).unwrap_or_default());
            from = at;
            match time {
                Some(time) => {
                    self.flush();
                    self.begin = self.interval.begin(*time);
                    self.end = self.begin.saturating_add(self.interval.micros());
                }
                None => from = at + 1,
            }
        }
        self.count(docs.get(from..).unwrap_or_default());
    }

    fn count(&mut self, docs: &[DocId]) {
        self.count += docs.len() as u64;
        if let Some(by) = &mut self.by {
            by.add(docs);
        }
    }

    fn flush(&mut self) {
        if self.count == 0 {
            return;
        }
        let values = match self.by.as_mut().map(Values::take).transpose() {
            Ok(values) => values.unwrap_or_default(),
            Err(why) => {
                self.failed = Some(why);
                return;
            }
        };
        self.tally.add_span(self.begin, std::mem::take(&mut self.count), values);
    }
}

impl Count {
    fn new(count: &Aggregation, reader: &SegmentReader) -> tantivy::Result<Self> {
        Ok(match count {
            Aggregation::Terms { field, .. } | Aggregation::Cardinality { field } => {
                Self::Values(*field, Values::new(*field, reader)?)
            }
            Aggregation::DateHistogram { interval, by } => Self::Spans(Box::new(Spans {
                tally: Tally::of(count),
                interval: *interval,
                time: numbers(reader, Field::Created)?,
                begin: 0,
                end: 0,
                count: 0,
                by: by.map(|field| Values::new(field, reader)).transpose()?,
                failed: None,
            })),
            Aggregation::Percentiles { field, .. } => Self::Numbers {
                field: *field,
                column: numbers(reader, *field)?,
                counts: HashMap::new(),
                run: (0, 0),
            },
        })
    }

    fn add(&mut self, docs: &[DocId]) {
        match self {
            Self::Values(_, values) => values.add(docs),
            Self::Spans(spans) => spans.add(docs),
            Self::Numbers { column, counts, run, .. } => {
                let Some(column) = column else { return };
                for value in firsts(column, docs).into_iter().flatten().map(coarse) {
                    if value != run.0 {
                        *counts.entry(run.0).or_default() += run.1;
                        *run = (value, 0);
                    }
                    run.1 += 1;
                }
            }
        }
    }

    fn finish(self) -> std::io::Result<Tally> {
        match self {
            Self::Values(field, mut values) => Ok(Tally::Values(field, values.take()?)),
            Self::Spans(mut spans) => {
                spans.flush();
                spans.failed.map_or(Ok(spans.tally), Err)
            }
            Self::Numbers { field, mut counts, run, .. } => {
                *counts.entry(run.0).or_default() += run.1;
                counts.retain(|_, count| *count > 0);
                Ok(Tally::Numbers(field, counts.into_iter().collect()))
            }
        }
    }
}
