//! Tokens: made once, checked always, revoked at once.

use std::time::Duration;

use sealgate::clock::Clock;
use sealgate::identity::{Claims, Error, NewToken, PrincipalKind, Refused, State, Tokens};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

const START_US: i64 = 1_790_000_000_000_000;
const HOUR_US: i64 = 3_600_000_000;

fn new_token(id: &str) -> NewToken {
    NewToken {
        kind: PrincipalKind::User,
        id: id.into(),
        agent: "desk".into(),
        agent_approved: true,
        roles: vec!["employee".into()],
        teams: vec!["sales".into(), "emea".into()],
        tenant: "default".into(),
        claims: Claims::new(),
        ttl: "1h".parse().unwrap(),
        created_by: "root".into(),
    }
}

struct Fixture {
    folder: tempfile::TempDir,
    clock: Clock,
    tokens: Tokens,
}

fn fixture() -> Fixture {
    let folder = tempfile::tempdir().unwrap();
    let clock = Clock::held_at(START_US);
    let tokens = Tokens::open(folder.path(), clock.clone()).unwrap();
    Fixture { folder, clock, tokens }
}

impl Fixture {
    /// Another process, as far as SQLite can tell.
    fn second(&self) -> Tokens {
        Tokens::open(self.folder.path(), self.clock.clone()).unwrap()
    }
}

#[test]
fn a_token_names_its_caller() {
    let fixture = fixture();
    let (token, record) = fixture.tokens.create(new_token("alice")).unwrap();
    let found = fixture.tokens.authenticate(&token).unwrap();
    let caller = &found.caller;
    assert_eq!((caller.id.as_str(), caller.agent.as_str(), caller.agent_approved), ("alice", "desk", true));
    assert_eq!((caller.kind, caller.tenant.as_str()), (PrincipalKind::User, "default"));
    assert_eq!(
        (caller.roles.as_slice(), caller.teams.as_slice()),
        (&["employee".to_owned()][..], &["sales".to_owned(), "emea".to_owned()][..])
    );
    assert_eq!(found.expires_us, START_US + HOUR_US);
    assert_eq!((&*found.credential, caller.credential.as_str()), (record.id.as_str(), record.id.as_str()));
    assert_eq!(fixture.tokens.list().unwrap(), [record]);
}

#[test]
fn the_token_itself_is_stored_nowhere() {
    let fixture = fixture();
    let (token, record) = fixture.tokens.create(new_token("alice")).unwrap();
    let mut seen = 0;
    for entry in std::fs::read_dir(fixture.folder.path()).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        seen += 1;
        for part in [&token[4..], &token[4..20], &token[30..47]] {
            assert!(!bytes.windows(part.len()).any(|window| window == part.as_bytes()));
        }
    }
    assert!(seen >= 2, "the file and its -wal");
    assert!(!format!("{record:?}{}", serde_json::to_string(&record).unwrap()).contains(&token[4..47]));
}

#[test]
fn only_the_owner_can_read_the_file() {
    use std::os::unix::fs::PermissionsExt;
    let fixture = fixture();
    fixture.tokens.create(new_token("alice")).unwrap();
    for entry in std::fs::read_dir(fixture.folder.path()).unwrap() {
        let entry = entry.unwrap();
        let mode = entry.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{:?} has mode {mode:o}", entry.path());
    }
}

#[test]
fn a_token_expires_to_the_microsecond() {
    let fixture = fixture();
    let (token, record) = fixture.tokens.create(new_token("alice")).unwrap();
    let held = fixture.tokens.authenticate(&token).unwrap();
    fixture.clock.advance_us(HOUR_US - 1);
    assert!(fixture.tokens.authenticate(&token).is_ok() && fixture.tokens.still_valid(&held));
    fixture.clock.advance_us(1);
    let refused = fixture.tokens.authenticate(&token).unwrap_err();
    assert_eq!(refused, Refused::Expired { credential: record.id.as_str().into() });
    assert!(!fixture.tokens.still_valid(&held));
    assert_eq!(fixture.tokens.list().unwrap()[0].state(fixture.clock.now_us()), State::Expired);
}

#[test]
fn another_process_makes_and_revokes_and_it_holds_at_once() {
    let fixture = fixture();
    let command_line = fixture.second();
    let (token, record) = command_line.create(new_token("alice")).unwrap();
    let held = fixture.tokens.authenticate(&token).unwrap();
    let revoked = command_line.revoke(&record.id[..9], "bob").unwrap();
    assert_eq!((revoked.revoked_us, revoked.revoked_by.as_deref()), (Some(START_US), Some("bob")));
    let refused = fixture.tokens.authenticate(&token).unwrap_err();
    assert_eq!((refused.reason(), refused.credential()), ("revoked", Some(record.id.as_str())));
    assert!(!fixture.tokens.still_valid(&held));
    let again = command_line.revoke(&record.id, "carol").unwrap();
    assert_eq!(again.revoked_by.as_deref(), Some("bob"), "the first revocation stays");
}

#[test]
fn a_token_that_leaked_can_be_revoked_by_itself() {
    let fixture = fixture();
    let (token, _) = fixture.tokens.create(new_token("alice")).unwrap();
    let (other, _) = fixture.tokens.create(new_token("bob")).unwrap();
    fixture.tokens.revoke(&token, "root").unwrap();
    assert!(fixture.tokens.authenticate(&token).is_err() && fixture.tokens.authenticate(&other).is_ok());
}

