use super::*;
use crate::clock::Clock;
use std::path::Path;

fn open(folder: &Path) -> Log {
    Log::open(folder, "test/audit", &Config::default(), Clock::held_at(1_000_000)).unwrap()
}

#[test]
fn roots_are_those_of_rfc_6962() {
    // RFC 6962 test vectors of certificate-transparency: the tree over eight known leaves.
    let inputs: [&[u8]; 8] = [
        b"",
        &[0x00],
        &[0x10],
        &[0x20, 0x21],
        &[0x30, 0x31],
        &[0x40, 0x41, 0x42, 0x43],
        &[0x50, 0x51, 0x52, 0x53, 0x54, 0x55, 0x56, 0x57],
        &[0x60, 0x61, 0x62, 0x63, 0x64, 0x65, 0x66, 0x67, 0x68, 0x69, 0x6a, 0x6b, 0x6c, 0x6d, 0x6e, 0x6f],
    ];
    let roots = [
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    ];
    let mut tree = Root::default();
    for (input, root) in inputs.iter().zip(roots) {
        tree.push(chain::leaf(input));
        assert_eq!(chain::hex(&tree.hash()), root);
    }
}

#[tokio::test]
async fn what_was_acknowledged_is_there_after_reopening() {
    let folder = tempfile::tempdir().unwrap();
    let log = open(folder.path());
    let call = uuid::Uuid::now_v7();
    let receipt = log.append(Draft::new(Kind::CallIntent).call(call).member("a", &1)).await.unwrap();
    log.clone().close().unwrap();
    drop(log);
    let reader = Reader::open(folder.path()).unwrap();
    assert_eq!(reader.by_call(call).unwrap()[0].seq, receipt.seq());
    // The intent had no end: the next start gives it one.
    let log = open(folder.path());
    let kinds: Vec<String> = reader.by_call(call).unwrap().iter().map(|e| kind(&e.record)).collect();
    assert_eq!(kinds, ["call.intent", "call.indeterminate"]);
    log.close().unwrap();
}

fn kind(record: &[u8]) -> String {
    serde_json::from_slice::<serde_json::Value>(record).unwrap()["kind"].as_str().unwrap().to_owned()
}
