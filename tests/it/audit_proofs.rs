//! Proofs and notes against what others publish: RFC 6962, C2SP, and another implementation.

use ct_merkle::mem_backed_tree::MemoryBackedTree;
use sealgate::audit::tree::note::{Checkpoint, Error, Note, Signer, Use, Verifier};
use sealgate::audit::tree::proof::{Head, consistency, extends, includes, inclusion, root};
use sealgate::audit::{Config, Draft, Kind, Leaf, Log, Root, leaf, parse_hex};
use sealgate::clock::Clock;
use sha2::Sha256;
use std::convert::Infallible;
use std::path::Path;

/// Roots of full subtrees of a list of leaves, computed naively.
fn nodes(leaves: &[Leaf]) -> impl FnMut(u32, u64) -> Result<Leaf, Infallible> {
    move |level, index| {
        let width = 1 << level;
        let mut tree = Root::default();
        leaves.iter().skip(usize::try_from(index).unwrap() * width).take(width).for_each(|l| tree.push(*l));
        Ok(tree.hash())
    }
}

fn leaves(count: u64) -> Vec<Leaf> {
    (0..count).map(|n| leaf(&n.to_be_bytes())).collect()
}

#[test]
fn roots_equal_those_of_another_implementation_for_every_size_to_2000() {
    let mut theirs = MemoryBackedTree::<Sha256, [u8; 8]>::new();
    let mut ours = Root::default();
    let all = leaves(2000);
    for (n, mine) in all.iter().enumerate() {
        theirs.push((n as u64).to_be_bytes());
        ours.push(*mine);
        assert_eq!(ours.hash().as_slice(), theirs.root().as_bytes().as_slice(), "size {}", n + 1);
    }
    for size in [1_u64, 2, 255, 256, 257, 1000, 1999, 2000] {
        let mut tree = Root::default();
        all.iter().take(usize::try_from(size).unwrap()).for_each(|l| tree.push(*l));
        assert_eq!(root(&mut nodes(&all), size).unwrap(), tree.hash());
    }
}

/// The eight inputs of the reference tree of certificate transparency.
fn reference() -> Vec<Leaf> {
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
    inputs.into_iter().map(leaf).collect()
}

fn hashes(text: &[&str]) -> Vec<Leaf> {
    text.iter().map(|hash| sealgate::audit::tree::note::parse_hash(hash).expect("a hash")).collect()
}

#[test]
fn published_inclusion_vectors_are_made_and_taken() {
    // Index, size and proof, as the reference implementations of RFC 6962 publish them.
    let vectors: [(u64, u64, &[&str]); 5] = [
        (0, 1, &[]),
        (
            0,
            8,
            &[
                "lqKW0iTyhcZ77pPDD4owkVfw2qNdxbh+QQt4YwoJz8c=",
                "Xwg/ChozygdqlSeYMlgNs+DvRYS9/x9UyKNg9Q3jAx4=",
                "a0eq8p7jwq+a+Im8H7klTavTEXfxYjLdaqsDXKOb9uQ=",
            ],
        ),
        (
            5,
            8,
            &[
                "vBoGQ7EuTS18d5GPROD095qDi2z57FtcKD4fTYhZnms=",
                "yoVOoSjtBQtBs1/8G4e46yveRh6eO1WW7Oa51ZdaCuA=",
                "037kGJdt2VdTwcc4Yrk5j6Kiz5tP8P3+izDNlSCWFLc=",
            ],
        ),
        (2, 3, &["+sVCA+fMaWzw38tCySodnbr3CtnmIfS9jZhmLwDjwSU="]),
        (
            1,
            5,
            &[
                "bjQLnP+zepicpUTmu3gKLHiQHT+zNzh2hRGjBhevoB0=",
                "Xwg/ChozygdqlSeYMlgNs+DvRYS9/x9UyKNg9Q3jAx4=",
                "vBoGQ7EuTS18d5GPROD095qDi2z57FtcKD4fTYhZnms=",
            ],
        ),
    ];
    let all = reference();
    for (index, size, proof) in vectors {
        let proof = hashes(proof);
        assert_eq!(inclusion(&mut nodes(&all), index, size).unwrap(), proof, "{index} in {size}");
        let (root, leaf) = (root(&mut nodes(&all), size).unwrap(), all[usize::try_from(index).unwrap()]);
        assert!(includes(&root, size, index, &leaf, &proof));
        reject_all_changes(&proof, |proof| includes(&root, size, index, &leaf, proof));
        for (other_size, other_index) in [(size * 2, index), (size, index + 1), (size, index ^ 2)] {
            let same = other_size == size && other_index == index;
            assert!(same || !includes(&root, other_size, other_index, &leaf, &proof), "{index} in {size}");
        }
    }
}

