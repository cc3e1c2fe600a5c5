//! One pass over the matching documents: how many, which ones come first, and all counts.

use super::super::field::Field;
use super::super::gathered::{Gathered, Order, Wanted};
use super::super::tally::{Aggregation, Tally, coarse};
use std::collections::{BTreeMap, HashMap};
use tantivy::collector::{Collector, SegmentCollector};
use tantivy::columnar::{Column, StrColumn};
use tantivy::{DocId, Score, SegmentOrdinal, SegmentReader};

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
        Ok(Segment {
            seq: numbers(reader, Field::Seq)?,
            snapshot: self.snapshot,
            before: self.before.unwrap_or(i64::MAX),
            after: self.after.unwrap_or(-1),
            page: Page::new(self.order, self.limit),
            total: 0,
            counts,
        })
    }

    fn requires_scoring(&self) -> bool {
        false
    }

    fn merge_fruits(&self, parts: Vec<Part>) -> tantivy::Result<Gathered> {
        let mut all =
            Gathered { total: 0, seqs: Vec::new(), tallies: self.counts.iter().map(Tally::of).collect() };
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
        let Some(seq) = self.seq.as_ref().and_then(|column| column.first(doc)) else { return };
        if seq >= self.snapshot || seq <= self.after {
            return;
        }
        self.total += 1;
        if seq < self.before {
            self.page.offer(seq);
        }
        for count in &mut self.counts {
            count.add(doc);
        }
    }

    fn harvest(self) -> Part {
        let tallies = self.counts.into_iter().map(Count::finish).collect::<std::io::Result<_>>()?;
        Ok(Gathered { total: self.total, seqs: self.page.finish(), tallies })
    }
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

    fn add(&mut self, doc: DocId) {
        let Some(column) = &self.column else { return };
        for ord in column.term_ords(doc) {
            if let Some(count) = usize::try_from(ord).ok().and_then(|ord| self.counts.get_mut(ord)) {
                *count += 1;
            }
        }
    }

    /// The counts by value, from zero again.
    fn take(&mut self) -> std::io::Result<BTreeMap<String, u64>> {
        let mut named = BTreeMap::new();
        let Some(column) = &self.column else { return Ok(named) };
        for (ord, count) in self.counts.iter_mut().enumerate().filter(|(_, count)| **count > 0) {
            let mut name = String::new();
            column.ord_to_str(ord as u64, &mut name)?;
            named.insert(name, std::mem::take(count));
        }
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
    fn add(&mut self, doc: DocId) {
        let Some(time) = self.time.as_ref().and_then(|column| column.first(doc)) else { return };
        if time < self.begin || time >= self.end {
            self.flush();
            self.begin = self.interval.begin(time);
            self.end = self.begin.saturating_add(self.interval.micros());
        }
        self.count += 1;
        if let Some(by) = &mut self.by {
            by.add(doc);
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

    fn add(&mut self, doc: DocId) {
        match self {
            Self::Values(_, values) => values.add(doc),
            Self::Spans(spans) => spans.add(doc),
            Self::Numbers { column, counts, run, .. } => {
                let Some(value) = column.as_ref().and_then(|column| column.first(doc)).map(coarse) else {
                    return;
                };
                if value != run.0 {
                    *counts.entry(run.0).or_default() += run.1;
                    *run = (value, 0);
                }
                run.1 += 1;
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