#[test]
fn what_is_not_one_token_is_not_revoked() {
    let fixture = fixture();
    for number in 0..2 {
        fixture.tokens.create(new_token(&format!("user{number}"))).unwrap();
    }
    for which in ["", "t", "tok_", "tok_?????????", "alice"] {
        assert!(matches!(fixture.tokens.revoke(which, "root"), Err(Error::NoSuchToken)), "{which}");
    }
    let now = fixture.clock.now_us();
    assert!(fixture.tokens.list().unwrap().iter().all(|record| record.state(now) == State::Active));
}

#[test]
fn forged_and_damaged_tokens_are_told_apart() {
    let fixture = fixture();
    let (token, _) = fixture.tokens.create(new_token("alice")).unwrap();
    let elsewhere = self::fixture();
    let (foreign, _) = elsewhere.tokens.create(new_token("alice")).unwrap();
    let mut flipped = token.clone();
    flipped.replace_range(10..11, if &token[10..11] == "x" { "y" } else { "x" });
    for (bearer, reason) in [
        ("", "malformed"),
        ("sgt_", "malformed"),
        (&token[..52], "malformed"),
        (&format!("{token}x"), "malformed"),
        (&format!("ghp_{}", &token[4..]), "malformed"),
        (&flipped, "bad_checksum"),
        (&foreign, "unknown"),
    ] {
        assert_eq!(fixture.tokens.authenticate(bearer).unwrap_err().reason(), reason);
    }
}

#[test]
fn fields_of_a_token_are_bounded() {
    let fixture = fixture();
    let with = |change: fn(&mut NewToken)| {
        let mut new = new_token("alice");
        change(&mut new);
        fixture.tokens.create(new)
    };
    for result in [
        with(|new| new.id.clear()),
        with(|new| new.agent = " ".into()),
        with(|new| new.tenant = "x".repeat(257)),
        with(|new| new.roles = vec!["a\nb".into()]),
        with(|new| new.teams = vec!["a".into(); 65]),
        with(|new| new.created_by.clear()),
    ] {
        assert!(matches!(result, Err(Error::Field { .. })));
    }
    assert!(fixture.tokens.list().unwrap().is_empty());
}

#[test]
fn tokens_survive_a_restart() {
    let fixture = fixture();
    let (token, _) = fixture.tokens.create(new_token("alice")).unwrap();
    drop(fixture.tokens);
    let reopened = Tokens::open(fixture.folder.path(), fixture.clock.clone()).unwrap();
    assert_eq!(reopened.authenticate(&token).unwrap().caller.id, "alice");
}

#[test]
fn a_file_of_a_newer_version_is_left_alone() {
    let fixture = fixture();
    drop(fixture.tokens);
    let connection = rusqlite::Connection::open(fixture.folder.path().join("tokens.db")).unwrap();
    connection.pragma_update(None, "user_version", 3).unwrap();
    let refused = Tokens::open(fixture.folder.path(), fixture.clock).unwrap_err();
    assert!(matches!(refused, Error::Newer { found: 3, known: 2 }));
}

#[test]
fn tokens_of_the_format_before_claims_are_still_good() {
    let fixture = fixture();
    let (token, record) = fixture.tokens.create(new_token("alice")).unwrap();
    let folder = fixture.folder;
    drop(fixture.tokens);
    let connection = rusqlite::Connection::open(folder.path().join("tokens.db")).unwrap();
    connection.execute_batch("ALTER TABLE tokens DROP COLUMN claims; PRAGMA user_version = 1").unwrap();
    drop(connection);
    let tokens = Tokens::open(folder.path(), fixture.clock).unwrap();
    assert_eq!(tokens.list().unwrap(), [record]);
    assert!(tokens.authenticate(&token).is_ok());
}

#[test]
fn a_store_that_cannot_be_read_lets_nobody_in() {
    let fixture = fixture();
    let (token, _) = fixture.tokens.create(new_token("alice")).unwrap();
    let held = fixture.tokens.authenticate(&token).unwrap();
    let connection = rusqlite::Connection::open(fixture.folder.path().join("tokens.db")).unwrap();
    connection.execute_batch("ALTER TABLE tokens RENAME TO gone").unwrap();
    assert_eq!(fixture.tokens.authenticate(&token).unwrap_err(), Refused::Unavailable);
    assert!(!fixture.tokens.still_valid(&held));
}

#[tokio::test]
async fn open_streams_learn_of_a_revocation_elsewhere() {
    let fixture = fixture();
    let (tracker, cancel) = (TaskTracker::new(), CancellationToken::new());
    let (token, record) = fixture.tokens.create(new_token("alice")).unwrap();
    let held = fixture.tokens.authenticate(&token).unwrap();
    let mut changes = fixture.tokens.changes();
    changes.mark_unchanged();
    fixture.tokens.run(&tracker, cancel.clone());
    fixture.second().revoke(&record.id, "bob").unwrap();
    tokio::time::timeout(Duration::from_secs(10), changes.changed()).await.unwrap().unwrap();
    assert!(!fixture.tokens.still_valid(&held));
    cancel.cancel();
    tracker.close();
    tracker.wait().await;
}