#[test]
fn published_consistency_vectors_are_made_and_taken() {
    let vectors: [(u64, u64, &[&str]); 5] = [
        (1, 1, &[]),
        (
            1,
            8,
            &[
                "lqKW0iTyhcZ77pPDD4owkVfw2qNdxbh+QQt4YwoJz8c=",
                "Xwg/ChozygdqlSeYMlgNs+DvRYS9/x9UyKNg9Q3jAx4=",
                "a0eq8p7jwq+a+Im8H7klTavTEXfxYjLdaqsDXKOb9uQ=",
            ],
        ),
        (
            6,
            8,
            &[
                "DrxdNDf74tsVi58Sah0RjjCBgQMdCpSfje3t68VY72o=",
                "yoVOoSjtBQtBs1/8G4e46yveRh6eO1WW7Oa51ZdaCuA=",
                "037kGJdt2VdTwcc4Yrk5j6Kiz5tP8P3+izDNlSCWFLc=",
            ],
        ),
        (
            2,
            5,
            &["Xwg/ChozygdqlSeYMlgNs+DvRYS9/x9UyKNg9Q3jAx4=", "vBoGQ7EuTS18d5GPROD095qDi2z57FtcKD4fTYhZnms="],
        ),
        (
            6,
            7,
            &[
                "DrxdNDf74tsVi58Sah0RjjCBgQMdCpSfje3t68VY72o=",
                "sIaT7C5yFZcTBkHoIR5+7cy0wmQTlj7ubB4u0W/7Gl8=",
                "037kGJdt2VdTwcc4Yrk5j6Kiz5tP8P3+izDNlSCWFLc=",
            ],
        ),
    ];
    let all = reference();
    for (old, new, proof) in vectors {
        let proof = hashes(proof);
        assert_eq!(consistency(&mut nodes(&all), old, new).unwrap(), proof, "{old} to {new}");
        let head = |size| Head { size, root: root(&mut nodes(&all), size).unwrap() };
        let (was, is) = (head(old), head(new));
        assert!(extends(&was, &is, &proof));
        reject_all_changes(&proof, |proof| extends(&was, &is, proof));
        if old != new {
            let swapped = (Head { size: old, ..is }, Head { size: new, ..was });
            assert!(!extends(&swapped.0, &swapped.1, &proof));
            assert!(!extends(&Head { size: old + 1, ..was }, &is, &proof));
            assert!(!extends(&was, &Head { size: new * 2, ..is }, &proof));
        }
    }
}

/// Every changed bit, a part more in front or behind, a part less: none of it is taken.
fn reject_all_changes(proof: &[Leaf], taken: impl Fn(&[Leaf]) -> bool) {
    for at in 0..proof.len() * 256 {
        let mut changed = proof.to_vec();
        changed[at / 256][at % 256 / 8] ^= 1 << (at % 8);
        assert!(!taken(&changed), "bit {at}");
    }
    let garbage = [[7; 32], [0; 32]];
    for more in garbage {
        assert!(!taken(&[proof, &[more]].concat()) && !taken(&[&[more], proof].concat()));
    }
    if let Some((_, rest)) = proof.split_first() {
        assert!(!taken(rest) && !taken(&proof[..proof.len() - 1]));
    }
}

