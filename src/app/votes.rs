//! What did approvers say? Puts every vote into the log, whoever wrote it into the store.

use crate::approval::{Approvals, Held, Vote};
use crate::audit::{Draft, Kind, Log};
use serde::Serialize;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// How often the store is looked at.
const POLL: Duration = Duration::from_millis(500);

/// Members are in the order of their names.
#[derive(Serialize)]
struct Said<'a> {
    approver: &'a crate::approval::Asker,
    at: i64,
    covers: &'a BTreeSet<String>,
    name: &'a str,
    note: &'a str,
    reference: Uuid,
    requester: &'a str,
    roles: &'a BTreeSet<String>,
}

/// Records votes until told to stop.
pub(super) async fn run(approvals: Arc<Approvals>, log: Log, stop: CancellationToken) {
    while stop.run_until_cancelled(pause(&approvals)).await.is_some() {
        let store = approvals.clone();
        let found = tokio::task::spawn_blocking(move || store.unrecorded()).await;
        let Ok(Ok(found)) = found else {
            tracing::error!("the approvals cannot be read: calls that need one are refused");
            // Those who wait find out for themselves, and are refused.
            approvals.tell();
            continue;
        };
        let any = !found.is_empty();
        for (held, vote) in found {
            if log.append(record(&held, &vote)).await.is_ok() {
                let store = approvals.clone();
                let _ = tokio::task::spawn_blocking(move || store.recorded(&vote)).await;
            }
        }
        // After the record: what an approval lets through comes behind it in the log.
        if any {
            approvals.tell();
        }
    }
}

/// Until there may be votes: somebody voted here, or could have in another process.
async fn pause(approvals: &Approvals) {
    tokio::select! {
        () = approvals.voted() => {}
        () = tokio::time::sleep(POLL) => {}
    }
}

fn record(held: &Held, vote: &Vote) -> Draft {
    let kind = if vote.approve { Kind::ApprovalGranted } else { Kind::ApprovalRejected };
    let said = Said {
        approver: &vote.approver,
        at: vote.at_us,
        covers: &vote.covers,
        name: &held.name,
        note: &vote.note,
        reference: held.reference,
        requester: &held.requester.id,
        roles: &held.roles,
    };
    Draft::new(kind).call(held.reference).member("approval", &said)
}
