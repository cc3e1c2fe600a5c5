//! What happens to a call? The trunk: judge it, record the decision, send it, seal the outcome.

mod call;
mod checks;
mod cleaning;
mod duties;
mod era;
mod facts;
mod fold;
mod held;
mod hold;
mod journal;
mod judge;
mod listen;
mod lists;
mod owed;
mod parked;
mod questions;
mod rates;
mod refusal;
mod release;
mod reply;
mod rounds;
mod rules;
mod running;
mod seals;
mod state;
mod tasks;
mod tokens;
mod told;
mod wanted;
mod watch;

pub use call::{Call, Client, SessionFacts, Trace};
pub use checks::{Check, Checks};
pub use duties::{Duties, JUSTIFICATION, Notice};
pub use fold::{Fold, Unheard};
pub use hold::Asking;
pub use journal::Actor;
pub use listen::Followed;
pub use lists::Views;
pub use refusal::{Refusal, Text};
pub use reply::{Frame, Reply, Said};
pub use rules::{Parts, Rules};
pub use seals::Seals;
pub use tokens::Vaulted;

use crate::audit::{Log, Unrecorded};
use crate::clock::Clock;
use crate::identity::{Caller, SharedCaller};
use crate::mcp::Kind as Answerer;
use crate::route::{CursorKey, Front};
use crate::telemetry::Metrics;
use crate::upstream::News;
use arc_swap::ArcSwap;
use judge::judge;
use owed::Owed;
use parked::ParkingLot;
use std::sync::Arc;
use tokio::sync::broadcast;
use tokio::sync::watch::{Receiver, Sender, channel};
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

/// The gateway: rules of the moment, and the log that every call passes.
#[derive(Debug)]
pub struct Gateway {
    rules: ArcSwap<Rules>,
    log: Log,
    clock: Clock,
    cursors: CursorKey,
    seals: Seals,
    parked: ParkingLot,
    adopted: Sender<u64>,
    notices: broadcast::Sender<News>,
    closing: CancellationToken,
    metrics: Metrics,
    duties: Duties,
}

impl Gateway {
    /// A gateway under `rules` that records in `log`.
    pub fn new(
        rules: Rules,
        (log, clock): (Log, Clock),
        (cursors, seals): (CursorKey, Seals),
        (metrics, notices): (Metrics, broadcast::Sender<News>),
        duties: Duties,
    ) -> Self {
        let adopted = channel(rules.generation).0;
        let (rules, parked) = (ArcSwap::from_pointee(rules), ParkingLot::default());
        let closing = CancellationToken::new();
        Self { rules, log, clock, cursors, seals, parked, adopted, notices, closing, metrics, duties }
    }

    /// What policies ask for, and what sessions have done.
    pub fn duties(&self) -> &Duties {
        &self.duties
    }

    /// Ends the streams that would go on for ever. Calls under way end by themselves.
    pub fn close(&self) {
        self.closing.cancel();
    }

    /// Cancelled when the gateway stops.
    pub fn closing(&self) -> &CancellationToken {
        &self.closing
    }

    /// Cancels parked calls that nobody came back for in time. Called every second.
    pub fn sweep(&self) {
        for parked in self.parked.lapsed(tokio::time::Instant::now()) {
            self.log.append_detached(journal::lapsed(parked.call, &parked.server));
        }
    }

    /// The rules of the moment.
    pub fn rules(&self) -> Arc<Rules> {
        self.rules.load_full()
    }

    /// Puts a whole new set of rules in force. Calls that have begun keep the old ones.
    pub fn adopt(&self, rules: Rules) {
        let generation = rules.generation;
        self.rules.store(Arc::new(rules));
        self.adopted.send_replace(generation);
    }

    /// Tells of each adoption.
    pub fn adoptions(&self) -> Receiver<u64> {
        self.adopted.subscribe()
    }

    /// What a caller can see now, as digests to compare.
    pub fn views(&self, caller: &Caller, front: &Front) -> Views {
        lists::views(&self.rules(), caller, front)
    }

    /// The log.
    pub fn log(&self) -> &Log {
        &self.log
    }

    /// The clock.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// The figures.
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// An id for a call. It carries the time of the gateway's own clock.
    pub fn call_id(&self) -> uuid::Uuid {
        let now = u64::try_from(self.clock.now_us()).unwrap_or(0);
        let nanos = u32::try_from(now % 1_000_000).unwrap_or(0) * 1000;
        uuid::Uuid::new_v7(uuid::Timestamp::from_unix(uuid::NoContext, now / 1_000_000, nanos))
    }

    /// The life of a call. Whatever is returned has been recorded.
    ///
    /// # Errors
    /// Refuses what is not permitted, not clean, not routable, or not recordable.
    pub async fn serve(self: &Arc<Self>, caller: &SharedCaller, call: Call) -> Result<Reply, Refusal> {
        self.serve_again(caller, call, None).await
    }

    /// The same for a call that has waited for the approval of that reference.
    async fn serve_again(
        self: &Arc<Self>,
        caller: &SharedCaller,
        mut call: Call,
        waited_for: Option<uuid::Uuid>,
    ) -> Result<Reply, Refusal> {
        if call.method.kind() == Answerer::Liveness {
            return Ok(Reply::empty(call.edition));
        }
        let rules = self.rules.load_full();
        watch::clean(&rules, &mut call.trace);
        let span = watch::call_span(&call);
        let call = self.duties.remember(caller, call);
        let told = told::of_call(&rules, &span, &call).await; // what a recogniser sees in it
        let judging = watch::stage_span(&span, "judge");
        let mut judgement = judging.in_scope(|| judge(&rules, &self.seals, caller, (call, told))); // pure
        self.duties.meet(&rules, caller, &mut judgement, waited_for).await; // or refuse
        tokens::settle(&rules, caller, &mut judgement).await; // or refuse
        watch::name(&span, &judgement);
        watch::judged(&self.metrics, &judgement);
        let decision = journal::decision(&self.log, &rules, caller, &judgement);
        let hold = hold::Hold::of(self, &rules, caller, &judgement).filter(|_| waited_for.is_none());
        let (owed, trace) = Owed::outcome_of(self, &rules, caller, &judgement, span);
        let recording = watch::stage_span(owed.span(), "record decision");
        let receipt = match self.log.append(decision).instrument(recording).await {
            Ok(receipt) => receipt, // durable
            Err(why) => return Err(owed.forgiven(why)),
        };
        self.duties.going_out(caller, &judgement);
        let cleared = match judgement.clear(caller, receipt, trace) {
            Ok(cleared) => cleared, // all three stamps
            Err(refusal) => {
                let refused = owed.settled(refusal);
                return hold.map_or(Err(refused), |hold| Ok(hold.begin())); // asks, and waits
            }
        };
        Ok(owed.answer(cleared).await) // the effect; the outcome comes before the last frame
    }
}

impl From<Unrecorded> for Refusal {
    fn from(why: Unrecorded) -> Self {
        match why {
            Unrecorded::Overloaded => Self::Overloaded,
            _ => Self::Unrecorded,
        }
    }
}