#[test]
fn every_record_is_proven_in_every_size_and_every_size_extends_every_other() {
    let all = leaves(40);
    let head = |size: u64| Head { size, root: root(&mut nodes(&all), size).unwrap() };
    for size in 1..=40 {
        for index in 0..size {
            let proof = inclusion(&mut nodes(&all), index, size).unwrap();
            let leaf = all[usize::try_from(index).unwrap()];
            assert!(includes(&head(size).root, size, index, &leaf, &proof), "{index} in {size}");
            assert!(!includes(&head(size).root, size, index, &[1; 32], &proof));
        }
        for old in 0..=size {
            let proof = consistency(&mut nodes(&all), old, size).unwrap();
            assert!(extends(&head(old), &head(size), &proof), "{old} to {size}");
            assert!(!extends(&Head { root: [1; 32], ..head(old) }, &head(size), &proof), "{old} to {size}");
        }
    }
}

/// The example of Go's `golang.org/x/mod/sumdb/note`, on which C2SP signed-note is built.
const NEUMANN: &str = "If you think cryptography is the answer to your problem,\n\
    then you don't know what your problem is.\n\n\
    — PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";
const NEUMANN_KEY: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";

#[test]
fn the_published_note_opens_and_no_changed_one_does() {
    let key = Verifier::parse(NEUMANN_KEY).unwrap();
    assert_eq!(key.to_string(), NEUMANN_KEY);
    let opens = |note: &str| Note::parse(note).is_ok_and(|n| n.signed_by(std::slice::from_ref(&key)).is_ok());
    assert!(opens(NEUMANN));
    for at in 0..NEUMANN.len() {
        for mask in [0x01_u8, 0x20, 0x80] {
            let mut bytes = NEUMANN.as_bytes().to_vec();
            bytes[at] ^= mask;
            let Ok(text) = String::from_utf8(bytes) else { continue };
            assert!(!opens(&text), "byte {at} under mask {mask:#x}");
        }
    }
    let unpadded = NEUMANN.replace("JnAM=", "JnAM");
    let stray_bits = NEUMANN.replace("JnAM=", "JnAN=");
    for (name, note) in [
        ("no padding", unpadded.as_str()),
        ("stray bits", &stray_bits),
        ("a line more", &format!("{NEUMANN}x\n")),
        ("no end", NEUMANN.trim_end()),
        ("a carriage return", &NEUMANN.replace(",\n", ",\r\n")),
        ("a vertical tab", &NEUMANN.replace("answer to", "answer\u{b}to")),
        ("an empty line at the end", &format!("{NEUMANN}\n")),
        ("no signature", NEUMANN.split_once('—').unwrap().0),
    ] {
        assert!(!opens(note), "{name}");
    }
}

#[test]
fn keys_and_cosignatures_are_those_of_c2sp() {
    let signer = Signer::from_seed("witness.example/w1", Use::Witness, [7; 32]).unwrap();
    let log = Signer::from_seed("example.com/log", Use::Log, [9; 32]).unwrap();
    let head = Head { size: 3, root: [5; 32] };
    let checkpoint = Checkpoint { origin: "example.com/log".into(), head };
    let note = checkpoint.sign(std::slice::from_ref(&log));
    let cosigned = format!("{note}{}", signer.line(&checkpoint.text(), 1_679_315_147));
    let keys = [log.verifier().clone(), signer.verifier().clone()];
    let by = Note::parse(&cosigned).unwrap();
    let by = by.signed_by(&keys).unwrap();
    assert_eq!(by.iter().map(|(_, time)| *time).collect::<Vec<_>>(), [None, Some(1_679_315_147)]);
    assert_eq!(Checkpoint::open(&cosigned, "example.com/log", &keys[..1]).unwrap(), checkpoint);
    assert_eq!(Checkpoint::open(&note, "example.com/other", &keys), Err(Error::Origin));
    assert_eq!(Checkpoint::open(&note, "example.com/log", &keys[1..]), Err(Error::Unknown));
    // The same seed under the other signature type is another key.
    let other = Signer::from_seed("example.com/log", Use::Witness, [9; 32]).unwrap();
    assert_ne!(other.verifier().to_string(), log.verifier().to_string());
    for bad in [
        "example.com/log\n03\nBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQU=\n",
        "example.com/log\n+3\nBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQU=\n",
        "example.com/log\n3\nBQU=\n",
        "example.com/log\n3\nBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQU=\nmore\n",
        "\n3\nBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQU=\n",
    ] {
        assert_eq!(Checkpoint::parse(bad), Err(Error::Checkpoint), "{bad}");
    }
}

