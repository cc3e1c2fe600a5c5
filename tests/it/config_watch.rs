//! Noticing that files changed.

use std::time::Duration;

use sealgate::config::watch;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

const SOON: Duration = Duration::from_secs(10);

#[tokio::test]
async fn a_change_is_told_once_and_reading_is_no_change() {
    let folder = tempfile::tempdir().unwrap();
    let (file, policies) = (folder.path().join("sealgate.yaml"), folder.path().join("policies"));
    std::fs::write(&file, "a").unwrap();
    std::fs::create_dir(&policies).unwrap();
    std::fs::write(folder.path().join("other"), "a").unwrap();
    let (tracker, cancel) = (TaskTracker::new(), CancellationToken::new());
    let mut changes = watch(vec![file.clone(), policies.clone()], &tracker, cancel.clone());

    for text in ["b", "c", "d"] {
        std::fs::write(&file, text).unwrap();
    }
    timeout(SOON, changes.recv()).await.unwrap().unwrap();

    // As an editor saves: a new file takes the old one's place.
    let new = folder.path().join("sealgate.yaml.new");
    std::fs::write(&new, "e").unwrap();
    std::fs::rename(&new, &file).unwrap();
    timeout(SOON, changes.recv()).await.unwrap().unwrap();

    std::fs::write(policies.join("a.cedar"), "x").unwrap();
    timeout(SOON, changes.recv()).await.unwrap().unwrap();

    std::fs::read(&file).unwrap();
    std::fs::write(folder.path().join("other"), "b").unwrap();
    assert!(timeout(Duration::from_millis(600), changes.recv()).await.is_err(), "told without a change");

    cancel.cancel();
    tracker.close();
    timeout(SOON, tracker.wait()).await.unwrap();
    assert_eq!(changes.recv().await, None);
}