/// A closed log of so many records besides its own.
pub async fn log_of(folder: &Path, records: u64, config: &Config) {
    let log = Log::open(folder, "test/audit", config, Clock::held_at(1_795_000_000_000_000)).unwrap();
    let mut appended = Vec::new();
    for n in 0..records {
        let log = log.clone();
        let draft = Draft::new(Kind::AuthFailed).member("n", &n);
        appended.push(tokio::spawn(async move { log.append(draft).await }));
        if appended.len() == 500 {
            for done in appended.drain(..) {
                done.await.unwrap().unwrap();
            }
        }
    }
    for done in appended {
        done.await.unwrap().unwrap();
    }
    tokio::task::spawn_blocking(move || log.close()).await.unwrap().unwrap();
}

#[tokio::test]
async fn proofs_come_out_of_tiles_and_hold_across_restarts() {
    let folder = tempfile::tempdir().unwrap();
    let config = Config { checkpoint_ms: 10, ..Config::default() };
    for round in [300, 700, 1] {
        log_of(folder.path(), round, &config).await;
    }
    let prover = sealgate::audit::tree::Prover::open(folder.path()).unwrap();
    let (size, newest) = (prover.size().unwrap(), prover.checkpoint().unwrap().unwrap());
    assert_eq!(newest.size, size, "the last checkpoint covers the closing record");
    assert_eq!(prover.root(size).unwrap(), newest.root);
    for seq in [0, 1, 255, 256, 511, 700, size - 1] {
        let proof = prover.inclusion(seq, None).unwrap();
        assert!(includes(&newest.root, size, seq, &proof.leaf, &proof.path), "{seq}");
        assert!(proof.text().starts_with(&format!("c2sp.org/tlog-proof@v1\nindex {seq}\n")));
    }
    for old in [0, 1, 255, 256, 257, 900, size] {
        let proof = prover.consistency(old, size).unwrap();
        let was = Head { size: old, root: prover.root(old).unwrap() };
        assert!(extends(&was, &Head { size, root: newest.root }, &proof), "{old}");
    }
    // C2SP tlog-tiles: a full tile, a partial one, the level above, and an entry bundle.
    let tile = prover.tile(0, 0, 256).unwrap();
    assert_eq!(tile.len(), 8192);
    assert_eq!(tile[..32], leaf(&prover.record(0).unwrap().record));
    assert_eq!(prover.tile(0, 3, size % 256).unwrap().len() as u64, size % 256 * 32);
    let mut over = Root::default();
    tile.as_chunks::<32>().0.iter().for_each(|hash| over.push(*hash));
    assert_eq!(prover.tile(1, 0, 3).unwrap()[..32], over.hash());
    assert!(
        prover.tile(0, 4, 1).is_err() && prover.tile(1, 0, 4).is_err() && prover.tile(0, 0, 257).is_err()
    );
    let bundle = prover.entries(3, 2).unwrap();
    let first = prover.record(768).unwrap().record;
    assert_eq!(bundle[..2], u16::try_from(first.len()).unwrap().to_be_bytes());
    assert_eq!(bundle[2..2 + first.len()], first);
    assert_eq!(parse_hex(&sealgate::audit::hex(&newest.root)), Some(newest.root));
}
